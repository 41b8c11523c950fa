"""Write bundles to an output folder or an archive: whole or not at all, one writer at a time, and only what is ours.

There is no fsync: after a loss of power the next run compares the bytes on disk, and writes again what was lost.
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
    """Write the artifacts as they come, and those of `elsewhere`; make them the output if `approve()` agrees then."""
    path = output_path(output, is_tracked)
    with lock_output(path, wait) as home:
        if home == path and has_interrupted_run(path):
            # Only a run that is sure to write may finish, or remove, what a killed one left.
            artifacts = list(artifacts)
            if incremental or not approve():
                return None
            with disk.translate_os_errors(output.folder):
                recover_output(path)
            output_path(output, is_tracked)
        sink = ExistingOutput(path, output) if home == path else NewOutput(home, path, output)
        try:
            # Only our own steps stand under `errors`: what the stream of artifacts raises is not about the output.
            with disk.translate_os_errors(output.folder):
                old, is_known = sink.begin(incremental.previous_digest if incremental else None)
            if incremental:
                kept = old.bundles.select_projects(incremental.select_unchanged(is_known))
                sharded = _write_sharded(sink, output, incremental.sharded_artifacts)
                put = WrittenRecords.concatenate((WrittenRecords(kept), *sharded))
            else:
                put = _write_artifacts(sink, artifacts, output)
            if not approve():
                return None
            manifest = output.next_manifest(old, put)
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
    """Pack the artifacts on their way `onward`, and make them archives, at each `folder`, if a manifest comes back.

    There is one for each project by its name, or one of the empty name for all.
    """
    with ExitStack() as drafts:
        archives = {
            name: drafts.enter_context(open_archive_draft(one, is_tracked, wait)) for name, one in outputs.items()
        }
        manifest = consume(archive_artifacts(artifacts, {name: one.packing for name, one in archives.items()}))
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
    """Put artifacts there with the help of other processes."""

    def share(number: int, artifacts: Iterable[Artifact]) -> tuple[WrittenRecords, StagedChanges]:
        part = sink.shard(number)
        return _write_artifacts(part, artifacts, output), part.staged_changes()

    shares = sharded_artifacts(share) or []
    for _, staged in shares:
        sink.merge_staged(staged)
    return [put for put, _ in shares]


def _write_artifacts(sink: ExistingOutput | NewOutput, artifacts: Iterable[Artifact], output: Output) -> WrittenRecords:
    def each() -> Iterator[Artifact]:
        for artifact in artifacts:
            disk.check_inside(artifact.folder, [name for name, _ in artifact.files])
            # As `disk.errors` does, which takes longer than that to begin.
            try:
                sink.add_artifact(artifact)
            except OSError as error:
                raise disk.unwritable_output_error(output.folder, error) from error
            yield artifact

    return WrittenRecords.from_artifacts(each())
