"""Ctrl-C and Ctrl-\\ at any moment of a compile, sent to the whole process group as a terminal does."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.moments import Moments
from tests.support.vault import PASSWORD, Vault, read_folder, vault
from tests.support.waiting import PATIENCE, wait_until

__all__ = ["vault"]

AGENT = "execution_environment:\n  secrets: {PASSWORD: db.password}\n  env_vars: {EDITION: '%s'}\n"
# Parts of all calls of a compile, at which it sends the signal itself.
MOMENTS = [0, 0.2, 0.4, 0.6, 0.8]
# Seconds after which another process sends it, also while envtree waits for something.
DELAYS = [0, 0.1, 0.4]


def fill(vault: Vault, edition: str) -> None:
    for number in range(8):
        folder, project = f"projects/part{number}", f"name: Part {number}\nkey: PART{number}\n"
        vault.write({f"{folder}/agents/a.yaml": AGENT % edition, f"{folder}/project.yaml": project})


class Interrupted(NamedTuple):
    """How a compile ended: its exit code, and all that it has shown."""

    code: int
    shown: bytes


def compile_in_group(
    vault: Vault, environ: dict[str, str], options: Sequence[str], act: Callable[[int], object] = lambda _: None
) -> Interrupted:
    """Compile in a process group of its own; `act` gets its id once envtree handles signals."""
    command = vault.command("compile", "-o", str(vault.folder / "out"), "--no-cache", *options)
    with subprocess.Popen(
        command,
        env={**vault.environ, "ENVTREE_SOPS": "process", **environ},
        cwd=vault.folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        # Before envtree handles signals, Python itself reports Ctrl-C.
        wait_until(lambda: process.poll() is not None or handles(process.pid, signal.SIGTERM), "envtree")
        act(process.pid)
        output, _ = process.communicate(timeout=PATIENCE)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    return Interrupted(process.returncode, output)


def send_after(seconds: float, number: signal.Signals) -> Callable[[int], None]:
    def send(group: int) -> None:
        time.sleep(seconds)
        # It may have ended before.
        with suppress(ProcessLookupError):
            os.killpg(group, number)

    return send


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
    moments = Moments(vault.folder / "moments")
    fill(vault, "old")
    assert compile_in_group(vault, moments.environ(number), options).code == 0
    calls = moments.last_count()
    runs: list[tuple[dict[str, str], Callable[[int], object]]] = [
        *((moments.environ(number, int(calls * part)), lambda _: None) for part in MOMENTS),
        *(({}, send_after(delay, number)) for delay in DELAYS),
    ]
    codes = []
    for environ, act in runs:
        fill(vault, "old")
        vault.compile("plain", "out")
        fill(vault, "new")
        code, shown = compile_in_group(vault, environ, options, act)
        codes.append(code)
        assert PASSWORD.splitlines()[0].encode() not in shown
        assert b"Traceback" not in shown
        # A Ctrl-C during `eval` of a text, as by `namedtuple`, makes Python end by SIGINT itself: 130 to a shell, too.
        assert code in (0, 128 + number) or (code, number) == (-signal.SIGINT, signal.SIGINT), shown
        assert output_of(vault.folder / "out") == (old if code else new)
        assert not list((vault.folder / "out").glob(".envtree-staging*/*"))
        assert list((vault.folder / "home").glob("*")) in ([], [vault.folder / "home/.cache"])
    # The first of all moments comes long before the end.
    assert codes[0] != 0
