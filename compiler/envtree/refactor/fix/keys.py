"""The key that was meant by a misspelt one, where there is next to no doubt."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import orjson

from envtree.frontend.schemas import Schemas
from envtree.frontend.validate.message_text import READ_ONLY_KEYS
from envtree.model.diagnostic import Diagnostic
from envtree.model.source import Kind
from envtree.refactor.fix.parsed_file import ParsedFile, Replacement, count_by_identity, parse_file

_MIN_KEY_LENGTH = 3
_UNKNOWN_KEY_CODE = "ET201"


class SchemaKeys:
    """The keys that the schemas name."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._keys: dict[str, frozenset[str]] = {}

    def keys_of_kind(self, kind: Kind) -> frozenset[str]:
        """All keys that a file of a kind may have somewhere."""
        if kind not in self._keys:
            self._keys[kind] = frozenset(_property_names(orjson.loads(self._schemas.text(kind))))
        return self._keys[kind]

    @cached_property
    def all_keys(self) -> frozenset[str]:
        """All keys of all files, and those that the control plane has."""
        return READ_ONLY_KEYS.union(*(self.keys_of_kind(kind) for kind in Kind if kind in self._schemas.names()))


def correct_key(
    parsed: ParsedFile, finding: Diagnostic, schema_keys: SchemaKeys, schemas: Schemas
) -> Replacement | None:
    """The one known key that an unknown one is a single slip away from, in its place."""
    mark = finding.span[1:]
    found = [(mapping, key) for _, mapping in parsed.maps() for key, at in mapping.key_marks.items() if at == mark]
    if len(found) != 1:
        # Aliases repeat the map, and what is a typing error here may be right there.
        return None
    mapping, key = found[0]
    # A key that is known elsewhere is not misspelt: it stands in the wrong place.
    if len(key) < _MIN_KEY_LENGTH or key in schema_keys.all_keys:
        return None
    close = [word for word in schema_keys.keys_of_kind(parsed.source.location.kind) if is_one_edit_apart(key, word)]
    if any(word in mapping.entries for word in close):
        return None
    token = parsed.token_at(finding.span)
    quote = next((quote for quote in ("", '"', "'") if token.text == f"{quote}{key}{quote}"), None)
    if quote is None:
        return None
    readings = [_try_key(parsed, finding, token._replace(text=f"{quote}{word}{quote}"), schemas) for word in close]
    known = [(replacement, after) for replacement, after in filter(None, readings)]
    if len(known) != 1:
        return None
    replacement, after = known[0]
    return replacement if not after.finding_counts() - parsed.finding_counts() else None


def is_one_edit_apart(word: str, other: str) -> bool:
    """Whether one letter more, one less, another one, or two that changed places make one word the other."""
    if len(word) < len(other):
        word, other = other, word
    at = next((at for at, (one, two) in enumerate(zip(word, other, strict=False)) if one != two), len(other))
    if len(word) > len(other):
        return word[at + 1 :] == other[at:]
    swapped = word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]
    return word != other and (word[at + 1 :] == other[at + 1 :] or swapped == other[at:])


def _try_key(
    parsed: ParsedFile, finding: Diagnostic, replacement: Replacement, schemas: Schemas
) -> tuple[Replacement, ParsedFile] | None:
    """The file with another key in the place of the unknown one; None if that one is not known there."""
    after = parse_file(parsed.with_replacements([replacement]), schemas)
    start = finding.span[:3]
    if after is None or any(one.code == _UNKNOWN_KEY_CODE and one.span[:3] == start for one in after.findings):
        return None
    is_gone = count_by_identity([finding]) <= parsed.finding_counts() - after.finding_counts()
    return (replacement, after) if is_gone else None


def _property_names(schema: Any) -> Iterator[str]:
    """The names in all `properties` of a schema."""
    if isinstance(schema, list):
        for each in schema:
            yield from _property_names(each)
    elif isinstance(schema, dict):
        named = schema.get("properties")
        yield from named if isinstance(named, dict) else ()
        for each in schema.values():
            yield from _property_names(each)
