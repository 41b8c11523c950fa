"""The last steps, from bundles to files: `emit`, and `write` or `compare`."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from envtree.engine.by_project import ProjectRunner
from envtree.engine.request import BundleResult, Request, RunOutcome
from envtree.engine.run import Run
from envtree.model.artifact import (
    Artifact,
    IncrementalWrite,
    Manifest,
    Output,
    Receipt,
    SecretsMode,
    ShardedArtifacts,
    WrittenRecords,
)
from envtree.model.batching import in_batches
from envtree.model.formats import WHOLE_TREE_FORMATS
from envtree.model.manifest_records import project_of
from envtree.output.compare import compare, compare_archives
from envtree.output.emit import Writers, emit, emit_split, write_formats
from envtree.output.format_findings import check_templates, report_format_problems
from envtree.output.write import pack, write

# Files by name and bytes.
FileContents = tuple[tuple[str, bytes], ...]
# Takes the bundles out of a run, and gives each back with the files that are to lie beside it.
AddFiles = Callable[[Run], Iterable[tuple[BundleResult, FileContents]]]
# Tells what the selected bundles of a run are made from: those of a project, or with an empty name all of them.
ReceiptFactory = Callable[[Run], Callable[[str], Receipt]]
# Stands for the name of a project in the path of archives.
PROJECT_PLACEHOLDER = "{project}"


def without_extra_files(run: Run) -> Iterator[tuple[BundleResult, FileContents]]:
    """The bundles of a run, with no other files beside them."""
    return ((result, ()) for result in run.results())


class Destinations(NamedTuple):
    """Where a run writes, at one of the first two at least: to a folder, and the same to an archive.

    An archive whose path has PROJECT in it is one for each project; `receipts` tells what these are made from.
    With `secret` these hold no secret, and that folder holds nothing else.
    """

    folder: Output | None
    archive: Output | None = None
    secret: Output | None = None
    make_receipt: Callable[[str], Receipt] | None = None

    @property
    def primary(self) -> Output:
        """The first of the places."""
        output = self.folder or self.archive
        assert output is not None
        return output

    def for_run(self, run: Run, receipt_factory: ReceiptFactory | None) -> "Destinations":
        """The same places, as what a run writes there."""
        told = receipt_factory(run) if receipt_factory else None
        filled = self._with_fields(
            inputs=run.recorded_inputs(), is_selected=run.is_selected, receipt=told("") if told else None
        )
        return filled._replace(make_receipt=told)

    def for_manifest(self, manifest: Manifest) -> "Destinations":
        """The same places, for the bundles of a manifest."""
        edition, mode, inputs, _, receipt, _ = manifest
        return self._with_fields(edition=edition, mode=mode, inputs=inputs, receipt=receipt)

    def _with_fields(self, **fields: Any) -> "Destinations":
        folder, archive, secret = (one and one._replace(**fields) for one in self[:3])
        return Destinations(folder, archive, secret, self.make_receipt)

    def archives(self, ids: Iterable[str]) -> dict[str, Output]:
        """The archives for bundles: one by the name of each project, or one of the empty name for all."""
        if self.archive is None:
            return {}
        path = str(self.archive.folder)
        if PROJECT_PLACEHOLDER not in path:
            return {"": self.archive}
        return {
            project: self.archive._replace(
                folder=Path(path.replace(PROJECT_PLACEHOLDER, project)),
                receipt=self.make_receipt(project) if self.make_receipt else None,
            )
            for project in sorted(set(map(project_of, ids)))
        }

    def write(
        self,
        artifacts: Iterable[Artifact],
        ids: Iterable[str],
        approve: Callable[[], bool],
    ) -> Manifest | None:
        """Write the artifacts of bundles to the first two of the places, if `approve()` agrees after the last one."""

        def onward(artifacts: Iterable[Artifact]) -> Manifest | None:
            if self.folder:
                return write(artifacts, self.folder, approve)
            put = WrittenRecords.from_artifacts(artifacts)
            return (
                self.primary.next_manifest(Manifest(self.primary.edition, self.primary.mode, {}), put)
                if approve()
                else None
            )

        return pack(artifacts, self.archives(ids), onward) if self.archive else onward(artifacts)


class _WholeRun(NamedTuple):
    """A run that has begun: where it writes, its artifacts as they are made, and the secret halves of those so far."""

    run: Run
    destinations: Destinations
    artifacts: Iterator[Artifact]
    secret_artifacts: list[Artifact]


def _start_whole_run(
    request: Request,
    destinations: Destinations,
    formats: frozenset[str],
    add_files: AddFiles,
    receipt_factory: ReceiptFactory | None,
) -> _WholeRun:
    run = Run(request._replace(control_plane=request.control_plane or bool(formats & WHOLE_TREE_FORMATS)))
    told = destinations.for_run(run, receipt_factory)
    apart: list[Artifact] = []
    wanted = run.select_writers(formats)
    check_templates(formats, wanted.settings, run.diags)
    artifacts = chain(_emit_artifacts(add_files(run), run, told, wanted, apart), _emit_whole_tree(run, formats))
    return _WholeRun(run, told, artifacts, apart)


class _ProjectRun(NamedTuple):
    """A run from project to project, where its bundles go, and how they are put there; and what is wrong, if anything.

    Of that None is known if it depends on where the first error is found.
    """

    runner: ProjectRunner
    folder: Output
    sharded_artifacts: ShardedArtifacts
    error_outcome: Callable[[], RunOutcome | None]


def _start_project_run(
    request: Request,
    destinations: Destinations,
    formats: frozenset[str],
    add_files: AddFiles,
    receipt_factory: ReceiptFactory | None,
) -> _ProjectRun | None:
    """A run from project to project; None where that is not possible.

    What goes into one file, or is kept for a second place, passes through one process, and so do files of the whole.
    Which bundles of an output are to go if not all are asked for, nobody knows before all projects have been read.
    """
    is_of_all = add_files is without_extra_files and not (
        receipt_factory or destinations.archive or destinations.secret or formats & WHOLE_TREE_FORMATS
    )
    parts = ProjectRunner(request) if is_of_all and destinations.folder and request.restrict_ids is None else None
    if parts is None or not parts.is_possible(formats):
        return None
    told = destinations.for_run(parts.root, None)
    wanted = parts.root.select_writers(formats)
    check_templates(formats, wanted.settings, parts.root.diags)

    def stream(run: Run) -> Iterator[Artifact]:
        return in_batches(_emit_artifacts(without_extra_files(run), run, told, wanted, []))

    return _ProjectRun(
        parts,
        told.primary,
        partial(parts.run_all, stream),
        partial(_error_outcome, request, formats, told.primary.mode),
    )


def _error_outcome(request: Request, formats: frozenset[str], mode: SecretsMode) -> RunOutcome | None:
    """All that is wrong with a tree of which nothing can be written.

    Over an error nothing is decrypted any more, and bundles are looked at as they are without a key. That is the same
    for all of them if they are anyway, or if there is an error before the first of them.
    """
    parts = ProjectRunner(request._replace(decrypter=None, project_cache=None), continue_on_error=True)
    if not parts.is_possible(formats):
        return None
    wanted = parts.root.select_writers(formats)
    check_templates(formats, wanted.settings, parts.root.diags)
    alike = request.decrypter is None and parts.root.keyless_mode == mode

    def looked_at(run: Run) -> Iterator[BundleResult]:
        for result in run.results():
            report_format_problems(
                write_formats(result.bundle, run.keyless_mode, wanted), result.resolved, run.format_diags
            )
            yield result
        run.diags.extend(run.format_diags)

    done = parts.run_all(looked_at, lambda _, results: deque(results, maxlen=0) and None)
    return parts.outcome() if done is not None and (alike or parts.has_errors) else None


def publish(
    request: Request,
    destinations: Destinations,
    formats: frozenset[str],
    add_files: AddFiles = without_extra_files,
    receipt_factory: ReceiptFactory | None = None,
) -> RunOutcome:
    """Check the selected bundles and write them, unless there is an error."""
    parts = _start_project_run(request, destinations, formats, add_files, receipt_factory)
    if parts:
        known = request.project_cache.manifest_digest if request.project_cache and parts.runner.cached_results else None
        elsewhere = IncrementalWrite(parts.sharded_artifacts, known, parts.runner.reusable_projects)
        manifest = write((), parts.folder, lambda: parts.runner.is_done, incremental=elsewhere)
        outcome = parts.runner.outcome(manifest) if parts.runner.is_done else parts.error_outcome()
        if outcome:
            return outcome
    run, destinations, artifacts, apart = _start_whole_run(request, destinations, formats, add_files, receipt_factory)

    def approve() -> bool:
        """Whether to write; the secret half is the first to be there, for the other one may say where it is."""
        agreed = not run.error_monitor.has_errors()
        return agreed and (destinations.secret is None or write(apart, destinations.secret, lambda: True) is not None)

    return run.outcome(destinations.write(artifacts, run.selected, approve))


def check_outputs(
    request: Request,
    destinations: Destinations,
    formats: frozenset[str],
    add_files: AddFiles = without_extra_files,
    receipt_factory: ReceiptFactory | None = None,
) -> RunOutcome:
    """Check the selected bundles and compare them with what is written; over an error this tells no difference."""
    parts = _start_project_run(request, destinations, formats, add_files, receipt_factory)
    if parts:
        differing = compare((), parts.folder, parts.sharded_artifacts)
        outcome = parts.runner.outcome() if parts.runner.is_done else parts.error_outcome()
        if outcome:
            return outcome._replace(differences=tuple(differing) if parts.runner.is_done else ())
    run, destinations, artifacts, apart = _start_whole_run(request, destinations, formats, add_files, receipt_factory)

    def onward(artifacts: Iterable[Artifact]) -> list[str]:
        if destinations.folder:
            return compare(artifacts, destinations.folder)
        deque(artifacts, maxlen=0)
        return []

    archives = destinations.archives(run.selected)
    found = compare_archives(artifacts, archives, onward) if destinations.archive else onward(artifacts)
    if destinations.secret:
        found += (f"{destinations.secret.folder}/{path}" for path in compare(apart, destinations.secret))
    return run.outcome(differences=() if run.error_monitor.has_errors() else tuple(found))


def _emit_artifacts(
    results: Iterable[tuple[BundleResult, FileContents]],
    run: Run,
    destinations: Destinations,
    writers: Writers,
    secret_artifacts: list[Artifact],
) -> Iterator[Artifact]:
    """The files of the bundles, as long as there is no error: nothing of a broken run is ever written.

    Secret halves are added to `apart`. What does not fit is told at the end, so that it is told of all bundles, and not
    only of the first.
    """
    unfit = run.format_diags
    for result, files in results:
        if run.error_monitor.has_errors():
            # Nothing was decrypted for a broken tree.
            report_format_problems(write_formats(result.bundle, run.keyless_mode, writers), result.resolved, unfit)
            continue
        if destinations.secret:
            artifact, secret, beside = emit_split(result.bundle, writers)
            secret_artifacts.append(secret)
        else:
            artifact, beside = emit(result.bundle, destinations.primary.mode, writers)
        report_format_problems(beside, result.resolved, unfit)
        yield artifact._replace(files=(*artifact.files, *files)) if files else artifact
    run.diags.extend(unfit)


def _emit_whole_tree(run: Run, formats: frozenset[str]) -> Iterator[Artifact]:
    """The files of the whole tree, after those of its bundles."""
    if (
        run.workspace
        and run.desired is not None
        and formats & WHOLE_TREE_FORMATS
        and not run.error_monitor.has_errors()
    ):
        yield run.whole_tree_stage.emit(run.workspace.organization, run.desired, formats, run.diags)
