"""`check`: everything that can be known about the bundles, and nothing written."""

from collections import deque
from collections.abc import Iterable, Iterator

from envtree.engine.by_project import Parted
from envtree.engine.run import Outcome, Request, Result, Run
from envtree.model.formats import WHOLE
from envtree.output.emit import Writers, written
from envtree.output.format_findings import report


def check(request: Request) -> Outcome:
    """Everything that can be known about the selected bundles."""
    # A tree with an error is never worth a key, wherever that is.
    parts = Parted(request, over_errors=request.decrypter is None)
    if parts.is_possible():
        wanted = parts.root.writers()
        if parts.each(lambda run: examined(run, wanted), _look) is not None:
            return parts.outcome()
    run = Run(request)
    _look(0, examined(run, run.writers()))
    return run.outcome()


def examined(run: Run, wanted: Writers) -> Iterator[Result]:
    """The bundles of a run, each of which has been tried in all that would be written."""
    for result in run.results():
        if wanted.formats or wanted.templates or wanted.settings.env:
            report(written(result.bundle, run.keyless_mode, wanted), result.resolved, run.diags)
        yield result
    if run.workspace and run.desired is not None:
        from envtree.controlplane.desired.whole import whole  # noqa: PLC0415

        settings = run.workspace.organization
        whole(settings, run.desired, WHOLE.intersection(settings.output.formats), run.diags)


def _look(_: int, results: Iterable[Result]) -> None:
    deque(results, maxlen=0)
