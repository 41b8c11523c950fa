"""A `.env` file for Docker Compose."""

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines, format_plain_lines

_SPECIAL = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"}
_ESCAPES = str.maketrans(_SPECIAL)


def compose(env: WriterInput) -> bytes:
    """Return every value in double quotes, with substitution escaped."""
    joined = env.joined_text
    if any(special in joined for special in _SPECIAL):
        return format_lines(env, lambda name, text: f'{name}="{escape(text)}"')
    return format_plain_lines(env, '="', '"\n')


def escape(text: str) -> str:
    """Return a text escaped for double quotes."""
    return text.translate(_ESCAPES)


DIALECT = Dialect((compose,), starts_process=True)
