"""Violations of a policy's schema: the path in the bundle, and the rule in the schema's own words."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from envtree.model.canonical_json import encode_compact

DataPath = tuple[str | int, ...]

_MAX_ARGUMENT_LENGTH = 80


class Violation(NamedTuple):
    """A path into the bundle, and a rule such as `maximum: 8`; never the value at the path."""

    path: DataPath
    rule: str


def make_violation(path: Iterable[str | int], keyword: str, argument: Any) -> Violation:
    """Return the violation of a keyword of the schema, with its argument if that is short."""
    text = argument if isinstance(argument, str) else encode_compact(argument)
    shows_argument = not isinstance(argument, dict) and len(text) <= _MAX_ARGUMENT_LENGTH
    return Violation(tuple(path), f"{keyword}: {text}" if shows_argument else keyword)


def false_schema_violation(path: DataPath) -> Violation:
    """Return the violation of the schema `false`."""
    return Violation(path, "false, which nothing fits")
