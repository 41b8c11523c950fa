"""Seal the secrets of bundles for those who may read them: a SOPS file beside each bundle.

Ciphertext is random, so what is there already is kept as long as it holds the same values for the same readers.
"""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from envtree.engine.publish import Beside, Files
from envtree.engine.run import Result, Run
from envtree.model.artifact import Output
from envtree.model.secret_placeholders import SEALED_FILE
from envtree.output.emit import entries
from envtree.secrets.seal.audience import ProjectKeys
from envtree.secrets.seal.sealer import Sealer


def sealing(beside: Beside, output: Output, *, only_check: bool) -> Beside:
    """What puts a sealed file beside each bundle with secrets, and beside that what `beside` does.

    With `only_check` it is a failure if a file that is there cannot be opened; otherwise it is made anew.
    """

    def sealed(run: Run) -> Iterator[tuple[Result, Files]]:
        if run.workspace is None:
            return
        projects = ProjectKeys(run)
        sealer = Sealer(output, run.workspace.organization.secrets_policy, only_check=only_check)
        workers = os.cpu_count() or 1
        pool = ThreadPoolExecutor(workers)
        # sops costs more time than all the rest of a bundle, so several run while later bundles are computed.
        ahead: deque[tuple[Result, Files, Future[bytes] | None]] = deque()
        try:
            for result, files in beside(run):
                ahead.append((result, files, _submit(result, run, projects, sealer, pool)))
                if len(ahead) > 2 * workers:
                    yield _finished(*ahead.popleft())
            while ahead:
                yield _finished(*ahead.popleft())
        finally:
            sealer.stop()
            pool.shutdown(cancel_futures=True)

    return sealed


def _submit(
    result: Result, run: Run, projects: ProjectKeys, sealer: Sealer, pool: ThreadPoolExecutor
) -> "Future[bytes] | None":
    """Begin to seal a bundle; nothing is sealed of a run with an error, or of a bundle without secrets."""
    bundle = result.bundle
    keys = projects.of(bundle.target.project) if bundle.sensitive else None
    if keys is None or run.watch.found():
        return None
    target = bundle.target
    path = f"{target.environment}/{target.folder_in_environment}/{SEALED_FILE}"
    return pool.submit(sealer.seal, path, entries(bundle), keys)


def _finished(result: Result, files: Files, sealed: "Future[bytes] | None") -> tuple[Result, Files]:
    return result, files if sealed is None else ((SEALED_FILE, sealed.result()), *files)


__all__ = ["sealing"]
