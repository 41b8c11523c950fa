"""Run the sops of this machine for one tree: found once, outside the tree, in an environment that the policy limits."""

import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from envtree.model.diagnostic import MachineError
from envtree.model.secrets_file import SecretsPolicy
from envtree.secrets.sops.environment import child_environment, find_sops
from envtree.secrets.sops.limited_process import (
    OutputLimitError,
    ProcessLimits,
    ProcessResult,
    ProcessStoppedError,
    ProcessTimeoutError,
    run,
)

INPUT_TYPES = {"yaml": "yaml", "json": "json", "env": "dotenv"}
_OUTPUT_LIMIT = 8 << 20


class SopsProgram:
    """The sops program for files below `root`: the root of the tree, or an output of `tree`."""

    def __init__(
        self, root: Path, policy: SecretsPolicy, environ: Mapping[str, str], timeout: float, tree: Path | None = None
    ) -> None:
        self._root = root
        # Files in both folders can come from other people, so neither may contain the program.
        self._folders = (root, tree or root)
        self._policy, self._environ = policy, environ
        self.limits = ProcessLimits(timeout, _OUTPUT_LIMIT, threading.Event())

    @cached_property
    def environment(self) -> dict[str, str]:
        """The variables for sops; computed only if sops runs at all."""
        return child_environment(self._policy, self._environ, *self._folders)

    @cached_property
    def binary(self) -> Path:
        """The absolute path of sops."""
        return find_sops(self._environ, *self._folders)

    def command(self, arguments: Sequence[str], config: str = os.devnull) -> list[str]:
        """Return a command line; without `config` sops reads no configuration, which could come from the tree."""
        return [str(self.binary), "--config", config, *arguments]

    def run(
        self,
        command: Sequence[str],
        path: str,
        task: str = "open",
        *,
        folder: Path | None = None,
        stdin_data: bytes | None = None,
    ) -> ProcessResult:
        """Run a command line to its end; `path` and `task` are for the message of a MachineError."""
        try:
            return run(command, folder or self._root, self.environment, self.limits, stdin_data)
        except ProcessTimeoutError:
            message = f"sops did not {task} '{path}' within {self.limits.timeout:g} seconds"
            hint = "a key that asks for a passphrase or a touch cannot be used here, unless an agent knows it"
            raise MachineError("ET622", message, hint) from None
        except OutputLimitError:
            raise MachineError("ET623", f"sops wrote more than {_OUTPUT_LIMIT >> 20} MiB for '{path}'") from None
        except ProcessStoppedError:
            raise MachineError("ET623", f"sops was stopped before it could {task} '{path}'") from None
        except OSError as error:
            raise MachineError("ET620", f"sops cannot be started: {error.strerror}") from None

    def stop(self) -> None:
        """End the running processes, and start no others."""
        self.limits.stop_event.set()
