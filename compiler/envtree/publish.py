"""The last steps, from bundles to files: `emit`, and `write` or `compare`."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from envtree.artifact import Artifact, Manifest, Output, Receipt
from envtree.compare import compare, compare_archive
from envtree.diagnostic import Diagnostics
from envtree.emit import divide, emit, written
from envtree.fitting import check_templates, report
from envtree.pipeline import Outcome, Request, Result, Run
from envtree.write import pack, write

# Files by name and bytes.
Files = tuple[tuple[str, bytes], ...]
# Takes the bundles out of a run, and gives each back with the files that are to lie beside it.
Beside = Callable[[Run], Iterable[tuple[Result, Files]]]


def alone(run: Run) -> Iterator[tuple[Result, Files]]:
    """The bundles of a run, with no other files beside them."""
    return ((result, ()) for result in run.results())


class Places(NamedTuple):
    """Where a run writes, at one of the first two at least: to a folder, and the same to an archive.

    With `secret` these hold no secret, and that folder holds nothing else.
    """

    folder: Output | None
    archive: Output | None = None
    secret: Output | None = None

    @property
    def main(self) -> Output:
        """The first of the places."""
        output = self.folder or self.archive
        assert output is not None
        return output

    def of(self, run: Run, receipt: Callable[[Run], Receipt] | None) -> "Places":
        """The same places, as what a run writes there."""
        inputs, selects, made_from = run.inputs_read(), run.selects, receipt(run) if receipt else None
        return Places(*(one and one._replace(inputs=inputs, selects=selects, receipt=made_from) for one in self))


def publish(
    request: Request,
    places: Places,
    formats: frozenset[str],
    beside: Beside = alone,
    receipt: Callable[[Run], Receipt] | None = None,
) -> Outcome:
    """Check the selected bundles and write them, unless there is an error."""
    run = Run(request)
    places = places.of(run, receipt)
    apart: list[Artifact] = []
    artifacts = _artifacts(beside(run), run, places, formats, apart)

    def approve() -> bool:
        """Whether to write; the secret half is the first to be there, for the other one may say where it is."""
        agreed = not run.watch.found()
        return agreed and (places.secret is None or write(apart, places.secret, lambda: True) is not None)

    def onward(artifacts: Iterable[Artifact]) -> Manifest | None:
        if places.folder:
            return write(artifacts, places.folder, approve)
        records = {artifact.id: artifact.record() for artifact in artifacts}
        empty = Manifest(places.main.edition, places.main.mode, {}, {})
        return places.main.successor(empty, records) if approve() else None

    manifest = pack(artifacts, places.archive, onward) if places.archive else onward(artifacts)
    return run.outcome(manifest)


def rehearse(
    request: Request,
    places: Places,
    formats: frozenset[str],
    beside: Beside = alone,
    receipt: Callable[[Run], Receipt] | None = None,
) -> Outcome:
    """Check the selected bundles and compare them with what is written."""
    run = Run(request)
    places = places.of(run, receipt)
    apart: list[Artifact] = []
    artifacts = _artifacts(beside(run), run, places, formats, apart)

    def onward(artifacts: Iterable[Artifact]) -> list[str]:
        if places.folder:
            return compare(artifacts, places.folder)
        deque(artifacts, maxlen=0)
        return []

    found = compare_archive(artifacts, places.archive, onward) if places.archive else onward(artifacts)
    if places.secret:
        found += (f"{places.secret.folder}/{path}" for path in compare(apart, places.secret))
    return run.outcome(differences=tuple(found))


def _artifacts(
    results: Iterable[tuple[Result, Files]], run: Run, places: Places, formats: frozenset[str], apart: list[Artifact]
) -> Iterator[Artifact]:
    """The files of the bundles, as long as there is no error: nothing of a broken run is ever written.

    Secret halves are added to `apart`. What does not fit is told at the end, so that it is told of all bundles, and not
    only of the first.
    """
    wanted = run.writers(formats)
    check_templates(formats, wanted.settings, run.diags)
    unfit = Diagnostics()
    for result, files in results:
        if run.watch.found():
            # Nothing was decrypted for a broken tree.
            report(written(result.bundle, run.keyless_mode, wanted), result.resolved, unfit)
            continue
        if places.secret:
            artifact, secret, beside = divide(result.bundle, wanted)
            apart.append(secret)
        else:
            artifact, beside = emit(result.bundle, places.main.mode, wanted)
        report(beside, result.resolved, unfit)
        yield artifact._replace(files=(*artifact.files, *files))
    run.diags.extend(unfit)
