"""What sessions need beside `.venv`, installed before the first of them: afterwards no test needs a registry."""

import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.checks.environment import ROOT


class Part(NamedTuple):
    """A module that installs something when it is run, and what that is."""

    module: str
    purpose: str


PARTS = {
    "npm": Part("tests.support.npm", "programs of npm, from the lock file"),
    "control plane": Part("tests.end_to_end.control_plane.installed", "Kubiya's control plane"),
    "action wheels": Part("tests.support.action_wheels", "the packages that the GitHub actions install"),
    "fuzzer": Part("tests.fuzz.installed", "the fuzzer"),
    "suites": Part("tests.conformance.installed", "third-party test suites and programs"),
    "peers": Part("tests.benchmarks.installed", "the programs with which envtree is compared"),
}


class InstallationError(Exception):
    """A part could not be installed."""


def install(parts: Iterable[str], logs: Path) -> None:
    """Install some parts, side by side; raise an error that names those that failed and shows why."""
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda name: _install(name, logs), parts))
    if failures := [message for message in results if message]:
        raise InstallationError("\n".join(failures))


def _install(name: str, logs: Path) -> str:
    """Install a part, and return why that failed, if it did."""
    log = logs / f"install-{name.replace(' ', '-')}.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", PARTS[name].module]
        result = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False)
    if not result.returncode:
        return ""
    lines = log.read_text("utf-8", "replace").splitlines()[-15:]
    return "\n".join([f"{PARTS[name].purpose} could not be installed ({log}):", *lines])
