"""The sops of this machine, for one tree: found once, outside of it, and given no more than the policy admits."""

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
    """sops, run in the root of the tree, in a folder where a copy lies, or, with a `tree`, in another one's output."""

    def __init__(
        self, root: Path, policy: SecretsPolicy, environ: Mapping[str, str], timeout: float, tree: Path | None = None
    ) -> None:
        self._root = root
        # What lies in either could be somebody else's.
        self._folders = (root, tree or root)
        self._policy, self._environ = policy, environ
        self.limits = ProcessLimits(timeout, _OUTPUT_LIMIT, threading.Event())

    @cached_property
    def environment(self) -> dict[str, str]:
        """What it finds around it; where another reader opens all files, nobody asks."""
        return child_environment(self._policy, self._environ, *self._folders)

    @cached_property
    def binary(self) -> Path:
        """Its absolute path."""
        return find_sops(self._environ.get("PATH", ""), *self._folders)

    def command(self, arguments: Sequence[str], config: str = os.devnull) -> list[str]:
        """A command line; without a configuration, for the tree could bring one."""
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
        """Run a command line to its end; a Failure says that it did not open `path`, or what else its task was."""
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
        """End the running processes, and let none start any more."""
        self.limits.stop_event.set()
