"""Seal the secrets of bundles for their declared readers: write a SOPS file next to each bundle.

Ciphertext is random, so an existing file is kept as long as it has the same values for the same readers.
"""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from envtree.engine.publish import AddFiles, FileContents
from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.artifact import Output
from envtree.model.secret_entries import SEALED_SECRETS_FILE
from envtree.output.emit import sealed_entries
from envtree.secrets.seal.project_keys import ProjectKeys
from envtree.secrets.seal.sealer import Sealer


def add_sealed_files(extra_files: AddFiles, output: Output, *, only_check: bool) -> AddFiles:
    """Return an AddFiles that adds a sealed file to each bundle with secrets, besides the files of `extra_files`.

    An existing file that no key opens is a MachineError with `only_check`; otherwise it is written again.
    """

    def add_files(run: Run) -> Iterator[tuple[BundleResult, FileContents]]:
        if run.workspace is None:
            return
        projects = ProjectKeys(run)
        sealer = Sealer(output, run.workspace.organization.secrets_policy, only_check=only_check)
        workers = os.cpu_count() or 1
        pool = ThreadPoolExecutor(workers)
        # sops takes longer than the rest of a bundle, so several processes run while later bundles are computed.
        pending: deque[tuple[BundleResult, FileContents, Future[bytes] | None]] = deque()
        try:
            for result, files in extra_files(run):
                pending.append((result, files, _submit_bundle(result, run, projects, sealer, pool)))
                if len(pending) > 2 * workers:
                    yield _collect_result(*pending.popleft())
            while pending:
                yield _collect_result(*pending.popleft())
        finally:
            sealer.stop()
            pool.shutdown(cancel_futures=True)

    return add_files


def _submit_bundle(
    result: BundleResult, run: Run, projects: ProjectKeys, sealer: Sealer, pool: ThreadPoolExecutor
) -> "Future[bytes] | None":
    """Start sealing a bundle; None for a run with an error, or a bundle without secrets."""
    bundle = result.bundle
    keys = projects.keys_of(bundle.target.project) if bundle.sensitive else None
    if keys is None or run.error_monitor.has_errors():
        return None
    target = bundle.target
    path = f"{target.environment}/{target.agent_path}/{SEALED_SECRETS_FILE}"
    return pool.submit(sealer.seal, path, sealed_entries(bundle), keys)


def _collect_result(
    result: BundleResult, files: FileContents, future: "Future[bytes] | None"
) -> tuple[BundleResult, FileContents]:
    return result, files if future is None else ((SEALED_SECRETS_FILE, future.result()), *files)


__all__ = ["add_sealed_files"]
