"""The two streams: stdout carries the answer, stderr the words about it."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO


def out(answer: str | bytes) -> None:
    """Write the answer."""
    if isinstance(answer, str):
        sys.stdout.write(answer)
        return
    # Bytes, so that no locale and no line ending of the platform gets at what programs read.
    sys.stdout.flush()
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def err(words: str) -> None:
    """Write words for people; nobody listening is no reason to fail."""
    with suppress(OSError):
        sys.stderr.write(words)
        sys.stderr.flush()


def colored(stream: TextIO, choice: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to write in colour: first `--color` decides, then NO_COLOR, a dumb terminal, FORCE_COLOR, a terminal."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty()


def prepare() -> None:
    """Make the streams safe to write to, whatever the caller closed and whatever the locale cannot spell."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        getattr(sys, name).reconfigure(errors="backslashreplace")
