"""The last stages, from bundles to files: `emit`, and `write` or `compare`."""

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
# Computes the bundles of a run, and yields each with further files to write beside it.
AddFiles = Callable[[Run], Iterable[tuple[BundleResult, FileContents]]]
# Makes a function that returns the receipt of the selected bundles of a project, or of all for the empty name.
ReceiptFactory = Callable[[Run], Callable[[str], Receipt]]
# Replaced by the name of a project in the path of an archive.
PROJECT_PLACEHOLDER = "{project}"


def without_extra_files(run: Run) -> Iterator[tuple[BundleResult, FileContents]]:
    """Return the bundles of a run without further files beside them."""
    return ((result, ()) for result in run.results())


class Destinations(NamedTuple):
    """The outputs of a run: a folder, an archive with the same files, or both.

    An archive whose path contains `PROJECT_PLACEHOLDER` is written for each project; `make_receipt` returns the receipt
    of a project. With `secret`, the other outputs contain no secret, and the folder `secret` contains nothing else.
    """

    folder: Output | None
    archive: Output | None = None
    secret: Output | None = None
    make_receipt: Callable[[str], Receipt] | None = None

    @property
    def primary(self) -> Output:
        """The folder, or else the archive."""
        output = self.folder or self.archive
        assert output is not None
        return output

    def for_run(self, run: Run, receipt_factory: ReceiptFactory | None) -> "Destinations":
        """Return the same destinations with the fields of a run."""
        make_receipt = receipt_factory(run) if receipt_factory else None
        destinations = self._with_fields(
            inputs=run.recorded_inputs(),
            is_selected=run.is_selected,
            receipt=make_receipt("") if make_receipt else None,
        )
        return destinations._replace(make_receipt=make_receipt)

    def for_manifest(self, manifest: Manifest) -> "Destinations":
        """Return the same destinations with the fields of a manifest."""
        edition, mode, inputs, _, receipt, _ = manifest
        return self._with_fields(edition=edition, mode=mode, inputs=inputs, receipt=receipt)

    def _with_fields(self, **fields: Any) -> "Destinations":
        folder, archive, secret = (output and output._replace(**fields) for output in self[:3])
        return Destinations(folder, archive, secret, self.make_receipt)

    def archives(self, ids: Iterable[str]) -> dict[str, Output]:
        """Return the archives for bundles: one by the name of each project, or one with the empty name for all."""
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
        """Write the artifacts of bundles to the folder and archive, if `approve()` agrees after the last artifact."""

        def consume(artifacts: Iterable[Artifact]) -> Manifest | None:
            if self.folder:
                return write(artifacts, self.folder, approve)
            records = WrittenRecords.from_artifacts(artifacts)
            if not approve():
                return None
            return self.primary.next_manifest(Manifest(self.primary.edition, self.primary.mode, {}), records)

        return pack(artifacts, self.archives(ids), consume) if self.archive else consume(artifacts)


class CompilePlan(NamedTuple):
    """What a run compiles, and where and in which formats it writes that; `add_files` adds files to each bundle."""

    request: Request
    destinations: Destinations
    formats: frozenset[str]
    add_files: AddFiles = without_extra_files
    receipt_factory: ReceiptFactory | None = None


class _WholeRun(NamedTuple):
    """A run in progress: its destinations, the stream of its artifacts, and their secret halves so far."""

    run: Run
    destinations: Destinations
    artifacts: Iterator[Artifact]
    secret_artifacts: list[Artifact]


def _start_whole_run(plan: CompilePlan) -> _WholeRun:
    request, destinations, formats, add_files, receipt_factory = plan
    run = Run(request._replace(control_plane=request.control_plane or bool(formats & WHOLE_TREE_FORMATS)))
    destinations = destinations.for_run(run, receipt_factory)
    secret_artifacts: list[Artifact] = []
    writers = run.select_writers(formats)
    check_templates(formats, writers.settings, run.diags)
    artifacts = chain(
        _emit_artifacts(add_files(run), run, destinations, writers, secret_artifacts), _emit_whole_tree(run, formats)
    )
    return _WholeRun(run, destinations, artifacts, secret_artifacts)


class _ProjectRun(NamedTuple):
    """A run project by project: its output folder, the producer of its artifacts, and its outcome in case of an error.

    `error_outcome` returns None if the findings depend on which error comes first.
    """

    runner: ProjectRunner
    folder: Output
    sharded_artifacts: ShardedArtifacts
    error_outcome: Callable[[], RunOutcome | None]


def _start_project_run(plan: CompilePlan) -> _ProjectRun | None:
    """Return a run project by project, or None where that is not possible.

    It is not possible for archives, a secret folder and files of the whole tree, which must pass through one process,
    and not with `restrict_ids`, as the bundles to remove from the output are unknown until all projects are read.
    """
    request, destinations, formats, add_files, receipt_factory = plan
    is_supported = add_files is without_extra_files and not (
        receipt_factory or destinations.archive or destinations.secret or formats & WHOLE_TREE_FORMATS
    )
    if not is_supported or not destinations.folder or request.restrict_ids is not None:
        return None
    runner = ProjectRunner(request)
    if not runner.is_possible(formats):
        return None
    destinations = destinations.for_run(runner.root, None)
    writers = runner.root.select_writers(formats)
    check_templates(formats, writers.settings, runner.root.diags)

    def stream(run: Run) -> Iterator[Artifact]:
        return in_batches(_emit_artifacts(without_extra_files(run), run, destinations, writers, []))

    return _ProjectRun(
        runner,
        destinations.primary,
        partial(runner.run_all, stream),
        partial(_error_outcome, request, formats, destinations.primary.mode),
    )


