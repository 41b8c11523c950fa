"""The environment that the control plane runs in: made once for each content of its requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
BUILD = HERE.parents[1] / "build"


def installed() -> Path:
    """The environment, which is installed if it is not there yet."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    place = BUILD / f"control-plane-{digest}"
    if not (place / "whole").exists():
        shutil.rmtree(place, ignore_errors=True)
        install(place)
        (place / "whole").touch()
    return place


def install(place: Path) -> None:
    """Install what the hashes name, and nothing that is not named."""
    place.parent.mkdir(exist_ok=True)
    venv.create(place)
    command = ["pip", "--python", str(place / "bin" / "python"), "install", "--quiet", "--no-deps", "--require-hashes"]
    # The byte code is made at the first start, of what is imported only.
    options = ["--no-compile", "--disable-pip-version-check", "-r", str(REQUIREMENTS)]
    surroundings = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", *command, *options], check=True, env=surroundings)


if __name__ == "__main__":
    print(installed())
