"""The variables as one YAML map; every YAML reader takes every name and value for text."""

from envtree.output.emit.dialect import Dialect, WriterInput, omission_comments
from envtree.output.emit.yaml_text import format_document


def yaml(env: WriterInput) -> bytes:
    """Return a map of names and texts in double quotes."""
    return "".join([*omission_comments(env), format_document(dict(env.texts))]).encode()


DIALECT = Dialect((yaml,))
