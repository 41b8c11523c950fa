"""The programs of npm, at the versions of the lock file."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from tests.support.programs import program
from tests.support.third_party import installed

CI = Path(__file__).parents[2] / ".ci"
FILES = ("package.json", "package-lock.json", ".npmrc")


def node_modules() -> str:
    """Return the folder of the packages, a link in `.ci`; install them if they are missing."""
    pins = b"".join((CI / name).read_bytes() for name in FILES)
    target, link = installed("npm", pins, _install) / "node_modules", CI / "node_modules"
    # Tests run in several processes at once.
    with (CI / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not link.is_symlink() or os.readlink(link) != str(target):
            if link.is_symlink():
                link.unlink()
            shutil.rmtree(link, ignore_errors=True)
            link.symlink_to(target)
    return str(link)


def _install(folder: Path) -> None:
    for name in FILES:
        shutil.copy(CI / name, folder)
    # A network with certificates of its own has them in the store of the system, which Node ignores by default.
    environ = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
    subprocess.run([program("npm"), "ci", "--silent", "--prefix", str(folder)], check=True, env=environ)


if __name__ == "__main__":
    print(node_modules())
