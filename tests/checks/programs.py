"""The programs that the tests need and that no package registry of Python or npm has: the only list of them."""

import os
import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class Program(NamedTuple):
    """The Debian package of a program, the sessions that need it, and what their tests do with it."""

    package: str
    sessions: tuple[str, ...]
    purpose: str


PROGRAMS = {
    "bash": Program(
        "bash", ("suite", "slow"), "outputs for shells, hooks, steps of workflows, commands of the documentation"
    ),
    "chromium": Program("chromium", ("slow",), "HTML pages"),
    "direnv": Program("direnv", ("suite",), "outputs for direnv"),
    "docker": Program("docker-cli", ("suite",), "outputs for docker run"),
    "docker-compose": Program("docker-compose", ("suite",), "outputs for Docker Compose"),
    "git": Program("git", ("suite", "slow", "foreign"), "revisions, merges, hooks"),
    "gpg": Program("gnupg", ("suite",), "secrets files for PGP keys"),
    "initdb": Program("postgresql", ("control-plane",), "the database of the control plane"),
    "ksh": Program("ksh", ("suite",), "outputs for shells"),
    "kubectl": Program("kubernetes-client", ("suite",), "outputs for Kubernetes"),
    "puppet": Program("puppet-agent", ("foreign",), "merges compared with Hiera"),
    "strace": Program("strace", ("slow",), "errors of the disk at any system call"),
    "systemd-analyze": Program("systemd", ("suite",), "outputs for systemd"),
    "unzip": Program("unzip", ("suite",), "archives"),
    "zsh": Program("zsh", ("suite",), "outputs and completions for zsh"),
    "zstd": Program("zstd", ("suite",), "archives"),
}
# PostgreSQL's server programs are not on PATH in Debian.
POSTGRESQL = "/usr/lib/postgresql/*/bin"


def find(name: str) -> str | None:
    """Return the path of a program, if this machine has it."""
    if name == "initdb":
        folders = sorted(Path("/").glob(f"{POSTGRESQL[1:]}/initdb"), key=lambda path: float(path.parts[4]))
        return str(folders[-1]) if folders else shutil.which(name)
    if name == "chromium":
        return shutil.which(name) or shutil.which("google-chrome")
    return shutil.which(name)


def missing(sessions: Iterable[str]) -> list[str]:
    """Return the names of the programs that some sessions need and this machine lacks."""
    needed = set(sessions)
    return [name for name, program in PROGRAMS.items() if needed & {*program.sessions} and find(name) is None]


def install_command(name: str) -> str:
    """Return the command that installs a program on Debian."""
    return f"apt-get install {PROGRAMS[name].package if name in PROGRAMS else name}"


HEADER = ("program", "here", "Debian package", "sessions", "for")


def rows() -> Iterator[tuple[str, ...]]:
    """Yield the list of programs as rows of text."""
    for name, (package, sessions, purpose) in PROGRAMS.items():
        yield name, "yes" if find(name) else "no", package, " ".join(sessions), purpose


def ensure_programs(sessions: Collection[str]) -> str:
    """Install the missing programs where that is possible; return why the checks cannot begin, or nothing.

    As root, or in CI with sudo, they are installed with apt-get. Elsewhere the tests that need them are left out, and
    the summary counts them; in CI they are an error.
    """
    names = missing(sessions)
    prefix = _apt_prefix() if names else None
    if names and prefix is not None:
        packages = sorted(PROGRAMS[name].package for name in names)
        print(f"installing missing programs: apt-get install {' '.join(packages)}", flush=True)
        _apt_get(prefix, packages)
        names = missing(sessions)
    if names and os.environ.get("CI"):
        lines = [f"'{name}' is missing: {install_command(name)}" for name in names]
        return "\n".join(["with CI set, all programs must be installed", *lines])
    return ""


def _apt_prefix() -> list[str] | None:
    """Return what has to stand before `apt-get` for it to install; None if that is not possible."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if not sudo or not os.environ.get("CI"):
        return None
    command = [sudo, "--non-interactive", "--preserve-env=DEBIAN_FRONTEND"]
    return command if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0 else None


def _apt_get(prefix: list[str], packages: list[str]) -> None:
    """Install packages; a failure shows in the programs that are still missing."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", *packages]):
        subprocess.run([*prefix, "apt-get", *words], env=environ, stdout=subprocess.DEVNULL, check=False)
