"""Files to append to `$GITHUB_ENV` and `$GITHUB_OUTPUT`, and what to print before: the masks of the secrets in them."""

import hashlib
from collections.abc import Iterator

from envtree.output.emit.dialect import Dialect, SizeLimit, WriterInput, format_lines

# The runner keeps these for itself.
_RESERVED = frozenset({"NODE_OPTIONS"})
_RESERVED_PREFIXES = ("GITHUB_", "RUNNER_")
# What the outputs of a job may have in all, as UTF-16.
_MAX_OUTPUTS_SIZE = 1024 * 1024

_COMMAND_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


def write_variables(env: WriterInput) -> bytes:
    """Each value between two lines that do not stand in it; the runner knows no comments."""
    return format_lines(env, _heredoc, comments=False)


def write_masks(env: WriterInput) -> bytes:
    """A command for each secret, which keeps the runner from showing it: to be printed before the file is read."""
    found = sorted({env.texts[name] for name in env.secret_names} - {""})
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


def _output_rejection_reason(_: str, text: str) -> str:
    # On Windows the runner takes it for a part of the end of the line.
    return "its value ends in a carriage return" if text.endswith("\r") else ""


def _env_rejection_reason(name: str, text: str) -> str:
    if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
        return "the runner does not let this name be set"
    return _output_rejection_reason(name, text)


def _check_size(env: WriterInput, _: tuple[bytes, ...]) -> Iterator[SizeLimit]:
    size = sum(len(text.encode("utf-16-le")) for text in env.texts.values())
    if size > _MAX_OUTPUTS_SIZE:
        message = (
            f"the values for 'github-output' have {size} bytes, and the outputs of a job may have {_MAX_OUTPUTS_SIZE}"
        )
        yield SizeLimit(False, message, "output fewer, or upload a file as an artifact")


GITHUB_ENV = Dialect((write_variables, write_masks), _env_rejection_reason, starts_process=True)
GITHUB_OUTPUT = Dialect((write_variables, write_masks), _output_rejection_reason, check_size=_check_size)
