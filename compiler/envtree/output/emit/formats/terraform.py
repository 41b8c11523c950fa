"""Values for variables of Terraform and OpenTofu, those of a bundle's sections by their names."""

import unicodedata

from envtree.model.canonical_json import canonical
from envtree.output.emit.dialect import Dialect, Variables

_LEFT_ASIDE = frozenset({"id", "secrets", "digest"})


def terraform(given: Variables) -> bytes:
    """`env_vars` as a map of strings, and the rest as it stands in the bundle."""
    if given.apart:
        # Of two files that set one variable, the last wins.
        return canonical({"sensitive_env_vars": given.texts})
    data = {name: value for name, value in given.data.items() if name not in _LEFT_ASIDE}
    return canonical(data | {"env_vars": given.texts})


def refusal(_: str, text: str) -> str:
    """Terraform keeps every text in Unicode's normal form C."""
    return "" if unicodedata.is_normalized("NFC", text) else "its value is not in Unicode's normal form C"


DIALECT = Dialect((terraform,), refusal)
