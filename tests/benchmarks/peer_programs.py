"""Third-party programs in virtual environments, created on the first run in the temporary folder and reused."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def cache() -> Path:
    """Return this user's folder for third-party programs."""
    folder = Path(tempfile.gettempdir()) / f"envtree-benchmark-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        sys.exit(f"'{folder}' belongs to someone else, set TMPDIR to a folder of your own")
    return folder


def python_of(requirements: Path) -> Path:
    """Return an interpreter with the packages in `<peer>-requirements.txt`, and no others."""
    environment = cache() / f"{requirements.name.removesuffix('-requirements.txt')}-{platform.python_version()}"
    python, installed = environment / "bin" / "python", environment / "installed.txt"
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        venv.create(environment, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True)
        shutil.copy(requirements, installed)
    return python
