"""Read explicit tags: only those of the JSON core are accepted, and only where they agree with the value."""

from collections.abc import Mapping
from types import MappingProxyType

from envtree.frontend.parse.parse_report import ParseReport
from envtree.frontend.parse.plain_scalars import read_plain_scalar
from envtree.model.nodes import PlainValue
from envtree.model.span import Mark

_CORE = "tag:yaml.org,2002:"
_HINT = "remove the tag, or quote a text that begins with '!'"
_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
)
_NOUNS = MappingProxyType({"int": "an integer", "float": "a number", "bool": "true or false", "null": "null"})
_EXPECTED = MappingProxyType(
    {"scalar": "'!!str', '!!int', '!!float', '!!bool' or '!!null'", "map": "'!!map'", "list": "'!!seq'"}
)
# The only tags that messages quote: to a YAML reader, a password that begins with '!' is a tag.
_FOREIGN_TAGS = frozenset(
    {
        *(
            f"!!{name}"
            for name in ("binary", "merge", "omap", "pairs", "set", "timestamp", "value", "map", "seq", "str")
        ),
        *(f"!!{name}" for name in _TYPES),
        *("!", "!vault", "!secret", "!include", "!reference", "!ENV", "!env", "!Ref", "!Sub", "!GetAtt", "!Join"),
    }
)


def read_tagged(text: str, tag: str, at: Mark, report: ParseReport) -> PlainValue:
    """Return the value of a scalar with a tag; report a tag that does not apply, and return the text."""
    name = tag.removeprefix(_CORE)
    if name == "str":
        return text
    if name not in _TYPES or name == tag:
        _report_tag(tag, "scalar", at, report)
        return text
    value, _ = read_plain_scalar(text)
    if type(value) not in _TYPES[name]:
        actual = (
            "text" if isinstance(value, str) else next(_NOUNS[kind] for kind in _TYPES if type(value) in _TYPES[kind])
        )
        message = f"found the tag '!!{name}' on {actual}, expected {_NOUNS[name]}"
        report.add(at, "ET104", message, "correct the value, or remove the tag")
        return text
    return float(value) if name == "float" and type(value) is int else value


def is_merge_tag(tag: str) -> bool:
    """Report whether a tag is `!!merge`, which some writers put before '<<'."""
    return tag == f"{_CORE}merge"


def check_collection(tag: str, kind: str, at: Mark, report: ParseReport) -> None:
    """Report a tag on a map or a list other than `!!map` or `!!seq`."""
    if tag != _CORE + kind:
        _report_tag(tag, "map" if kind == "map" else "list", at, report)


def _report_tag(tag: str, noun: str, at: Mark, report: ParseReport) -> None:
    written = f"!!{tag.removeprefix(_CORE)}" if tag.startswith(_CORE) else tag
    described = f"the tag '{written}'" if written in _FOREIGN_TAGS else "a tag"
    report.add(at, "ET104", f"found {described} on a {noun}, expected none or {_EXPECTED[noun]}", _HINT)
