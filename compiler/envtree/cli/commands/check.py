"""Implementation of `envtree check`: findings on stdout and in files, a summary on stderr."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.changed_since import limit_to_affected
from envtree.cli.support.exits import ExitCode, exit_code_for
from envtree.cli.support.options import usage_error
from envtree.cli.support.progress import show_progress
from envtree.cli.support.report_output import report_files
from envtree.cli.support.session import (
    Environ,
    ReportPrinter,
    build_report,
    effective_format,
    make_render_options,
    open_tree,
    report_errors_as,
    translate_input_errors,
    tree_request,
)
from envtree.diagnostics.codes import CODES
from envtree.diagnostics.summary import RunReport, count_summary, plural
from envtree.engine.cache.replay_cache import ReplayCache
from envtree.engine.check import check
from envtree.engine.request import Request
from envtree.frontend.schemas import Schemas
from envtree.refactor.fix import FixResult, fix, plan_changes, render_diff, write_changes
from envtree.sources.tree import DirectoryTree
from envtree.system.console import err, out
from envtree.system.workers import process_count


class CheckOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    selectors: tuple[str, ...]
    form: str | None
    output: Path | None
    reports: tuple[tuple[str, Path], ...]
    fix: bool
    diff: bool
    since: str | None
    exit_zero: bool
    strict: bool
    allow_empty: bool
    inputs: dict[str, str]
    jobs: int | None
    color: str
    quiet: bool
    statistics: bool
    show_all: bool
    verbose: bool
    replay_cache: ReplayCache | None


def run(options: CheckOptions) -> ExitCode:
    """Check the tree and report the findings."""
    if options.diff and not options.fix:
        raise usage_error("--diff goes with --fix", "to compare with what is compiled, use envtree compile --check")
    if options.statistics and effective_format(options.form) not in ("text", "json"):
        raise usage_error("--statistics is for text and JSON", "leave it out, or write --output-format text")
    with report_errors_as(options.form):
        tree = open_tree(options.directory)
    output = ((effective_format(options.form), options.output),) if options.output else ()
    files = report_files((*output, *options.reports), tree.root)
    # The replay depends on the source lines that are shown, so they are read through the recording tree.
    recorded_tree = options.replay_cache.tree if options.replay_cache else tree
    render_options = make_render_options(recorded_tree, strict=options.strict, verbose=options.verbose)
    with report_errors_as("text" if options.output else options.form, files, render_options):
        with translate_input_errors(), show_progress(sys.stderr) as progress:
            request = _make_request(tree, options)._replace(progress=progress, jobs=process_count(options.jobs))
            request = options.replay_cache.with_project_cache(request) if options.replay_cache else request
            fix_result = fix(request) if options.fix else FixResult((), check(request), 0)
        if options.diff:
            out(render_diff(fix_result.changes))
            if not fix_result.changes:
                err(f"nothing to mend: {count_summary(build_report(fix_result.outcome))}\n")
            return ExitCode.FAILURE if fix_result.changes and not options.exit_zero else ExitCode.OK
        write_changes(fix_result.changes, tree.root)
    printer = ReportPrinter(
        render_options,
        form=options.form,
        color=options.color,
        stream=sys.stdout,
        files=files,
        quiet=options.output is not None,
        shows_all=options.show_all,
    )

    def report() -> int:
        return _report_outcome(options, fix_result, tree, printer)

    return ExitCode(
        options.replay_cache.report_and_store(fix_result.outcome, None, report) if options.replay_cache else report()
    )


def _report_outcome(
    options: CheckOptions, fix_result: FixResult, tree: DirectoryTree, printer: ReportPrinter
) -> ExitCode:
    report = build_report(fix_result.outcome)._replace(counts_codes=options.statistics)
    printer.print_report(report)
    changed = f"changed {plural(len(fix_result.changes), 'file')}, " if options.fix else ""
    scope = _checked_scope(report, len(fix_result.outcome.selected), options)
    if not options.quiet:
        note = _fixable_note(report, tree, options)
        printer.print_summary(report, f"{changed}{scope}: {count_summary(report)}{note}")
    return ExitCode.OK if options.exit_zero else exit_code_for(report.findings, strict=options.strict)


def _fixable_note(report: RunReport, tree: DirectoryTree, options: CheckOptions) -> str:
    """Say how many files --fix may change; the tree is read again only if there is a fixable finding."""
    has_fixable = not options.fix and any(CODES[finding.diagnostic.code].fixable for finding in report.findings)
    count = len(plan_changes(report.findings, tree, Schemas())) if has_fixable else 0
    return f" (--fix may mend {plural(count, 'file')})" if count else ""


def _checked_scope(report: RunReport, selected: int, options: CheckOptions) -> str:
    """Describe how many of the selected bundles were checked."""
    checked = len(report.checked_bundles)
    if options.since is not None and not selected:
        return f"no bundle is affected since {options.since}"
    if selected and not checked:
        return f"checked none of {plural(selected, 'bundle')}, errors spoil {'it' if selected == 1 else 'them'}"
    if checked < selected:
        return f"checked {checked} of {plural(selected, 'bundle')}, errors spoil the others"
    return f"checked {plural(checked, 'bundle')} of {plural(report.agent_count, 'agent')}"


def _make_request(tree: DirectoryTree, options: CheckOptions) -> Request:
    request = tree_request(
        tree,
        selectors=options.selectors,
        inputs=options.inputs,
        environ=Environ(),
        allow_empty=options.allow_empty,
    )
    return limit_to_affected(request, options.since) if options.since is not None else request
