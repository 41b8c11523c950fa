"""Write bundles to an output folder or an archive: whole or not at all, one writer at a time, and only what is ours.

There is no fsync: after a loss of power the next run compares the bytes on disk, and writes again what was lost.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from envtree.model.artifact import Artifact, Elsewhere, Manifest, Output, Put, Together
from envtree.output.destination_checks import output_path
from envtree.output.write.create_new import Fresh
from envtree.output.write.journal import has_leftover, recover
from envtree.output.write.lock import hold
from envtree.output.write.packed import packed
from envtree.output.write.staged import Staged
from envtree.output.write.update_existing import Swap
from envtree.system import disk
from envtree.system.archive import through
from envtree.system.git import tracked
from envtree.system.signals import committing


def write(
    artifacts: Iterable[Artifact],
    output: Output,
    approve: Callable[[], bool],
    *,
    elsewhere: Elsewhere | None = None,
    is_tracked: Callable[[Path], bool] = tracked,
    wait: float = 10.0,
) -> Manifest | None:
    """Write the artifacts as they come, and those of `elsewhere`; make them the output if `approve()` agrees then."""
    path = output_path(output, is_tracked)
    with hold(path, wait) as home:
        if home == path and has_leftover(path):
            # Only a run that is sure to write may finish, or remove, what a killed one left.
            artifacts = list(artifacts)
            if elsewhere or not approve():
                return None
            with disk.errors(output.folder):
                recover(path)
            output_path(output, is_tracked)
        sink = Swap(path, output) if home == path else Fresh(home, path, output)
        try:
            # Only our own steps stand under `errors`: what the stream of artifacts raises is not about the output.
            with disk.errors(output.folder):
                old, is_known = sink.begin(elsewhere.manifest if elsewhere else None)
            if elsewhere:
                kept = old.bundles.only(elsewhere.kept(is_known))
                put = Put.joined((Put(kept), *_put_together(sink, output, elsewhere.together)))
            else:
                put = _put(sink, artifacts, output)
            if not approve():
                return None
            manifest = output.successor(old, put)
            with disk.errors(output.folder):
                sink.commit(manifest)
            return manifest
        finally:
            with disk.errors(output.folder):
                sink.discard()


def pack(
    artifacts: Iterable[Artifact],
    outputs: Mapping[str, Output],
    onward: Callable[[Iterable[Artifact]], Manifest | None],
    *,
    is_tracked: Callable[[Path], bool] = tracked,
    wait: float = 10.0,
) -> Manifest | None:
    """Pack the artifacts on their way `onward`, and make them archives, at each `folder`, if a manifest comes back.

    There is one for each project by its name, or one of the empty name for all.
    """
    with ExitStack() as drafts:
        archives = {name: drafts.enter_context(packed(one, is_tracked, wait)) for name, one in outputs.items()}
        manifest = onward(through(artifacts, {name: one.packing for name, one in archives.items()}))
        if manifest is not None:
            for archive in archives.values():
                archive.finish()
            with committing():
                for archive in archives.values():
                    archive.commit()
        return manifest


def _put_together(sink: Swap | Fresh, output: Output, together: Together) -> list[Put]:
    """Put artifacts there with the help of other processes."""

    def share(number: int, artifacts: Iterable[Artifact]) -> tuple[Put, Staged]:
        part = sink.part(number)
        return _put(part, artifacts, output), part.staged()

    shares = together(share) or []
    for _, staged in shares:
        sink.add(staged)
    return [put for put, _ in shares]


def _put(sink: Swap | Fresh, artifacts: Iterable[Artifact], output: Output) -> Put:
    def each() -> Iterator[Artifact]:
        for artifact in artifacts:
            disk.check_inside(artifact.folder, [name for name, _ in artifact.files])
            # As `disk.errors` does, which takes longer than that to begin.
            try:
                sink.put(artifact)
            except OSError as error:
                raise disk.unwritable(output.folder, error) from error
            yield artifact

    return Put.of(each())
