"""Decrypt secrets files by running the real sops; `select_decrypter` chooses between this and the native reader.

sops is found once, outside the tree. It gets only the arguments and variables that the tree needs and the policy
allows. Its stderr, which quotes plaintext after common mistakes, is never read.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envtree.model.secrets_file import DecryptError, SecretsFile, SecretsPolicy
from envtree.secrets.sops.limited_process import ProcessResult
from envtree.secrets.sops.program import INPUT_TYPES, SopsProgram
from envtree.secrets.sops.read_unchanged import read_unchanged
from envtree.secrets.sops.results import check_exit_code, parse_plaintext


class SopsDecrypter:
    """A decrypter that runs the real sops in `root`: the root of the tree, or an output of `tree`."""

    def __init__(
        self,
        root: Path,
        policy: SecretsPolicy,
        *,
        environ: Mapping[str, str] = os.environ,
        timeout: float = 30.0,
        tree: Path | None = None,
    ) -> None:
        self._root = root
        self._policy = policy
        self._program = SopsProgram(root, policy, environ, timeout, tree)

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        """Return the plain data of a file that the policy allows."""
        if not self._policy.allows_file(sealed):
            raise DecryptError("ET604", f"'{sealed.path}' is encrypted for keys that the policy does not allow")
        result = self._run(sealed)
        read_unchanged(self._root, sealed)
        check_exit_code(result.exit_code, sealed)
        return parse_plaintext(result.output, sealed)

    def stop(self) -> None:
        """End the running processes, and start no others."""
        self._program.stop()

    def _run(self, sealed: SecretsFile) -> ProcessResult:
        arguments = ["decrypt", "--input-type", INPUT_TYPES[sealed.format], "--output-type", "json"]
        command = self._program.command([*arguments, "--", f"./{sealed.path}"])
        return self._program.run(command, sealed.path)
