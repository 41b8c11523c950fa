"""Files to append to `$GITHUB_ENV` and `$GITHUB_OUTPUT`, and what to print before: the masks of the secrets in them."""

import hashlib
from collections.abc import Iterator

from envtree.output.emit.dialect import Dialect, Excess, Variables, lines

# The runner keeps these for itself.
_RESERVED = frozenset({"NODE_OPTIONS"})
_RESERVED_PREFIXES = ("GITHUB_", "RUNNER_")
# What the outputs of a job may have in all, as UTF-16.
_OUTPUTS = 1024 * 1024

_COMMAND_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


def variables(given: Variables) -> bytes:
    """Each value between two lines that do not stand in it; the runner knows no comments."""
    return lines(given, _heredoc, comments=False)


def masks(given: Variables) -> bytes:
    """A command for each secret, which keeps the runner from showing it: to be printed before the file is read."""
    found = sorted({given.texts[name] for name in given.secret} - {""})
    return "".join(f"::add-mask::{text.translate(_COMMAND_DATA)}\n" for text in found).encode()


def _heredoc(name: str, text: str) -> str:
    mark = delimiter(text)
    return f"{name}<<{mark}\n{text}\n{mark}"


def delimiter(text: str) -> str:
    """A line that does not stand in a text; the same one each time, and nobody who writes the text can foresee it.

    It hangs on the whole text: who puts a delimiter into a text has changed it by that.
    """
    return next(mark for mark in _delimiters(text) if mark not in text)


def _delimiters(text: str) -> Iterator[str]:
    digest = hashlib.sha256(text.encode()).hexdigest()
    while True:
        yield f"envtree_{digest[:32]}"
        digest = hashlib.sha256(digest.encode()).hexdigest()


def _ending(_: str, text: str) -> str:
    # On Windows the runner takes it for a part of the end of the line.
    return "its value ends in a carriage return" if text.endswith("\r") else ""


def _refusal(name: str, text: str) -> str:
    if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
        return "the runner does not let this name be set"
    return _ending(name, text)


def _excess(given: Variables, _: tuple[bytes, ...]) -> Iterator[Excess]:
    size = sum(len(text.encode("utf-16-le")) for text in given.texts.values())
    if size > _OUTPUTS:
        message = f"the values for 'github-output' have {size} bytes, and the outputs of a job may have {_OUTPUTS}"
        yield Excess(False, message, "output fewer, or upload a file as an artifact")


GITHUB_ENV = Dialect((variables, masks), _refusal, process=True)
GITHUB_OUTPUT = Dialect((variables, masks), _ending, excess=_excess)
