"""Values for variables of Terraform and OpenTofu, one variable per section of a bundle."""

import unicodedata

from envtree.model.canonical_json import encode_canonical
from envtree.output.emit.dialect import Dialect, WriterInput

_OMITTED_KEYS = frozenset({"id", "secrets", "digest"})


def terraform(env: WriterInput) -> bytes:
    """Return `env_vars` as a map of strings, and the other sections as in the bundle."""
    if env.is_secrets_only:
        # Another name than `env_vars`: if two files set one variable, the last one wins.
        return encode_canonical({"sensitive_env_vars": env.texts})
    data = {name: value for name, value in env.data.items() if name not in _OMITTED_KEYS}
    return encode_canonical(data | {"env_vars": env.texts})


def rejection_reason(_: str, text: str) -> str:
    """Return why Terraform would change a value, or ""; it normalises every text to Unicode's normal form C."""
    return "" if unicodedata.is_normalized("NFC", text) else "its value is not in Unicode's normal form C"


DIALECT = Dialect((terraform,), rejection_reason)
