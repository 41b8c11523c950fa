"""Where a bundle breaks a policy's schema, and the rule that it breaks, in the schema's own words."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from envtree.model.canonical_json import compact

Path = tuple[str | int, ...]

_LONGEST = 80


class Breach(NamedTuple):
    """A path into the bundle, and a rule such as `maximum: 8`; what was found there is never part of it."""

    path: Path
    rule: str


def breach(path: Iterable[str | int], keyword: str, argument: Any) -> Breach:
    """A breach of a keyword of the schema; only a short argument is told."""
    text = argument if isinstance(argument, str) else compact(argument)
    told = not isinstance(argument, dict) and len(text) <= _LONGEST
    return Breach(tuple(path), f"{keyword}: {text}" if told else keyword)


def nothing_fits(path: Path) -> Breach:
    """A breach of the schema `false`."""
    return Breach(path, "false, which nothing fits")
