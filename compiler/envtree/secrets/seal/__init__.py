"""Seal the secrets of bundles for those who may read them: a SOPS file beside each bundle.

Ciphertext is random, so what is there already is kept as long as it holds the same values for the same readers.
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
    """What puts a sealed file beside each bundle with secrets, and beside that what `beside` does.

    With `only_check` it is a failure if a file that is there cannot be opened; otherwise it is made anew.
    """

    def sealed(run: Run) -> Iterator[tuple[BundleResult, FileContents]]:
        if run.workspace is None:
            return
        projects = ProjectKeys(run)
        sealer = Sealer(output, run.workspace.organization.secrets_policy, only_check=only_check)
        workers = os.cpu_count() or 1
        pool = ThreadPoolExecutor(workers)
        # sops costs more time than all the rest of a bundle, so several run while later bundles are computed.
        ahead: deque[tuple[BundleResult, FileContents, Future[bytes] | None]] = deque()
        try:
            for result, files in extra_files(run):
                ahead.append((result, files, _submit_bundle(result, run, projects, sealer, pool)))
                if len(ahead) > 2 * workers:
                    yield _collect_result(*ahead.popleft())
            while ahead:
                yield _collect_result(*ahead.popleft())
        finally:
            sealer.stop()
            pool.shutdown(cancel_futures=True)

    return sealed


def _submit_bundle(
    result: BundleResult, run: Run, projects: ProjectKeys, sealer: Sealer, pool: ThreadPoolExecutor
) -> "Future[bytes] | None":
    """Begin to seal a bundle; nothing is sealed of a run with an error, or of a bundle without secrets."""
    bundle = result.bundle
    keys = projects.keys_of(bundle.target.project) if bundle.sensitive else None
    if keys is None or run.error_monitor.has_errors():
        return None
    target = bundle.target
    path = f"{target.environment}/{target.agent_path}/{SEALED_SECRETS_FILE}"
    return pool.submit(sealer.seal, path, sealed_entries(bundle), keys)


def _collect_result(
    result: BundleResult, files: FileContents, sealed: "Future[bytes] | None"
) -> tuple[BundleResult, FileContents]:
    return result, files if sealed is None else ((SEALED_SECRETS_FILE, sealed.result()), *files)


__all__ = ["add_sealed_files"]
