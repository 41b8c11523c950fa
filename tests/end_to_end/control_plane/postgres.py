"""A PostgreSQL server for one test session: in its own folder, without a port, as an unprivileged user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.support.programs import program
from tests.support.waiting import PATIENCE, wait_until

USER = "tests"
# Durability does not matter, because the data are discarded.
SETTINGS = ("listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")


def programs() -> Path:
    """Return the folder with the newest PostgreSQL's programs, which Debian keeps off PATH."""
    return Path(program("initdb")).resolve().parent


def dies_with_parent(signal_name: str) -> list[str]:
    """Return a command prefix that sends the program this signal when the parent dies in any way."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", signal_name, "--"] if setpriv else []


class Postgres:
    """A running server, which is reached at `url`."""

    def __init__(self) -> None:
        # The path of a socket must be short, so pytest's folder cannot be used.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.url = f"postgresql://{USER}@/postgres?host={self.folder}"
        self._user_options = self._choose_account()
        data = str(self.folder / "data")
        self._call("initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        command = [*dies_with_parent("INT"), programs() / "postgres", "-D", data, "-k", self.folder, *settings]
        self._process = subprocess.Popen([str(word) for word in command], **self._process_options())
        self._wait()

    def dump(self) -> str:
        """Return the whole content of the database as SQL."""
        command = [str(programs() / "pg_dump"), "-h", str(self.folder), "-U", USER, "--inserts", "postgres"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def stop(self) -> None:
        """Stop the server at once and remove its folder."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _choose_account(self) -> dict[str, Any]:
        """Return options to run as Debian's account if this is root, as which PostgreSQL refuses to run."""
        if os.geteuid() != 0:
            return {}
        account = pwd.getpwnam("postgres")
        os.chown(self.folder, account.pw_uid, account.pw_gid)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _process_options(self) -> dict[str, Any]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return {
            **streams,
            "cwd": self.folder,
            "env": {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            **self._user_options,
        }

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run([str(programs() / program), *arguments], check=True, **self._process_options())

    def _wait(self) -> None:
        command = [str(programs() / "pg_isready"), "-q", "-h", str(self.folder), "-U", USER, "-d", "postgres"]

        def accepts() -> bool:
            assert self._process.poll() is None, "PostgreSQL does not start"
            return subprocess.run(command, check=False, **self._process_options()).returncode == 0

        wait_until(accepts, "PostgreSQL")
