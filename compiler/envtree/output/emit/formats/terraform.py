"""Values for variables of Terraform and OpenTofu, those of a bundle's sections by their names."""

import unicodedata

from envtree.model.canonical_json import encode_canonical
from envtree.output.emit.dialect import Dialect, WriterInput

_OMITTED_KEYS = frozenset({"id", "secrets", "digest"})


def terraform(env: WriterInput) -> bytes:
    """`env_vars` as a map of strings, and the rest as it stands in the bundle."""
    if env.is_secrets_only:
        # Of two files that set one variable, the last wins.
        return encode_canonical({"sensitive_env_vars": env.texts})
    data = {name: value for name, value in env.data.items() if name not in _OMITTED_KEYS}
    return encode_canonical(data | {"env_vars": env.texts})


def rejection_reason(_: str, text: str) -> str:
    """Terraform keeps every text in Unicode's normal form C."""
    return "" if unicodedata.is_normalized("NFC", text) else "its value is not in Unicode's normal form C"


DIALECT = Dialect((terraform,), rejection_reason)
