"""Implementation of `envtree diff`: the differences between the bundles of two trees, on stdout."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.compared_trees import ComparedTrees, open_compared_trees
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.progress import show_progress
from envtree.cli.support.session import Environ, translate_input_errors, tree_request
from envtree.diagnostics.printable import printable
from envtree.diagnostics.printable_documents import json_document
from envtree.diagnostics.suggest import did_you_mean
from envtree.diagnostics.summary import plural
from envtree.engine.cache.comparison_cache import open_comparison_cache
from envtree.engine.selection import widen_selector
from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.model.inputs import UnknownInputError
from envtree.model.selector import compile_selector
from envtree.queries.diff import ComparisonScope, Diff, LabelledTree, diff
from envtree.queries.diff.from_json import InvalidDiffError, parse_diff
from envtree.queries.diff.to_json import diff_data
from envtree.report.diff_graph import MAX_DRAWN_NODES, build_diff_graph
from envtree.report.diff_markdown import render_diff_markdown
from envtree.report.diff_text import diff_summary, render_diff_text
from envtree.report.mermaid import render_mermaid
from envtree.sources.git_revision import RevisionTree
from envtree.system.console import err, out, should_color, write_styled
from envtree.system.workers import process_count

# An alternative spelling of a protected selector, `ENVIRONMENT:AGENT` for `AGENT@ENVIRONMENT`.
_ENVIRONMENT_FIRST = re.compile(r"([^:@/]+):([^:@]+)")


class DiffOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    base: str | None
    head: str | None
    merge_base: bool
    selectors: tuple[str, ...]
    protected: tuple[str, ...]
    form: str
    limit: int
    saved: Path | None
    detailed: bool
    inputs: dict[str, str]
    jobs: int | None
    no_cache: bool
    color: str
    verbose: bool


class _DiffAnswer(NamedTuple):
    """The differences, and the ids of the protected bundles among them."""

    diff: Diff
    protected: tuple[str, ...]


def run(options: DiffOptions) -> ExitCode:
    """Compare two trees, or load a saved answer, and write the differences."""
    answer = _load_saved_answer(options.saved, options) if options.saved else _compare_trees(options)
    _write_answer(answer, options)
    if answer.diff.has_errors or answer.protected:
        return ExitCode.FAILURE
    return ExitCode.CHANGES if options.detailed and not answer.diff.is_empty else ExitCode.OK


def _compare_trees(options: DiffOptions) -> _DiffAnswer:
    if options.base is None:
        raise usage_error("there is nothing to compare with", "name a revision or a folder, as in: envtree diff main")
    trees = open_compared_trees(options.directory, options.base, options.head, use_merge_base=options.merge_base)
    request = tree_request(
        trees.base,
        selectors=options.selectors,
        inputs=options.inputs,
        environ=Environ(),
        allow_empty=True,
        allow_undeclared_inputs=True,
    )
    with translate_input_errors(), show_progress(sys.stderr) as progress:
        request = request._replace(progress=progress, jobs=process_count(options.jobs))
        base = LabelledTree(trees.base_name, request, trees.base_commit)
        head = LabelledTree(trees.head_name, request._replace(tree=trees.head), trees.head_commit)
        cache = None if options.no_cache else open_comparison_cache(trees.head, options.selectors)
        if cache:
            base, head = (side._replace(request=cache.with_project_cache(side.request)) for side in (base, head))
        differences = diff(base, head, lambda scope: _check_scope(scope, options))
        if cache:
            cache.save()
    _report_missing_trees(trees)
    return _DiffAnswer(differences, _protected_changes(differences, options.protected))


def _load_saved_answer(file: Path, options: DiffOptions) -> _DiffAnswer:
    if options.base is not None or options.merge_base or options.selectors or options.inputs:
        raise usage_error("--saved recalls what was compared before", "name nothing to compare beside it")
    try:
        differences, protected = parse_diff(file.read_bytes())
    except OSError as error:
        raise MachineError("ET805", f"'{file}' cannot be read: {os_error_reason(error)}") from None
    except InvalidDiffError:
        raise usage_error(
            f"'{file}' is no answer of envtree diff --output-format json", "save one with this version"
        ) from None
    return _DiffAnswer(
        differences, _protected_changes(differences, options.protected) if options.protected else protected
    )


def _protected_changes(differences: Diff, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the protected bundles that differ, or may differ because of errors."""
    return tuple(filter(compile_selector(map(_normalize_pattern, patterns)), differences.affected)) if patterns else ()


def _normalize_pattern(pattern: str) -> str:
    match = _ENVIRONMENT_FIRST.fullmatch(pattern)
    return f"{match[2]}@{match[1]}" if match else pattern


def _check_scope(scope: ComparisonScope, options: DiffOptions) -> None:
    """Raise an error for an undeclared input, or a selector that matches no bundle of either tree.

    A mistyped --protect would otherwise never fail.
    """
    declared, ids = scope
    for name in options.inputs:
        if declared is not None and name not in declared:
            raise UnknownInputError(name, tuple(declared))
    environments = {f"**@{id.partition('@')[2]}" for id in ids}
    for text in (*options.selectors, *options.protected):
        if ids and not any(map(compile_selector([_normalize_pattern(text)]), ids)):
            suggestion = widen_selector(_normalize_pattern(text), ids)
            hint = f"did you mean '{suggestion}'?" if suggestion else did_you_mean(text, ids | environments)
            raise usage_error(f"'{text}' selects no bundle of either tree", hint)


def _report_missing_trees(trees: ComparedTrees) -> None:
    """Report a revision without a tree in this folder: there may be one in another folder."""
    for tree, name in ((trees.base, trees.base_name), (trees.head, trees.head_name)):
        if isinstance(tree, RevisionTree) and tree.is_empty:
            err(printable(f"there is no organization.yaml in this folder at '{name}'") + "\n")


def _write_answer(answer: _DiffAnswer, options: DiffOptions) -> None:
    differences, protected = answer
    if options.form == "json":
        out(json_document(diff_data(differences, protected)))
    elif options.form == "markdown":
        out(render_diff_markdown(differences, protected, options.limit).encode())
    elif options.form == "mermaid":
        out(render_mermaid(build_diff_graph(differences), MAX_DRAWN_NODES).encode())
    else:
        write_styled(
            sys.stdout,
            render_diff_text(differences, color=should_color(sys.stdout, options.color), verbose=options.verbose),
        )
        err(f"{diff_summary(differences)}\n")
    if protected:
        err(f"{plural(len(protected), 'protected bundle')} would change, the first '{protected[0]}'\n")
    if differences.has_errors:
        err(printable(f"{differences.head} has errors, which 'envtree check' explains") + "\n")
