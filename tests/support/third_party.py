"""Third-party software for tests and benchmarks: installed once for each set of pins, and shared by all checkouts."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

PIP = ("-m", "pip", "--disable-pip-version-check")


def cache() -> Path:
    """Return this user's folder for third-party software; what it contains is never the result of a test."""
    folder = Path(tempfile.gettempdir()) / f"envtree-third-party-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        sys.exit(f"'{folder}' belongs to someone else, set TMPDIR to a folder of your own")
    return folder


def installed(name: str, pins: bytes, install: Callable[[Path], None]) -> Path:
    """Return the folder that `install` fills for these pins, unless it is complete already.

    Of two processes that ask at once, one waits for the other. An interrupted installation begins again.
    """
    folder = cache() / f"{name}-{hashlib.sha256(pins).hexdigest()[:16]}"
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install(folder)
            (folder / "complete").touch()
    return folder


def python_with(name: str, requirements: Path, *options: str) -> Path:
    """Return an interpreter with exactly the packages of a requirements file."""

    def install(folder: Path) -> None:
        venv.create(folder)
        pip = [sys.executable, *PIP, "--python", str(folder / "bin/python"), "install", "--quiet", "--no-deps"]
        environ = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([*pip, *options, "-r", str(requirements)], check=True, env=environ)

    version = f"{platform.python_version()} {sys.prefix}"
    return installed(name, requirements.read_bytes() + version.encode(), install) / "bin" / "python"
