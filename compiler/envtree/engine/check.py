"""`check`: everything that can be known about the bundles, and nothing written."""

from collections import deque
from collections.abc import Iterable, Iterator

from envtree.engine.by_project import ProjectRunner
from envtree.engine.request import BundleResult, Request, RunOutcome
from envtree.engine.run import Run
from envtree.model.formats import WHOLE_TREE_FORMATS
from envtree.output.emit import Writers, write_formats
from envtree.output.format_findings import report_format_problems


def check(request: Request) -> RunOutcome:
    """Everything that can be known about the selected bundles."""
    # A tree with an error is never worth a key, wherever that is.
    parts = ProjectRunner(request, continue_on_error=request.decrypter is None)
    if parts.is_possible():
        wanted = parts.root.select_writers()
        if parts.run_all(lambda run: check_results(run, wanted), _exhaust) is not None:
            return parts.outcome()
    run = Run(request)
    _exhaust(0, check_results(run, run.select_writers()))
    return run.outcome()


def check_results(run: Run, writers: Writers) -> Iterator[BundleResult]:
    """The bundles of a run, each of which has been tried in all that would be written."""
    for result in run.results():
        if writers.formats or writers.templates or writers.settings.env_patterns:
            report_format_problems(write_formats(result.bundle, run.keyless_mode, writers), result.resolved, run.diags)
        yield result
    if run.workspace and run.desired is not None:
        settings = run.workspace.organization
        formats = WHOLE_TREE_FORMATS.intersection(settings.output.formats)
        run.whole_tree_stage.emit(settings, run.desired, formats, run.diags)


def _exhaust(_: int, results: Iterable[BundleResult]) -> None:
    deque(results, maxlen=0)
