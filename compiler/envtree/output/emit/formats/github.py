"""Files to append to `$GITHUB_ENV` and `$GITHUB_OUTPUT`, and the mask commands to print before that."""

import hashlib
from collections.abc import Iterator

from envtree.output.emit.dialect import Dialect, SizeLimit, WriterInput, format_lines

# Names that the runner does not allow to set.
_RESERVED = frozenset({"NODE_OPTIONS"})
_RESERVED_PREFIXES = ("GITHUB_", "RUNNER_")
# Limit of all outputs of a job together, in bytes of UTF-16.
_MAX_OUTPUTS_SIZE = 1024 * 1024

_COMMAND_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


def write_variables(env: WriterInput) -> bytes:
    """Return each value between two delimiter lines; the runner knows no comments."""
    return format_lines(env, _heredoc, comments=False)


def write_masks(env: WriterInput) -> bytes:
    """Return an `add-mask` command for each secret; print them before the file is read to hide the secrets in logs."""
    secrets = sorted({env.texts[name] for name in env.secret_names} - {""})
    return "".join(f"::add-mask::{text.translate(_COMMAND_DATA)}\n" for text in secrets).encode()


def _heredoc(name: str, text: str) -> str:
    end = delimiter(text)
    return f"{name}<<{end}\n{text}\n{end}"


def delimiter(text: str) -> str:
    """Return a line that the text does not contain, deterministic and unpredictable for the author of the text.

    It is a hash of the whole text: inserting a delimiter into the text changes the delimiter.
    """
    return next(candidate for candidate in _delimiters(text) if candidate not in text)


def _delimiters(text: str) -> Iterator[str]:
    digest = hashlib.sha256(text.encode()).hexdigest()
    while True:
        yield f"envtree_{digest[:32]}"
        digest = hashlib.sha256(digest.encode()).hexdigest()


def _output_rejection_reason(_: str, text: str) -> str:
    # On Windows the runner takes the carriage return for a part of the line end.
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


GITHUB_ENV = Dialect((write_variables, write_masks), _env_rejection_reason, starts_process=True, is_read_by_shell=True)
GITHUB_OUTPUT = Dialect((write_variables, write_masks), _output_rejection_reason, check_size=_check_size)
