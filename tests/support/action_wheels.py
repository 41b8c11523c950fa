"""The wheels of all packages that the GitHub actions install, so that their steps run without a registry."""

import subprocess
import sys
from pathlib import Path

from tests.support.third_party import PIP, installed

ROOT = Path(__file__).parents[2]
PINS = sorted((ROOT / ".github/actions").glob("*/requirements*.txt"))


def wheels() -> Path:
    """Return the folder with the wheels; download them if it is missing."""
    version = "{}.{}".format(*sys.version_info)
    return installed("action-wheels", b"".join(path.read_bytes() for path in PINS) + version.encode(), _download)


def _download(folder: Path) -> None:
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-d", str(folder)]
    files = [word for path in PINS for word in ("-r", str(path))]
    subprocess.run([sys.executable, *PIP, "download", *options, *files], check=True)


if __name__ == "__main__":
    print(wheels())
