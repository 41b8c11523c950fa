"""Temporary age keys, and files that the real sops encrypts for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyrage


class Keys(NamedTuple):
    """The recipients of every file, and an environment in which the last one's key is available."""

    recipients: tuple[str, ...]
    environ: dict[str, str]


def make_keys(folder: Path, count: int) -> Keys:
    """Create keys; the last one is available, which is the slowest position."""
    identities = [pyrage.x25519.Identity.generate() for _ in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "keys.txt"
    file.write_text(f"{identities[-1]}\n", "utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environ = {"PATH": path, "HOME": str(folder), "SOPS_AGE_KEY_FILE": str(file)}
    return Keys(tuple(str(identity.to_public()) for identity in identities), environ)


def encrypt_all(root: Path, paths: Iterable[str], keys: Keys) -> None:
    """Encrypt the files in place."""
    command = ["sops", "--config", os.devnull, "encrypt", "--in-place", "--age", ",".join(keys.recipients)]
    environ = keys.environ | {"SOPS_DISABLE_VERSION_CHECK": "1"}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda path: subprocess.run([*command, path], cwd=root, env=environ, check=True), paths))