def _error_outcome(request: Request, formats: frozenset[str], mode: SecretsMode) -> RunOutcome | None:
    """Return all findings of a tree with an error, of which nothing is written.

    After an error nothing is decrypted any more, and bundles are checked as in a run without a key. If that does not
    apply to all bundles, because the run has a key and no error comes before the first bundle, the findings depend on
    which error comes first, and the result is None.
    """
    runner = ProjectRunner(request._replace(decrypter=None, project_cache=None), continue_on_error=True)
    if not runner.is_possible(formats):
        return None
    writers = runner.root.select_writers(formats)
    check_templates(formats, writers.settings, runner.root.diags)
    is_keyless = request.decrypter is None and runner.root.keyless_mode == mode

    def checked_results(run: Run) -> Iterator[BundleResult]:
        for result in run.results():
            format_result = write_formats(result.bundle, run.keyless_mode, writers)
            report_format_problems(format_result, result.resolved, run.allowed_names, run.format_diags)
            yield result
        run.diags.extend(run.format_diags)

    shares = runner.run_all(checked_results, lambda _, results: deque(results, maxlen=0) and None)
    return runner.outcome() if shares is not None and (is_keyless or runner.has_errors) else None


def publish(plan: CompilePlan) -> RunOutcome:
    """Check the selected bundles and write them, unless there is an error."""
    return _run(plan, partial(_write_by_project, plan.request), _write_whole)


def check_outputs(plan: CompilePlan) -> RunOutcome:
    """Check the selected bundles and compare them with the output on disk; with an error, no difference is reported."""
    return _run(plan, _compare_by_project, _compare_whole)


def _run(
    plan: CompilePlan,
    by_project: Callable[[_ProjectRun], RunOutcome | None],
    whole: Callable[[_WholeRun], RunOutcome],
) -> RunOutcome:
    """Run project by project where that is possible and has an outcome, else as a whole."""
    project_run = _start_project_run(plan)
    outcome = by_project(project_run) if project_run else None
    return outcome or whole(_start_whole_run(plan))


def _write_by_project(request: Request, project_run: _ProjectRun) -> RunOutcome | None:
    runner, project_cache = project_run.runner, request.project_cache
    previous_digest = project_cache.manifest_digest if project_cache and runner.cached_results else None
    incremental = IncrementalWrite(project_run.sharded_artifacts, previous_digest, runner.reusable_projects)
    manifest = write((), project_run.folder, lambda: runner.is_done, incremental=incremental)
    return runner.outcome(manifest) if runner.is_done else project_run.error_outcome()


def _write_whole(whole_run: _WholeRun) -> RunOutcome:
    run, secret = whole_run.run, whole_run.destinations.secret

    def approve() -> bool:
        """Return whether to write; write the secret half first, because the public half may say where it is."""
        if run.error_monitor.has_errors():
            return False
        return secret is None or write(whole_run.secret_artifacts, secret, lambda: True) is not None

    return run.outcome(whole_run.destinations.write(whole_run.artifacts, run.selected, approve))


def _compare_by_project(project_run: _ProjectRun) -> RunOutcome | None:
    runner = project_run.runner
    differing = compare((), project_run.folder, project_run.sharded_artifacts)
    if runner.is_done:
        return runner.outcome()._replace(differences=tuple(differing))
    outcome = project_run.error_outcome()
    return outcome and outcome._replace(differences=())


def _compare_whole(whole_run: _WholeRun) -> RunOutcome:
    run, artifacts = whole_run.run, whole_run.artifacts
    folder, archive, secret, _ = whole_run.destinations

    def compare_folder(artifacts: Iterable[Artifact]) -> list[str]:
        if folder:
            return compare(artifacts, folder)
        deque(artifacts, maxlen=0)
        return []

    archives = whole_run.destinations.archives(run.selected)
    differing = compare_archives(artifacts, archives, compare_folder) if archive else compare_folder(artifacts)
    if secret:
        differing += (f"{secret.folder}/{path}" for path in compare(whole_run.secret_artifacts, secret))
    return run.outcome(differences=() if run.error_monitor.has_errors() else tuple(differing))


def _emit_artifacts(
    results: Iterable[tuple[BundleResult, FileContents]],
    run: Run,
    destinations: Destinations,
    writers: Writers,
    secret_artifacts: list[Artifact],
) -> Iterator[Artifact]:
    """Yield the files of the bundles as long as there is no error: a run with errors writes nothing.

    Secret halves are added to `secret_artifacts`. Format problems are reported at the end, so that an error in one
    bundle does not prevent the problems of the others from being found.
    """
    for result, files in results:
        if run.error_monitor.has_errors():
            # Nothing was decrypted for a tree with errors.
            format_result = write_formats(result.bundle, run.keyless_mode, writers)
            report_format_problems(format_result, result.resolved, run.allowed_names, run.format_diags)
            continue
        if destinations.secret:
            artifact, secret, format_result = emit_split(result.bundle, writers)
            secret_artifacts.append(secret)
        else:
            artifact, format_result = emit(result.bundle, destinations.primary.mode, writers)
        report_format_problems(format_result, result.resolved, run.allowed_names, run.format_diags)
        yield artifact._replace(files=(*artifact.files, *files)) if files else artifact
    run.diags.extend(run.format_diags)


def _emit_whole_tree(run: Run, formats: frozenset[str]) -> Iterator[Artifact]:
    """Yield the files of the whole tree, after those of its bundles."""
    if (
        run.workspace
        and run.desired is not None
        and formats & WHOLE_TREE_FORMATS
        and not run.error_monitor.has_errors()
    ):
        yield run.whole_tree_stage.emit(run.workspace.organization, run.desired, formats, run.diags)
