"""`check`: compute and check all bundles without writing anything."""

from collections import deque
from collections.abc import Iterable, Iterator

from envtree.engine.by_project import ProjectRunner
from envtree.engine.request import BundleResult, Request, RunOutcome
from envtree.engine.run import Run
from envtree.model.formats import WHOLE_TREE_FORMATS
from envtree.output.emit import Writers, write_formats
from envtree.output.format_findings import report_format_problems


def check(request: Request) -> RunOutcome:
    """Return the findings about the selected bundles."""
    # With a decrypter, end at the first error: a tree with an error must never need a key.
    runner = ProjectRunner(request, continue_on_error=request.decrypter is None)
    if runner.is_possible():
        writers = runner.root.select_writers()
        if runner.run_all(lambda run: check_results(run, writers), _exhaust) is not None:
            return runner.outcome()
    run = Run(request)
    _exhaust(0, check_results(run, run.select_writers()))
    return run.outcome()


def check_results(run: Run, writers: Writers) -> Iterator[BundleResult]:
    """Yield the bundles of a run, after checking that each fits all formats and templates."""
    for result in run.results():
        if writers.formats or writers.templates or writers.settings.env_patterns:
            format_result = write_formats(result.bundle, run.keyless_mode, writers)
            report_format_problems(format_result, result.resolved, run.allowed_names, run.diags)
        yield result
    if run.workspace and run.desired is not None:
        organization = run.workspace.organization
        formats = WHOLE_TREE_FORMATS.intersection(organization.output.formats)
        run.whole_tree_stage.emit(organization, run.desired, formats, run.diags)


def _exhaust(_: int, results: Iterable[BundleResult]) -> None:
    deque(results, maxlen=0)
