"""Sections of a bundle as further environment variables, by the rule that organization.yaml states."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath

NAME_PLACEHOLDER = "{name}"

_INVALID_CHARACTER = re.compile("[^A-Z0-9_]")


class FlatVariable(NamedTuple):
    """One variable: its name, the place of its value, and the value, in which parts may be hidden."""

    name: str
    path: KeyPath
    value: Any


def flatten(data: Mapping[str, Any], patterns: Mapping[str, str]) -> Iterator[FlatVariable]:
    """The variables of the sections that have a pattern.

    A map is a variable for each of its keys, at any depth; a list is one variable, and so is what is hidden as a
    whole, for nobody without a key could say what is in it. What is null, or an empty map, is none.
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
    """Keys in upper case, joined by `_`, which also stands for what no name may have."""
    joined = _INVALID_CHARACTER.sub("_", "_".join(keys).upper())
    name = pattern.replace(NAME_PLACEHOLDER, joined) if NAME_PLACEHOLDER in pattern else pattern + joined
    return f"_{name}" if name[:1].isdigit() else name
