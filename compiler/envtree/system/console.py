"""The two streams: stdout carries the answer, stderr the words about it.

Whatever people read passes `printable_lines` here; what a program reads is bytes, and what a report has painted is
fit to be printed already.
"""

import os
import select
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO

from envtree.diagnostics.printable import printable_lines
from envtree.model.diagnostic import MachineError

_closed: set[str] = set()
# What is said while somebody takes it down: whether on stdout, and the words or the bytes.
RecordedOutput = list[tuple[bool, str | bytes]]
_recordings: list[RecordedOutput] = []


@contextmanager
def record_output() -> Iterator[RecordedOutput]:
    """What is said in the block, once it has been said."""
    said: RecordedOutput = []
    _recordings.append(said)
    try:
        yield said
    finally:
        _recordings.remove(said)


def replay_output(recording: RecordedOutput) -> None:
    """Say what was noted."""
    for is_answer, words in recording:
        if isinstance(words, bytes):
            out(words)
        else:
            write_styled(sys.stdout if is_answer else sys.stderr, words)


def out(answer: str | bytes) -> None:
    """Write the answer: words for people, bytes for a program."""
    if isinstance(answer, str):
        write_styled(sys.stdout, printable_lines(answer))
        return
    _record(answer, is_answer=True)
    _require_open_stdout(answer)
    # Bytes, so that no locale and no line ending of the platform gets at what programs read.
    sys.stdout.flush()
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def err(text: str) -> None:
    """Write words for people; nobody listening is no reason to fail."""
    write_styled(sys.stderr, printable_lines(text))


def write_styled(stream: TextIO, text: str) -> None:
    """Write what a report made for people: the texts in it are printable, and its colours are to stay."""
    _record(text, is_answer=stream is sys.stdout)
    if stream is sys.stdout:
        _require_open_stdout(text)
        stream.write(text)
        return
    with suppress(OSError):
        stream.write(text)
        stream.flush()


def _record(output: str | bytes, *, is_answer: bool) -> None:
    for said in _recordings:
        said.append((is_answer, output))


def _require_open_stdout(answer: str | bytes) -> None:
    if answer and "stdout" in _closed:
        raise MachineError("ET805", "stdout is closed, and the answer is lost", "send it to a file, or to /dev/null")


def has_reader(stream: TextIO) -> bool:
    """Whether anybody may still read what is written; it takes no writing to find out."""
    poll = select.poll()
    poll.register(stream, 0)
    # Some systems cannot poll every kind of file, and answer with a third flag.
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def should_color(stream: TextIO, choice: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to write in colour: first `--color` decides, then NO_COLOR, a dumb terminal, FORCE_COLOR, a terminal."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty()


def prepare_streams() -> None:
    """Make the streams safe to write to, whatever the caller closed and whatever the locale cannot spell."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            _closed.add(name)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 -- it is the stream from now on
        getattr(sys, name).reconfigure(errors="backslashreplace")
