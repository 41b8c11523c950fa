"""Run sessions: every one runs, whatever failed before it, and its output goes to a log."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tests.checks.environment import ROOT
from tests.checks.installation import InstallationError, install
from tests.checks.results import Result, read_command, read_pytest
from tests.checks.sessions import FULL_VARIABLE, SESSIONS, command_lines
from tests.checks.summary import add_job_summary, write_junit, write_summary

LOGS = ROOT / "build" / "checks"
# The share of the tests that has run, as pytest prints it behind a line of dots.
PROGRESS = re.compile(rb"\[ *(\d+)%\]")
# These run side by side with the installation of what the others need.
BESIDE_INSTALLATION = ("lint", "types")


class Runner:
    """Runs sessions and collects their results; everything that they print is kept in the folder `logs`."""

    def __init__(self, seed: int, arguments: Sequence[str] = (), *, full: bool = False, logs: Path = LOGS) -> None:
        self._seed = seed
        self._logs = logs
        self._arguments = tuple(arguments)
        self._full = full
        self._results: list[Result] = []

    def run(self, names: Sequence[str]) -> int:
        """Run sessions and print the summary; return the exit code."""
        self._logs.mkdir(parents=True, exist_ok=True)
        parts = {part for name in names for part in SESSIONS[name].parts}
        with ThreadPoolExecutor(max_workers=1) as pool:
            installation = pool.submit(install, sorted(parts), self._logs)
            for name in (name for name in names if name in BESIDE_INSTALLATION):
                self._run_session(name)
            problem = self._await(installation, parts)
        if not problem:
            for name in (name for name in names if name not in BESIDE_INSTALLATION):
                self._run_session(name)
        print(*write_summary(self._results, self._seed), sep="\n", flush=True)
        add_job_summary(self._results)
        if problem:
            print(f"the installation failed, so the other sessions did not run: {problem}", flush=True)
        return 1 if problem or any(result.failures for result in self._results) else 0

    def _await(self, installation: "Future[None]", parts: set[str]) -> str:
        """Wait until the parts are installed, and return why that failed, if it did."""
        if parts and not installation.done():
            print(f"installing: {', '.join(sorted(parts))}", flush=True)
        try:
            installation.result()
        except InstallationError as error:
            return str(error)
        return ""

    def _run_session(self, name: str) -> None:
        session, log, junit = SESSIONS[name], self._logs / f"{name}.log", self._logs / f"{name}.xml"
        junit.unlink(missing_ok=True)
        print(f"{name}: {session.purpose}", flush=True)
        started = time.monotonic()
        code, command = 0, [sys.executable]
        with log.open("wb") as output:
            for command in command_lines(session, junit, self._seed, self._arguments, full=self._full):
                code = self._call(name, command, output.fileno())
                if code:
                    break
        seconds = time.monotonic() - started
        if junit.exists():
            result = read_pytest(name, command, code, log, junit, seconds)
        else:
            result = read_command(name, command, code, log, seconds)
            write_junit(result, junit)
        self._results.append(result)
        print(f"{name}: {len(result.failures)} failed, {result.passed} passed in {seconds:.0f} s", flush=True)

    def _call(self, name: str, command: list[str], log: int) -> int:
        """Run a command; its output goes to the log, and its progress to the terminal."""
        environ = {**os.environ, **({FULL_VARIABLE: "full"} if self._full else {})}
        shown = 0
        with subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            for line in process.stdout or ():
                os.write(log, line)
                progress = PROGRESS.search(line)
                if progress and int(progress[1]) >= shown + 10:
                    shown = int(progress[1])
                    print(f"{name}: {shown} %", flush=True)
        return process.returncode
