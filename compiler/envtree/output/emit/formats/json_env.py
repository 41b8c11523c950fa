"""The variables as one JSON object."""

from envtree.model.canonical_json import encode_canonical
from envtree.output.emit.dialect import Dialect, WriterInput


def json_env(env: WriterInput) -> bytes:
    """Return an object of names and texts."""
    return encode_canonical(env.texts)


DIALECT = Dialect((json_env,))
