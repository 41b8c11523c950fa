"""Test sessions run with no network but loopback, and say so where a machine does not permit that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cut_off import ROOT, isolated_command, isolation_prefix

# Prints its user and which addresses it reaches; the second address is reserved for documentation.
PROBE = """
import os, socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname())
try:
    socket.create_connection(("192.0.2.1", 80), timeout=60)
except OSError as error:
    print(os.getuid(), os.getgid(), error.strerror)
"""


def test_a_command_reaches_loopback_only_and_is_who_it_was() -> None:
    command = isolated_command(sys.executable, "-c", PROBE)
    if not isolation_prefix():
        assert command == [sys.executable, "-c", PROBE]
        return
    process = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    assert process.stdout == f"{os.getuid()} {os.getgid()} Network is unreachable\n"


@pytest.mark.parametrize("tools", [os.environ["PATH"], ""])
def test_it_is_said_which_network_there_is(tools: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.cut_off", sys.executable, "-c", "print('ran')"]
    environ = {**os.environ, "PATH": tools or str(tmp_path)}
    process = subprocess.run(command, cwd=ROOT, env=environ, text=True, capture_output=True, check=True)
    assert process.stdout == "ran\n"
    assert process.stderr.startswith(
        f"network: {'none but loopback' if tools and isolation_prefix() else 'that of this machine'}"
    )


def test_the_exit_code_is_that_of_the_command() -> None:
    command = [sys.executable, "-m", "tests.support.cut_off", sys.executable, "-c", "raise SystemExit(5)"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 5
