"""The virtual environment `.venv` with the pinned packages, in which all checks run."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
PINS = ROOT / ".ci" / "requirements.txt"
# The packages are installed as pinned, whatever was released since: without resolving anything, and by hash. A test
# checks that the pins are complete.
INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")


def is_active() -> bool:
    """Return whether this Python is the one of `.venv`."""
    return Path(sys.prefix) == ENVIRONMENT


def install_packages() -> None:
    """Create `.venv` if it is missing, and install the pinned packages and this checkout if they have changed."""
    stamp, digest = ENVIRONMENT / "installed.sha256", _digest()
    if stamp.exists() and stamp.read_text("utf-8") == digest:
        return
    print("installing the pinned packages into .venv, which takes half a minute", flush=True)
    if not PYTHON.exists():
        _call(sys.executable, "-m", "venv", ENVIRONMENT)
    _call(PYTHON, *INSTALL, "--require-hashes", "-r", PINS)
    _call(PYTHON, *INSTALL, "--no-build-isolation", "-e", ROOT)
    _call(PYTHON, "-m", "pip", "--disable-pip-version-check", "check")
    stamp.write_text(digest, "utf-8")


def enter() -> None:
    """Go on with the Python of `.venv`, where its programs are found first."""
    programs = str(PYTHON.parent)
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    if not is_active():
        os.execv(PYTHON, [str(PYTHON), *sys.argv])


def _digest() -> str:
    contents = (path.read_bytes() for path in (PINS, ROOT / "pyproject.toml"))
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def _call(*command: str | Path) -> None:
    """Run a command; if it fails, end with its message, which names the package."""
    result = subprocess.run([str(word) for word in command], check=False)
    if result.returncode:
        sys.exit(f"the installation failed, so nothing was checked: {' '.join(map(str, command))}")
