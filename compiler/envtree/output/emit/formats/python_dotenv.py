"""A file for python-dotenv, as `load_dotenv` and `dotenv_values` read it by default: with substitution."""

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def python_dotenv(env: WriterInput) -> bytes:
    """Every value in double quotes; what would be substituted is put in by a substitution of nothing."""
    return format_lines(env, lambda name, text: f'{name}="{_escape(text)}"')


def _escape(text: str) -> str:
    # There is no escape for `${`, and single quotes do not stop it either.
    quoted = text.translate(_ESCAPES).replace("${", "${:-$}{")
    # A backslash before the closing quote is taken for its escape, however many there are.
    return f"{quoted}${{:-}}" if text.endswith("\\") else quoted


DIALECT = Dialect((python_dotenv,), starts_process=False)
