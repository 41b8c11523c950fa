"""Where a bundle breaks a policy's schema, and the rule that it breaks, in the schema's own words."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from envtree.model.canonical_json import encode_compact

DataPath = tuple[str | int, ...]

_MAX_ARGUMENT_LENGTH = 80


class Violation(NamedTuple):
    """A path into the bundle, and a rule such as `maximum: 8`; what was found there is never part of it."""

    path: DataPath
    rule: str


def make_violation(path: Iterable[str | int], keyword: str, argument: Any) -> Violation:
    """A breach of a keyword of the schema; only a short argument is told."""
    text = argument if isinstance(argument, str) else encode_compact(argument)
    told = not isinstance(argument, dict) and len(text) <= _MAX_ARGUMENT_LENGTH
    return Violation(tuple(path), f"{keyword}: {text}" if told else keyword)


def false_schema_violation(path: DataPath) -> Violation:
    """A breach of the schema `false`."""
    return Violation(path, "false, which nothing fits")
