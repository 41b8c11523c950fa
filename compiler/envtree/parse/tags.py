"""Explicit tags: those of the JSON core, where they say what the value is anyway."""

from collections.abc import Mapping
from types import MappingProxyType

from envtree.node import Plain
from envtree.parse.plain import read_plain
from envtree.parse.report import Report
from envtree.span import Mark

_CORE = "tag:yaml.org,2002:"
_HINT = "remove the tag, or quote a text that begins with '!'"
_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
)


def read_tagged(text: str, tag: str, at: Mark, report: Report) -> Plain:
    """The value of a scalar with a tag; its text where the tag can't be obeyed."""
    name = tag.removeprefix(_CORE)
    if name == "str":
        return text
    if name not in _TYPES or name == tag:
        report.add(at, "ET104", "found a tag that is not allowed on a scalar", _HINT)
        return text
    value, _ = read_plain(text)
    if type(value) not in _TYPES[name]:
        report.add(at, "ET104", f"found the tag '!!{name}' on a value of another type", "remove the tag")
        return text
    return float(value) if name == "float" and type(value) is int else value


def is_merge(tag: str) -> bool:
    """Whether a tag is the one that some writers put before '<<'."""
    return tag == f"{_CORE}merge"


def check_collection(tag: str, kind: str, at: Mark, report: Report) -> None:
    """Report a tag on a map or a list that is not its own."""
    if tag != _CORE + kind:
        report.add(at, "ET104", f"found a tag that is not allowed on a {'map' if kind == 'map' else 'list'}", _HINT)
