"""The variables as one JSON object."""

from envtree.model.canonical_json import canonical
from envtree.output.emit.dialect import Dialect, Variables


def json_env(given: Variables) -> bytes:
    """Names and texts."""
    return canonical(given.texts)


DIALECT = Dialect((json_env,))
