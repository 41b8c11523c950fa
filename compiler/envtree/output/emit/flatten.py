"""Turn sections of a bundle into further environment variables, as `output.env` of organization.yaml asks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath

NAME_PLACEHOLDER = "{name}"

_INVALID_CHARACTER = re.compile("[^A-Z0-9_]")


class FlatVariable(NamedTuple):
    """One variable: its name, the path of its value, and the value, in which parts may be hidden."""

    name: str
    path: KeyPath
    value: Any


def flatten(data: Mapping[str, Any], patterns: Mapping[str, str]) -> Iterator[FlatVariable]:
    """Yield the variables of the sections that have a pattern.

    A map gives a variable for each of its keys, at any depth. A list is one variable, and so is a value that is hidden
    as a whole, because its content is unknown without a key. Null and an empty map give none.
    """
    for section, pattern in patterns.items():
        for path, value in _leaves(data[section], (section,)):
            yield FlatVariable(_variable_name(pattern, path[1:]), path, value)


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif value is not None:
        yield path, value


def _variable_name(pattern: str, keys: KeyPath) -> str:
    """Return the keys in upper case, joined by `_`, which also replaces characters that no name may have."""
    joined = _INVALID_CHARACTER.sub("_", "_".join(keys).upper())
    name = pattern.replace(NAME_PLACEHOLDER, joined) if NAME_PLACEHOLDER in pattern else pattern + joined
    return f"_{name}" if name[:1].isdigit() else name
