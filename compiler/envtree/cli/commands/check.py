"""`envtree check`: findings on stdout and in files, their number on stderr."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err, out
from envtree.cli.support.exits import Exit, verdict
from envtree.cli.support.options import usage_error
from envtree.cli.support.progress import progress
from envtree.cli.support.reports import report_files
from envtree.cli.support.session import Environ, Messages, chosen, open_tree, report_of, telling, usage_errors, view_of
from envtree.cli.support.since import affected_since
from envtree.engine.cache.replay import Memory
from envtree.engine.check import check
from envtree.engine.run import Request
from envtree.frontend.schemas import Schemas
from envtree.refactor.fix import MENDABLE, Fixed, apply, diff, fix, plan
from envtree.report import Report, plural, tally
from envtree.sources.tree import DirectoryTree
from envtree.system.workers import processes


class Options(NamedTuple):
    """The command line."""

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
    verbose: bool
    memory: Memory | None


def run(options: Options) -> Exit:
    """Check the tree and tell what was found."""
    if options.diff and not options.fix:
        raise usage_error("--diff goes with --fix", "to compare with what is compiled, use envtree compile --check")
    with telling(options.form):
        tree = open_tree(options.directory)
    own = ((chosen(options.form), options.output),) if options.output else ()
    files = report_files((*own, *options.reports), tree.root)
    # The lines that are shown are remembered, too.
    shown = options.memory.tree if options.memory else tree
    view = view_of(shown, strict=options.strict, verbose=options.verbose)
    with telling("text" if options.output else options.form, files, view):
        with usage_errors(), progress(sys.stderr) as told:
            request = _request(tree, options)._replace(progress=told, jobs=processes(options.jobs))
            request = options.memory.reminded(request) if options.memory else request
            fixed = fix(request) if options.fix else Fixed((), check(request), 0)
        if options.diff:
            out(diff(fixed.changes))
            if not fixed.changes:
                err(f"nothing to mend: {tally(report_of(fixed.outcome))}\n")
            return Exit.FOUND if fixed.changes and not options.exit_zero else Exit.OK
        apply(fixed.changes, tree.root)
    messages = Messages(view, options.form, options.color, sys.stdout, files, quiet=options.output is not None)

    def say() -> int:
        return _conclude(options, fixed, tree, messages)

    return Exit(options.memory.conclude(fixed.outcome, None, say) if options.memory else say())


def _conclude(options: Options, fixed: Fixed, tree: DirectoryTree, messages: Messages) -> Exit:
    report = report_of(fixed.outcome)
    messages.tell(report)
    changed = f"changed {plural(len(fixed.changes), 'file')}, " if options.fix else ""
    scope = _scope(report, len(fixed.outcome.selected), options)
    messages.conclude(report, f"{changed}{scope}: {tally(report)}{_mendable(report, tree, options)}")
    return Exit.OK if options.exit_zero else verdict(report.findings, strict=options.strict)


def _mendable(report: Report, tree: DirectoryTree, options: Options) -> str:
    """How many files --fix would try to mend; the tree is read again only if a finding is of that kind."""
    mendable = not options.fix and any(finding.diagnostic.code in MENDABLE for finding in report.findings)
    count = len(plan(report.findings, tree, Schemas())) if mendable else 0
    return f" (--fix may mend {plural(count, 'file')})" if count else ""


def _scope(report: Report, selected: int, options: Options) -> str:
    """How much of what was asked for could be checked."""
    checked = len(report.checked)
    if options.since is not None and not selected:
        return f"no bundle is affected since {options.since}"
    if selected and not checked:
        return f"checked none of {plural(selected, 'bundle')}, errors spoil {'it' if selected == 1 else 'them'}"
    if checked < selected:
        return f"checked {checked} of {plural(selected, 'bundle')}, errors spoil the others"
    return f"checked {plural(checked, 'bundle')} of {plural(report.agents, 'agent')}"


def _request(tree: DirectoryTree, options: Options) -> Request:
    request = Request(tree, options.selectors, options.inputs, Environ(), allow_empty=options.allow_empty)
    return affected_since(request, options.since) if options.since is not None else request
