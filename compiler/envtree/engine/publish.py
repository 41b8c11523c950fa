"""The last steps, from bundles to files: `emit`, and `write` or `compare`."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from envtree.engine.by_project import Parted
from envtree.engine.run import Outcome, Request, Result, Run
from envtree.model.artifact import Artifact, Elsewhere, Manifest, Mode, Output, Put, Receipt, Together
from envtree.model.batching import in_batches
from envtree.model.formats import WHOLE
from envtree.model.manifest_records import project_of
from envtree.output.compare import compare, compare_archives
from envtree.output.emit import Writers, divide, emit, written
from envtree.output.format_findings import check_templates, report
from envtree.output.write import pack, write

# Files by name and bytes.
Files = tuple[tuple[str, bytes], ...]
# Takes the bundles out of a run, and gives each back with the files that are to lie beside it.
Beside = Callable[[Run], Iterable[tuple[Result, Files]]]
# Tells what the selected bundles of a run are made from: those of a project, or with an empty name all of them.
Receipts = Callable[[Run], Callable[[str], Receipt]]
# Stands for the name of a project in the path of archives.
PROJECT = "{project}"


def alone(run: Run) -> Iterator[tuple[Result, Files]]:
    """The bundles of a run, with no other files beside them."""
    return ((result, ()) for result in run.results())


class Places(NamedTuple):
    """Where a run writes, at one of the first two at least: to a folder, and the same to an archive.

    An archive whose path has PROJECT in it is one for each project; `receipts` tells what these are made from.
    With `secret` these hold no secret, and that folder holds nothing else.
    """

    folder: Output | None
    archive: Output | None = None
    secret: Output | None = None
    receipts: Callable[[str], Receipt] | None = None

    @property
    def main(self) -> Output:
        """The first of the places."""
        output = self.folder or self.archive
        assert output is not None
        return output

    def of(self, run: Run, receipts: Receipts | None) -> "Places":
        """The same places, as what a run writes there."""
        told = receipts(run) if receipts else None
        filled = self._with(inputs=run.inputs_read(), selects=run.selects, receipt=told("") if told else None)
        return filled._replace(receipts=told)

    def like(self, manifest: Manifest) -> "Places":
        """The same places, for the bundles of a manifest."""
        edition, mode, inputs, _, receipt, _ = manifest
        return self._with(edition=edition, mode=mode, inputs=inputs, receipt=receipt)

    def _with(self, **fields: Any) -> "Places":
        folder, archive, secret = (one and one._replace(**fields) for one in self[:3])
        return Places(folder, archive, secret, self.receipts)

    def archives(self, ids: Iterable[str]) -> dict[str, Output]:
        """The archives for bundles: one by the name of each project, or one of the empty name for all."""
        if self.archive is None:
            return {}
        path = str(self.archive.folder)
        if PROJECT not in path:
            return {"": self.archive}
        return {
            project: self.archive._replace(
                folder=Path(path.replace(PROJECT, project)), receipt=self.receipts(project) if self.receipts else None
            )
            for project in sorted(set(map(project_of, ids)))
        }

    def put(
        self,
        artifacts: Iterable[Artifact],
        ids: Iterable[str],
        approve: Callable[[], bool],
    ) -> Manifest | None:
        """Write the artifacts of bundles to the first two of the places, if `approve()` agrees after the last one."""

        def onward(artifacts: Iterable[Artifact]) -> Manifest | None:
            if self.folder:
                return write(artifacts, self.folder, approve)
            put = Put.of(artifacts)
            return self.main.successor(Manifest(self.main.edition, self.main.mode, {}), put) if approve() else None

        return pack(artifacts, self.archives(ids), onward) if self.archive else onward(artifacts)


class _Work(NamedTuple):
    """A run that has begun: where it writes, its artifacts as they are made, and the secret halves of those so far."""

    run: Run
    places: Places
    artifacts: Iterator[Artifact]
    apart: list[Artifact]


def _begin(
    request: Request, places: Places, formats: frozenset[str], beside: Beside, receipts: Receipts | None
) -> _Work:
    run = Run(request._replace(control_plane=request.control_plane or bool(formats & WHOLE)))
    told = places.of(run, receipts)
    apart: list[Artifact] = []
    wanted = run.writers(formats)
    check_templates(formats, wanted.settings, run.diags)
    artifacts = chain(_artifacts(beside(run), run, told, wanted, apart), _of_whole(run, formats))
    return _Work(run, told, artifacts, apart)


class _Parts(NamedTuple):
    """A run from project to project, where its bundles go, and how they are put there; and what is wrong, if anything.

    Of that None is known if it depends on where the first error is found.
    """

    run: Parted
    folder: Output
    together: Together
    wrong: Callable[[], Outcome | None]


def _parted(
    request: Request, places: Places, formats: frozenset[str], beside: Beside, receipts: Receipts | None
) -> _Parts | None:
    """A run from project to project; None where that is not possible.

    What goes into one file, or is kept for a second place, passes through one process, and so do files of the whole.
    Which bundles of an output are to go if not all are asked for, nobody knows before all projects have been read.
    """
    is_of_all = beside is alone and not (receipts or places.archive or places.secret or formats & WHOLE)
    parts = Parted(request) if is_of_all and places.folder and request.within is None else None
    if parts is None or not parts.is_possible(formats):
        return None
    told = places.of(parts.root, None)
    wanted = parts.root.writers(formats)
    check_templates(formats, wanted.settings, parts.root.diags)

    def stream(run: Run) -> Iterator[Artifact]:
        return in_batches(_artifacts(alone(run), run, told, wanted, []))

    return _Parts(parts, told.main, partial(parts.each, stream), partial(_wrong, request, formats, told.main.mode))


def _wrong(request: Request, formats: frozenset[str], mode: Mode) -> Outcome | None:
    """All that is wrong with a tree of which nothing can be written.

    Over an error nothing is decrypted any more, and bundles are looked at as they are without a key. That is the same
    for all of them if they are anyway, or if there is an error before the first of them.
    """
    parts = Parted(request._replace(decrypter=None, known=None), over_errors=True)
    if not parts.is_possible(formats):
        return None
    wanted = parts.root.writers(formats)
    check_templates(formats, wanted.settings, parts.root.diags)
    alike = request.decrypter is None and parts.root.keyless_mode == mode

    def looked_at(run: Run) -> Iterator[Result]:
        for result in run.results():
            report(written(result.bundle, run.keyless_mode, wanted), result.resolved, run.unfit)
            yield result
        run.diags.extend(run.unfit)

    done = parts.each(looked_at, lambda _, results: deque(results, maxlen=0) and None)
    return parts.outcome() if done is not None and (alike or parts.is_wrong) else None


def publish(
    request: Request,
    places: Places,
    formats: frozenset[str],
    beside: Beside = alone,
    receipts: Receipts | None = None,
) -> Outcome:
    """Check the selected bundles and write them, unless there is an error."""
    parts = _parted(request, places, formats, beside, receipts)
    if parts:
        known = request.known.manifest if request.known and parts.run.kept else None
        elsewhere = Elsewhere(parts.together, known, parts.run.still_kept)
        manifest = write((), parts.folder, lambda: parts.run.is_done, elsewhere=elsewhere)
        outcome = parts.run.outcome(manifest) if parts.run.is_done else parts.wrong()
        if outcome:
            return outcome
    run, places, artifacts, apart = _begin(request, places, formats, beside, receipts)

    def approve() -> bool:
        """Whether to write; the secret half is the first to be there, for the other one may say where it is."""
        agreed = not run.watch.found()
        return agreed and (places.secret is None or write(apart, places.secret, lambda: True) is not None)

    return run.outcome(places.put(artifacts, run.selected, approve))


def rehearse(
    request: Request,
    places: Places,
    formats: frozenset[str],
    beside: Beside = alone,
    receipts: Receipts | None = None,
) -> Outcome:
    """Check the selected bundles and compare them with what is written; over an error this tells no difference."""
    parts = _parted(request, places, formats, beside, receipts)
    if parts:
        differing = compare((), parts.folder, parts.together)
        outcome = parts.run.outcome() if parts.run.is_done else parts.wrong()
        if outcome:
            return outcome._replace(differences=tuple(differing) if parts.run.is_done else ())
    run, places, artifacts, apart = _begin(request, places, formats, beside, receipts)

    def onward(artifacts: Iterable[Artifact]) -> list[str]:
        if places.folder:
            return compare(artifacts, places.folder)
        deque(artifacts, maxlen=0)
        return []

    archives = places.archives(run.selected)
    found = compare_archives(artifacts, archives, onward) if places.archive else onward(artifacts)
    if places.secret:
        found += (f"{places.secret.folder}/{path}" for path in compare(apart, places.secret))
    return run.outcome(differences=() if run.watch.found() else tuple(found))


def _artifacts(
    results: Iterable[tuple[Result, Files]], run: Run, places: Places, wanted: Writers, apart: list[Artifact]
) -> Iterator[Artifact]:
    """The files of the bundles, as long as there is no error: nothing of a broken run is ever written.

    Secret halves are added to `apart`. What does not fit is told at the end, so that it is told of all bundles, and not
    only of the first.
    """
    unfit = run.unfit
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
        yield artifact._replace(files=(*artifact.files, *files)) if files else artifact
    run.diags.extend(unfit)


def _of_whole(run: Run, formats: frozenset[str]) -> Iterator[Artifact]:
    """The files of the whole tree, after those of its bundles."""
    if run.workspace and run.desired is not None and formats & WHOLE and not run.watch.found():
        from envtree.controlplane.desired.whole import whole  # noqa: PLC0415

        yield whole(run.workspace.organization, run.desired, formats, run.diags)
