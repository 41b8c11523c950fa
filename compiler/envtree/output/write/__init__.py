"""Write bundles to an output folder or an archive: atomically, one writer at a time, touching only files of envtree.

There is no fsync: after a power loss the next run compares the bytes on disk and rewrites lost files.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from envtree.model.artifact import Artifact, IncrementalWrite, Manifest, Output, ShardedArtifacts, WrittenRecords
from envtree.output.destination_checks import output_path
from envtree.output.write.archive_draft import open_archive_draft
from envtree.output.write.create_new import NewOutput
from envtree.output.write.journal import has_interrupted_run, recover_output
from envtree.output.write.output_lock import lock_output
from envtree.output.write.staged_changes import StagedChanges
from envtree.output.write.update_existing import ExistingOutput
from envtree.system import disk
from envtree.system.archive import archive_artifacts
from envtree.system.git import is_git_tracked
from envtree.system.signals import defer_during_commit


def write(
    artifacts: Iterable[Artifact],
    output: Output,
    approve: Callable[[], bool],
    *,
    incremental: IncrementalWrite | None = None,
    is_tracked: Callable[[Path], bool] = is_git_tracked,
    wait: float = 10.0,
) -> Manifest | None:
    """Stage the artifacts as they come, or those of `incremental`, and commit them if `approve()` then agrees."""
    path = output_path(output, is_tracked)
    with lock_output(path, wait) as locked_folder:
        if locked_folder == path and has_interrupted_run(path):
            # Only a run that is certain to write may finish or remove the staged files of a killed one.
            artifacts = list(artifacts)
            if incremental or not approve():
                return None
            with disk.translate_os_errors(output.folder):
                recover_output(path)
            output_path(output, is_tracked)
        sink = ExistingOutput(path, output) if locked_folder == path else NewOutput(locked_folder, path, output)
        try:
            # Only steps of the writer translate errors: an OSError from the artifacts is not about the output.
            with disk.translate_os_errors(output.folder):
                old, is_previous = sink.begin(incremental.previous_digest if incremental else None)
            if incremental:
                unchanged = old.bundles.select_projects(incremental.select_unchanged(is_previous))
                sharded = _write_sharded(sink, output, incremental.sharded_artifacts)
                records = WrittenRecords.concatenate((WrittenRecords(unchanged), *sharded))
            else:
                records = _write_artifacts(sink, artifacts, output)
            if not approve():
                return None
            manifest = output.next_manifest(old, records)
            with disk.translate_os_errors(output.folder):
                sink.commit(manifest)
            return manifest
        finally:
            with disk.translate_os_errors(output.folder):
                sink.discard()


def pack(
    artifacts: Iterable[Artifact],
    outputs: Mapping[str, Output],
    consume: Callable[[Iterable[Artifact]], Manifest | None],
    *,
    is_tracked: Callable[[Path], bool] = is_git_tracked,
    wait: float = 10.0,
) -> Manifest | None:
    """Pack the artifacts that `consume` takes into archives, and commit these if it returns a manifest.

    `outputs` maps the name of each project, or the empty name for all of them, to its archive; `folder` is the path.
    """
    with ExitStack() as drafts:
        archives = {
            name: drafts.enter_context(open_archive_draft(output, is_tracked, wait)) for name, output in outputs.items()
        }
        writers = {name: archive.writer for name, archive in archives.items()}
        manifest = consume(archive_artifacts(artifacts, writers))
        if manifest is not None:
            for archive in archives.values():
                archive.finish()
            with defer_during_commit():
                for archive in archives.values():
                    archive.commit()
        return manifest


def _write_sharded(
    sink: ExistingOutput | NewOutput, output: Output, sharded_artifacts: ShardedArtifacts
) -> list[WrittenRecords]:
    """Stage artifacts with the help of other processes."""

    def write_share(number: int, artifacts: Iterable[Artifact]) -> tuple[WrittenRecords, StagedChanges]:
        shard = sink.shard(number)
        return _write_artifacts(shard, artifacts, output), shard.staged_changes()

    shares = sharded_artifacts(write_share) or []
    for _, staged in shares:
        sink.merge_staged(staged)
    return [records for records, _ in shares]


def _write_artifacts(sink: ExistingOutput | NewOutput, artifacts: Iterable[Artifact], output: Output) -> WrittenRecords:
    def written_artifacts() -> Iterator[Artifact]:
        for artifact in artifacts:
            disk.check_inside(artifact.folder, [name for name, _ in artifact.files])
            # Like `disk.translate_os_errors`, whose context manager costs more than the call.
            try:
                sink.add_artifact(artifact)
            except OSError as error:
                raise disk.unwritable_output_error(output.folder, error) from error
            yield artifact

    return WrittenRecords.from_artifacts(written_artifacts())
