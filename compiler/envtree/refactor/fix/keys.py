"""The key that was meant by a misspelt one, where there is next to no doubt."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import orjson

from envtree.frontend.schemas import Schemas
from envtree.frontend.validate.wording import READ_ONLY
from envtree.model.diagnostic import Diagnostic
from envtree.model.source import Kind
from envtree.refactor.fix.reading import Reading, Replacement, count, read

_SHORTEST = 3
_UNKNOWN = "ET201"


class Vocabulary:
    """The keys that the schemas name."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._words: dict[str, frozenset[str]] = {}

    def of(self, kind: Kind) -> frozenset[str]:
        """All keys that a file of a kind may have somewhere."""
        if kind not in self._words:
            self._words[kind] = frozenset(_properties(orjson.loads(self._schemas.text(kind))))
        return self._words[kind]

    @cached_property
    def everywhere(self) -> frozenset[str]:
        """All keys of all files, and those that the control plane has."""
        return READ_ONLY.union(*(self.of(kind) for kind in Kind if kind in self._schemas.names()))


def rename_key(reading: Reading, finding: Diagnostic, vocabulary: Vocabulary, schemas: Schemas) -> Replacement | None:
    """The one known key that an unknown one is a single slip away from, in its place."""
    mark = finding.span[1:]
    found = [(mapping, key) for _, mapping in reading.maps() for key, at in mapping.keys.items() if at == mark]
    if len(found) != 1:
        # Aliases repeat the map, and what is a typing error here may be right there.
        return None
    mapping, key = found[0]
    # A key that is known elsewhere is not misspelt: it stands in the wrong place.
    if len(key) < _SHORTEST or key in vocabulary.everywhere:
        return None
    close = [word for word in vocabulary.of(reading.source.location.kind) if one_slip(key, word)]
    if any(word in mapping.entries for word in close):
        return None
    token = reading.token(finding.span)
    quote = next((quote for quote in ("", '"', "'") if token.text == f"{quote}{key}{quote}"), None)
    if quote is None:
        return None
    readings = [_try(reading, finding, token._replace(text=f"{quote}{word}{quote}"), schemas) for word in close]
    known = [(replacement, after) for replacement, after in filter(None, readings)]
    if len(known) != 1:
        return None
    replacement, after = known[0]
    return replacement if not after.counted() - reading.counted() else None


def one_slip(word: str, other: str) -> bool:
    """Whether one letter more, one less, another one, or two that changed places make one word the other."""
    if len(word) < len(other):
        word, other = other, word
    at = next((at for at, (one, two) in enumerate(zip(word, other, strict=False)) if one != two), len(other))
    if len(word) > len(other):
        return word[at + 1 :] == other[at:]
    swapped = word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]
    return word != other and (word[at + 1 :] == other[at + 1 :] or swapped == other[at:])


def _try(
    reading: Reading, finding: Diagnostic, replacement: Replacement, schemas: Schemas
) -> tuple[Replacement, Reading] | None:
    """The file with another key in the place of the unknown one; None if that one is not known there."""
    after = read(reading.with_text([replacement]), schemas)
    start = finding.span[:3]
    if after is None or any(one.code == _UNKNOWN and one.span[:3] == start for one in after.findings):
        return None
    is_gone = count([finding]) <= reading.counted() - after.counted()
    return (replacement, after) if is_gone else None


def _properties(schema: Any) -> Iterator[str]:
    """The names in all `properties` of a schema."""
    if isinstance(schema, list):
        for each in schema:
            yield from _properties(each)
    elif isinstance(schema, dict):
        named = schema.get("properties")
        yield from named if isinstance(named, dict) else ()
        for each in schema.values():
            yield from _properties(each)
