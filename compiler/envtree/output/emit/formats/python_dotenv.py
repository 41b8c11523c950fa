"""A file for python-dotenv as `load_dotenv` and `dotenv_values` read it by default, with substitution."""

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def python_dotenv(env: WriterInput) -> bytes:
    """Return every value in double quotes; a literal `${` is written as a substitution with a default."""
    return format_lines(env, lambda name, text: f'{name}="{_escape(text)}"')


def _escape(text: str) -> str:
    # `${` cannot be escaped, and single quotes do not prevent substitution either.
    quoted = text.translate(_ESCAPES).replace("${", "${:-$}{")
    # Any number of backslashes before the closing quote escapes it, so an empty substitution separates them.
    return f"{quoted}${{:-}}" if text.endswith("\\") else quoted


DIALECT = Dialect((python_dotenv,), starts_process=False)
