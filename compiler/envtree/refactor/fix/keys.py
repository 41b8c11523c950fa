"""Correct a misspelt key if there is exactly one plausible key."""

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
    """The keys that the schemas define."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._keys: dict[str, frozenset[str]] = {}

    def keys_of_kind(self, kind: Kind) -> frozenset[str]:
        """Return all keys that a file of a kind may have anywhere."""
        if kind not in self._keys:
            self._keys[kind] = frozenset(_property_names(orjson.loads(self._schemas.text(kind))))
        return self._keys[kind]

    @cached_property
    def all_keys(self) -> frozenset[str]:
        """All keys of all kinds of files, and the read-only keys of the control plane."""
        return READ_ONLY_KEYS.union(*(self.keys_of_kind(kind) for kind in Kind if kind in self._schemas.names()))


def correct_key(
    parsed: ParsedFile, finding: Diagnostic, schema_keys: SchemaKeys, schemas: Schemas
) -> Replacement | None:
    """Return the replacement of an unknown key by the only known key that is one edit away; None if there is none."""
    mark = finding.span[1:]
    occurrences = [
        (mapping, key)
        for _, mapping in parsed.maps()
        for key, key_mark in mapping.key_marks.items()
        if key_mark == mark
    ]
    if len(occurrences) != 1:
        # Aliases repeat the map, and a key that is wrong in one place may be right in another.
        return None
    mapping, key = occurrences[0]
    # A key that is known elsewhere is not misspelt, but in the wrong place.
    if len(key) < _MIN_KEY_LENGTH or key in schema_keys.all_keys:
        return None
    kind = parsed.source.location.kind
    candidates = [name for name in schema_keys.keys_of_kind(kind) if is_one_edit_apart(key, name)]
    if any(candidate in mapping.entries for candidate in candidates):
        return None
    token = parsed.token_at(finding.span)
    quote = next((quote for quote in ("", '"', "'") if token.text == f"{quote}{key}{quote}"), None)
    if quote is None:
        return None
    replacements = [token._replace(text=f"{quote}{candidate}{quote}") for candidate in candidates]
    attempts = [_try_key(parsed, finding, replacement, schemas) for replacement in replacements]
    accepted = list(filter(None, attempts))
    if len(accepted) != 1:
        return None
    replacement, after = accepted[0]
    return replacement if not after.finding_counts() - parsed.finding_counts() else None


def is_one_edit_apart(left: str, right: str) -> bool:
    """Report whether two words differ by one inserted, deleted or replaced letter, or two swapped neighbours."""
    if len(left) < len(right):
        left, right = right, left
    start = next((start for start, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), len(right))
    if len(left) > len(right):
        return left[start + 1 :] == right[start:]
    swapped = left[start + 1 : start + 2] + left[start : start + 1] + left[start + 2 :]
    return left != right and (left[start + 1 :] == right[start + 1 :] or swapped == right[start:])


def _try_key(
    parsed: ParsedFile, finding: Diagnostic, replacement: Replacement, schemas: Schemas
) -> tuple[Replacement, ParsedFile] | None:
    """Return the file with the unknown key replaced; None if the replacement is not a known key there."""
    after = parse_file(parsed.with_replacements([replacement]), schemas)
    start = finding.span[:3]
    if after is None or any(
        remaining.code == _UNKNOWN_KEY_CODE and remaining.span[:3] == start for remaining in after.findings
    ):
        return None
    is_gone = count_by_identity([finding]) <= parsed.finding_counts() - after.finding_counts()
    return (replacement, after) if is_gone else None


def _property_names(schema: Any) -> Iterator[str]:
    """Yield the names in all `properties` of a schema."""
    if isinstance(schema, list):
        for item in schema:
            yield from _property_names(item)
    elif isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        for value in schema.values():
            yield from _property_names(value)
