"""A PostgreSQL that lives as long as the tests: in a folder of its own, without a port, and as nobody who matters."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

USER = "tests"
# What is lost in a crash is of no use to anybody.
SETTINGS = ("listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")


def programs() -> Path:
    """Where the newest PostgreSQL's programs are, which Debian keeps off PATH."""
    found = [place.parent for place in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda place: float(place.parent.name))
    there = shutil.which("initdb")
    if there is None:
        raise FileNotFoundError("the control plane needs PostgreSQL: apt-get install postgresql")
    return Path(there).resolve().parent


def ends_with_us(signal_name: str) -> list[str]:
    """What to put before a command so that it gets this signal when we die, however that happens."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", signal_name, "--"] if program else []


class Postgres:
    """A running server; `url` is how to reach it."""

    def __init__(self) -> None:
        # A path of a socket is short, so the folder is not pytest's.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.url = f"postgresql://{USER}@/postgres?host={self.folder}"
        self._as = self._account()
        data = str(self.folder / "data")
        self._call("initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        command = [*ends_with_us("INT"), programs() / "postgres", "-D", data, "-k", self.folder, *settings]
        self._process = subprocess.Popen([str(word) for word in command], **self._quiet())
        self._wait()

    def dump(self) -> str:
        """All that the database holds, as text."""
        command = [str(programs() / "pg_dump"), "-h", str(self.folder), "-U", USER, "--inserts", "postgres"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def stop(self) -> None:
        """End it at once, and leave nothing."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _account(self) -> dict[str, Any]:
        """PostgreSQL does not run as root; Debian has an account for it."""
        if os.geteuid() != 0:
            return {}
        account = pwd.getpwnam("postgres")
        os.chown(self.folder, account.pw_uid, account.pw_gid)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _quiet(self) -> dict[str, Any]:
        nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return {**nowhere, "cwd": self.folder, "env": {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, **self._as}

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run([str(programs() / program), *arguments], check=True, **self._quiet())

    def _wait(self) -> None:
        ask = [str(programs() / "pg_isready"), "-q", "-h", str(self.folder), "-U", USER, "-d", "postgres"]
        end = time.monotonic() + 30
        while subprocess.run(ask, check=False, **self._quiet()).returncode:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("PostgreSQL does not start")
            time.sleep(0.05)
