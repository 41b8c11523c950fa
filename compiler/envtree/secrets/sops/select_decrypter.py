"""Choose the decrypter for the files of a tree: the native reader where it is certain, sops for the rest."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from envtree.engine.decryption import Decrypter
from envtree.model.diagnostic import MachineError, NoKeyError
from envtree.model.secrets_file import SecretsFile, SecretsPolicy
from envtree.secrets.sops import SopsDecrypter
from envtree.secrets.sops.environment import CHOICE_VARIABLE, ONLY_PATH, child_environment
from envtree.system.installation import extra_hint

_AUTO, _NATIVE, _PROCESS = "auto", "native", "process"


def select_decrypter(
    root: Path,
    policy: SecretsPolicy,
    *,
    tree: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    make_environment: Callable[[SecretsPolicy, Mapping[str, str], Path, Path], dict[str, str]] = child_environment,
) -> Decrypter:
    """Return the decrypter that ENVTREE_SOPS names; by default the native one, if installed, with sops as fallback.

    It opens files below `root`, which may be an output of `tree`. `make_environment` returns the variables in which the
    native reader looks for keys.
    """
    choice = environ.get(CHOICE_VARIABLE) or _AUTO
    if choice not in (_AUTO, _NATIVE, _PROCESS, ONLY_PATH):
        message = f"{CHOICE_VARIABLE} is not '{_AUTO}', '{_NATIVE}', '{_PROCESS}' or '{ONLY_PATH}'"
        raise MachineError("ET623", message, "correct it, or unset it")
    sops = SopsDecrypter(root, policy, environ=environ, tree=tree)
    if choice in (_PROCESS, ONLY_PATH):
        return sops
    try:
        native = import_module("envtree.secrets.sops.native")
    except ImportError:
        if choice == _NATIVE:
            hint = f"{extra_hint('native')}, or unset {CHOICE_VARIABLE}"
            raise MachineError("ET620", "the libraries that open files without sops are not installed", hint) from None
        return sops
    fallback = _NoFallback() if choice == _NATIVE else sops
    return cast(
        Decrypter,
        native.NativeDecrypter(root, policy, make_environment(policy, environ, root, tree or root), fallback),
    )


class _NoFallback:
    """A decrypter that refuses every file, where only the native reader may open files."""

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        """Raise NoKeyError: the file would need sops."""
        message = f"'{sealed.path}' cannot be opened without sops, or no age key is at hand"
        raise NoKeyError(message, f"unset {CHOICE_VARIABLE}, so that sops is used for it")

    def stop(self) -> None:
        """Do nothing: no process runs."""
