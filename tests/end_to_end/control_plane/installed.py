"""The virtual environment of the control plane, created once for each content of its requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
BUILD = HERE.parents[2] / "build"


def ensure_installed() -> Path:
    """Return the environment, and install it if it is missing or incomplete."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    environment = BUILD / f"control-plane-{digest}"
    if not (environment / "whole").exists():
        shutil.rmtree(environment, ignore_errors=True)
        install(environment)
        (environment / "whole").touch()
    return environment


def install(environment: Path) -> None:
    """Install the packages of the requirements, by hash, and no others."""
    environment.parent.mkdir(exist_ok=True)
    venv.create(environment)
    command = [
        "pip",
        "--python",
        str(environment / "bin" / "python"),
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
    ]
    # The first start compiles the byte code, and only of imported modules.
    options = ["--no-compile", "--disable-pip-version-check", "-r", str(REQUIREMENTS)]
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", *command, *options], check=True, env=environ)


if __name__ == "__main__":
    print(ensure_installed())
