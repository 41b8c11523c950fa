"""The variables as one YAML map, every name and every value a text to all readers of YAML."""

from envtree.output.emit.dialect import Dialect, WriterInput, omission_comments
from envtree.output.emit.yaml_text import format_document


def yaml(env: WriterInput) -> bytes:
    """Names and texts, in double quotes."""
    return "".join([*omission_comments(env), format_document(dict(env.texts))]).encode()


DIALECT = Dialect((yaml,))
