"""`envtree diff`: what differs between two trees, on stdout."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.compared_trees import Sides, sides
from envtree.cli.support.console import colored, err, out, painted
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import usage_error
from envtree.cli.support.progress import progress
from envtree.cli.support.session import Environ, usage_errors
from envtree.diagnostics.printable import printable
from envtree.diagnostics.printable_documents import json_document
from envtree.diagnostics.suggest import did_you_mean
from envtree.engine.cache.comparison_cache import pool
from envtree.engine.run import Request
from envtree.engine.selection import widened
from envtree.model.diagnostic import Failure, reason
from envtree.model.inputs import UnknownInput
from envtree.model.selector import selector
from envtree.queries.diff import Diff, Extent, Named, diff
from envtree.queries.diff.saved import NoAnswerError, restored
from envtree.queries.diff.to_json import diff_data
from envtree.report import plural
from envtree.report.changed_graph import DRAWN, changed_graph
from envtree.report.changes import changes_text, sentence
from envtree.report.markdown import markdown
from envtree.report.mermaid import mermaid
from envtree.sources.git_revision import RevisionTree
from envtree.system.workers import processes

# Another way to say which bundles are protected: the environment first.
_ENVIRONMENT_FIRST = re.compile(r"([^:@/]+):([^:@]+)")


class Options(NamedTuple):
    """The command line."""

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


class _Answer(NamedTuple):
    """What differs, and which of it must not."""

    diff: Diff
    protected: tuple[str, ...]


def run(options: Options) -> Exit:
    """Compare two trees, or recall how two were compared, and tell what differs."""
    answer = _recalled(options.saved, options) if options.saved else _compared(options)
    _tell(answer, options)
    if answer.diff.errors or answer.protected:
        return Exit.FOUND
    return Exit.DIFFERENT if options.detailed and not answer.diff.empty else Exit.OK


def _compared(options: Options) -> _Answer:
    if options.base is None:
        raise usage_error("there is nothing to compare with", "name a revision or a folder, as in: envtree diff main")
    trees = sides(options.directory, options.base, options.head, common=options.merge_base)
    asked = Request(trees.base, options.selectors, options.inputs, Environ(), allow_empty=True, inputs_shared=True)
    with usage_errors(), progress(sys.stderr) as told:
        asked = asked._replace(progress=told, jobs=processes(options.jobs))
        base = Named(trees.base_name, asked, trees.base_commit)
        head = Named(trees.head_name, asked._replace(tree=trees.head), trees.head_commit)
        known = None if options.no_cache else pool(trees.head, options.selectors)
        if known:
            base, head = (one._replace(request=known.reminded(one.request)) for one in (base, head))
        found = diff(base, head, lambda extent: _check(extent, options))
        if known:
            known.save()
    _note_absence(trees)
    return _Answer(found, _protected(found, options.protected))


def _recalled(file: Path, options: Options) -> _Answer:
    if options.base is not None or options.merge_base or options.selectors or options.inputs:
        raise usage_error("--saved recalls what was compared before", "name nothing to compare beside it")
    try:
        found, protected = restored(file.read_bytes())
    except OSError as error:
        raise Failure("ET805", f"'{file}' cannot be read: {reason(error)}") from None
    except NoAnswerError:
        raise usage_error(
            f"'{file}' is no answer of envtree diff --format json", "save one with this version"
        ) from None
    return _Answer(found, _protected(found, options.protected) if options.protected else protected)


def _protected(found: Diff, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The bundles that differ, or may, and that nobody should touch unnoticed."""
    return tuple(filter(selector(map(_usual, patterns)), found.touched)) if patterns else ()


def _usual(pattern: str) -> str:
    match = _ENVIRONMENT_FIRST.fullmatch(pattern)
    return f"{match[2]}@{match[1]}" if match else pattern


def _check(extent: Extent, options: Options) -> None:
    """What is set or selected must be there on one side, or it does nothing, and a gate would always be open."""
    declared, known = extent
    for name in options.inputs:
        if declared is not None and name not in declared:
            raise UnknownInput(name, tuple(declared))
    environments = {f"**@{id.partition('@')[2]}" for id in known}
    for text in (*options.selectors, *options.protected):
        if known and not any(map(selector([_usual(text)]), known)):
            wider = widened(_usual(text), known)
            hint = f"did you mean '{wider}'?" if wider else did_you_mean(text, known | environments)
            raise usage_error(f"'{text}' selects no bundle of either tree", hint)


def _note_absence(trees: Sides) -> None:
    """Say why all is new, or gone: there may be a tree in another folder."""
    for tree, name in ((trees.base, trees.base_name), (trees.head, trees.head_name)):
        if isinstance(tree, RevisionTree) and tree.empty:
            err(printable(f"there is no organization.yaml in this folder at '{name}'") + "\n")


def _tell(answer: _Answer, options: Options) -> None:
    found, protected = answer
    if options.form == "json":
        out(json_document(diff_data(found, protected)))
    elif options.form == "markdown":
        out(markdown(found, protected, options.limit).encode())
    elif options.form == "mermaid":
        out(mermaid(changed_graph(found), DRAWN).encode())
    else:
        painted(sys.stdout, changes_text(found, color=colored(sys.stdout, options.color), whole=options.verbose))
        err(f"{sentence(found)}\n")
    if protected:
        err(f"{plural(len(protected), 'protected bundle')} would change, the first '{protected[0]}'\n")
    if found.errors:
        err(printable(f"{found.head} has errors, which 'envtree check' explains") + "\n")
