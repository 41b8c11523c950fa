"""The output streams: stdout for the answer, stderr for messages.

Text for people passes `printable_lines` here, except styled reports, whose content is already printable. Output for
programs is bytes.
"""

import os
import select
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from envtree.diagnostics.printable import printable_lines
from envtree.model.diagnostic import MachineError

_closed_streams: set[str] = set()
# The output of a block: whether it went to stdout, and the text or bytes.
RecordedOutput = list[tuple[bool, str | bytes]]
_recordings: list[RecordedOutput] = []
_started = time.monotonic()
# Stands in a recording for the time that the command has taken.
_ELAPSED_MARK = "\0elapsed"


@contextmanager
def record_output() -> Iterator[RecordedOutput]:
    """Record the output of the block, in addition to writing it; the list is complete at the end of the block."""
    recording: RecordedOutput = []
    _recordings.append(recording)
    try:
        yield recording
    finally:
        _recordings.remove(recording)


def replay_output(recording: RecordedOutput) -> None:
    """Write recorded output again."""
    for is_answer, output in recording:
        if isinstance(output, bytes):
            out(output)
        elif output == _ELAPSED_MARK:
            err_elapsed()
        else:
            write_styled(sys.stdout if is_answer else sys.stderr, output)


def out(answer: str | bytes) -> None:
    """Write the answer to stdout: text for people, bytes for programs."""
    if isinstance(answer, str):
        write_styled(sys.stdout, printable_lines(answer))
        return
    _record(answer, is_answer=True)
    _require_open_stdout(answer)
    # Bytes, so that neither the locale nor the platform's line endings change the output for programs.
    sys.stdout.flush()
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def err(text: str) -> None:
    """Write a message to stderr; errors of the stream are ignored."""
    write_styled(sys.stderr, printable_lines(text))


def err_elapsed() -> None:
    """Write the time that the command has taken to stderr; a replay writes its own."""
    _record(_ELAPSED_MARK, is_answer=False)
    with suppress(OSError):
        sys.stderr.write(f" ({time.monotonic() - _started:.2f} s)")
        sys.stderr.flush()


def can_encode(stream: TextIO, text: str) -> bool:
    """Report whether the encoding of a stream has all characters of a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def write_styled(stream: TextIO, text: str) -> None:
    """Write text that is already printable, such as a report with colours, without escaping it."""
    _record(text, is_answer=stream is sys.stdout)
    if stream is sys.stdout:
        _require_open_stdout(text)
        stream.write(text)
        return
    with suppress(OSError):
        stream.write(text)
        stream.flush()


def _record(output: str | bytes, *, is_answer: bool) -> None:
    for recording in _recordings:
        recording.append((is_answer, output))


def _require_open_stdout(answer: str | bytes) -> None:
    if answer and "stdout" in _closed_streams:
        raise MachineError("ET805", "stdout is closed, and the answer is lost", "send it to a file, or to /dev/null")


def has_reader(stream: TextIO) -> bool:
    """Report whether the other end of a stream is still open, without writing to it."""
    poll = select.poll()
    poll.register(stream, 0)
    # POLLNVAL is ignored: some systems cannot poll every kind of file and report it.
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def should_color(stream: TextIO, choice: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Report whether to write in colour.

    In order of precedence: `--color`, NO_COLOR or a dumb terminal, FORCE_COLOR or CLICOLOR_FORCE, whether the stream is
    a terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty()


def prepare_streams() -> None:
    """Make the streams safe to write to: replace closed ones, and escape characters that the locale cannot encode."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            _closed_streams.add(name)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 -- stays open as the stream
        getattr(sys, name).reconfigure(errors="backslashreplace")
