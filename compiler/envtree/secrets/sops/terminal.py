"""Run sops with an editor in the terminal of the user."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from envtree.secrets.sops.limited_process import ProcessTimeoutError, kill_process_group

# The variables of the terminal and the desktop that editors need; a name that ends in `_` is a prefix.
_EDITOR_VARIABLES = (
    *("EDITOR", "SOPS_EDITOR", "SHELL", "USER", "LOGNAME", "TERM", "COLORTERM", "TERMINFO", "TERMINFO_DIRS"),
    *("LANG", "LANGUAGE", "LC_", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_", "DBUS_SESSION_BUS_ADDRESS"),
    *("TMUX", "STY", "SSH_TTY", "VIMINIT", "VIM", "VIMRUNTIME", "NVIM_", "VSCODE_", "GPG_TTY"),
)
_POLL_INTERVAL = 0.05


def editor_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the terminal and the desktop; sops knows EDITOR, before which VISUAL goes."""
    prefixes = tuple(name for name in _EDITOR_VARIABLES if name.endswith("_"))
    passed = {name: value for name, value in environ.items() if name in _EDITOR_VARIABLES or name.startswith(prefixes)}
    visual = environ.get("VISUAL")
    return passed | {"EDITOR": visual} if visual else passed


def run_in_terminal(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float) -> int:
    """Run a program to its end and return its exit code; `timeout` in seconds applies only without a terminal."""
    if not sys.stdin.isatty():
        return _run_unattended(command, folder, environment, timeout)
    # Its stderr may quote plaintext, which this screen shows anyway, but which must not get into a log.
    stderr = None if sys.stderr.isatty() else subprocess.DEVNULL
    with (
        _leave_interrupts_to_child(),
        subprocess.Popen(command, cwd=folder, env=environment, stderr=stderr) as process,
    ):
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    return code


def _run_unattended(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float) -> int:
    """Run a program with a time limit and a stdin that stays open.

    After invalid text sops waits for a key press; at the end of stdin it would start the editor again and again.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + timeout
        try:
            while (code := process.poll()) is None:
                if time.monotonic() > deadline:
                    raise ProcessTimeoutError
                time.sleep(_POLL_INTERVAL)
            return code
        except BaseException:
            kill_process_group(process)
            raise


@contextmanager
def _leave_interrupts_to_child() -> Iterator[None]:
    # Not SIG_IGN, which the child would inherit.
    handlers = {number: signal.signal(number, _ignore_signal) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _ignore_signal(_: int, __: FrameType | None) -> None:
    pass
