"""The variables as one YAML map, every name and every value a text to all readers of YAML."""

from envtree.output.emit.dialect import Dialect, Variables, left_out
from envtree.output.emit.yaml_text import document


def yaml(given: Variables) -> bytes:
    """Names and texts, in double quotes."""
    return "".join([*left_out(given), document(dict(given.texts))]).encode()


DIALECT = Dialect((yaml,))
