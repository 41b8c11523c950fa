"""Ctrl-C and Ctrl-\\ at any moment of a compile, sent to the whole process group as a terminal does."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.vault import PASSWORD, Vault, read_folder, vault

__all__ = ["vault"]

AGENT = "execution_environment:\n  secrets: {PASSWORD: db.password}\n  env_vars: {EDITION: '%s'}\n"
DELAYS = [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7]


def fill(vault: Vault, edition: str) -> None:
    for number in range(8):
        folder, project = f"projects/part{number}", f"name: Part {number}\nkey: PART{number}\n"
        vault.write({f"{folder}/agents/a.yaml": AGENT % edition, f"{folder}/project.yaml": project})


def interrupted(vault: Vault, number: signal.Signals, delay: float, *options: str) -> tuple[int, bytes]:
    """Compile in a process group of its own, which gets a signal after a while; return the exit code and the output."""
    environ = {**vault.environ, "ENVTREE_SOPS": "process"}
    command = vault.command("compile", "-o", str(vault.folder / "out"), "--no-cache", *options)
    with subprocess.Popen(
        command,
        env=environ,
        cwd=vault.folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        # Before envtree handles signals, Python itself reports Ctrl-C.
        while process.poll() is None and not handles(process.pid, signal.SIGTERM):
            time.sleep(0.005)
        time.sleep(delay)
        if process.poll() is None:
            os.killpg(process.pid, number)
        output, _ = process.communicate(timeout=30)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    return process.returncode, output


def handles(pid: int, number: signal.Signals) -> bool:
    """Report whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def output_of(folder: Path) -> dict[str, bytes]:
    return {path: data for path, data in read_folder(folder).items() if ".envtree" not in path}


@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=["alone", "with workers"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_t99_keys_at_any_moment_leave_the_old_or_the_new_output(
    vault: Vault, number: signal.Signals, options: tuple[str, ...]
) -> None:
    (vault.root / "agents/a.yaml").unlink()
    (vault.root / "agents").rmdir()
    fill(vault, "old")
    old = output_of(vault.compile("plain", "out"))
    fill(vault, "new")
    new = output_of(vault.compile("plain", "new"))
    codes = set()
    for delay in DELAYS:
        fill(vault, "old")
        vault.compile("plain", "out")
        fill(vault, "new")
        code, shown = interrupted(vault, number, delay, *options)
        codes.add(code)
        assert PASSWORD.splitlines()[0].encode() not in shown
        assert b"Traceback" not in shown
        # A Ctrl-C during `eval` of a text, as by `namedtuple`, makes Python end by SIGINT itself: 130 to a shell, too.
        assert code in (0, 128 + number) or (code, number) == (-signal.SIGINT, signal.SIGINT), shown
        assert output_of(vault.folder / "out") == (old if code else new)
        assert not list((vault.folder / "out").glob(".envtree-staging*/*"))
        assert list((vault.folder / "home").glob("*")) in ([], [vault.folder / "home/.cache"])
    assert 128 + number in codes
