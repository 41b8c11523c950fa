"""Programs of others in virtual environments of their own: made on the first run, in the temporary folder, and kept."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def cache() -> Path:
    """The folder of this user in which programs of others are kept."""
    folder = Path(tempfile.gettempdir()) / f"envtree-benchmark-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        sys.exit(f"'{folder}' belongs to someone else, set TMPDIR to a folder of your own")
    return folder


def python_of(requirements: Path) -> Path:
    """The interpreter that has what a file of the name `<peer>-requirements.txt` lists, and nothing else."""
    home = cache() / f"{requirements.name.removesuffix('-requirements.txt')}-{platform.python_version()}"
    python, installed = home / "bin" / "python", home / "installed.txt"
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        venv.create(home, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True)
        shutil.copy(requirements, installed)
    return python
