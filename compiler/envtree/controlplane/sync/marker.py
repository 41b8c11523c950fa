"""Whose an object is: a marker in it names the organization, and by digests what was sent last.

So a field that differs can be told apart: who has changed it, git or somebody behind its back. And of what the server
takes and never tells, the digest is all that there is to compare with. No digest is of a secret, for none is sent.

Most kinds have a map that is for whoever uses the API. A policy has tags only, and a skill not even these: what it is
configured with its code is called with, so its marker stands at the end of its description. There one digest is for
all fields that were sent.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired import Kind
from envtree.controlplane.sync.shapes import MARKER, SHAPES, TAG, Object, View, undescribed
from envtree.model.canonical_json import compact

# What was sent of associations, beside the fields.
LINKS = "links"
# Whose, which fields, and their digest.
_WORDS = re.compile(r"envtree:(?P<owner>[a-z0-9_-]+):(?P<fields>[0-9a-f]+):(?P<digest>[0-9a-f]{16})")


class Marker(NamedTuple):
    """What a marker says: `sent` has a digest for each field, or `whole` one for several."""

    owner: str
    sent: Mapping[str, str]
    whole: tuple[frozenset[str], str] | None = None

    @property
    def fields(self) -> frozenset[str]:
        """The fields that were sent."""
        return self.whole[0] if self.whole else frozenset(self.sent) - {LINKS}

    def moved(self, field: str, has: Mapping[str, Any]) -> bool:
        """Whether a field is not what was sent; what was not is the server's own."""
        if self.whole:
            fields, told = self.whole
            return field in fields and _together(fields, has) != told
        return field in self.sent and self.sent[field] != digest(has.get(field))


def digest(value: Any) -> str:
    """What stands for a value in a marker."""
    return hashlib.sha256(compact(value).encode()).hexdigest()[:16]


def _together(fields: Iterable[str], has: Mapping[str, Any]) -> str:
    return digest({field: has.get(field) for field in fields})


def new_marker(kind: Kind, owner: str, sent: View, links: str | None = None) -> Marker:
    """The marker of an object to which these fields are sent."""
    if _is_in_words(kind):
        fields = frozenset(sent) - SHAPES[kind].unread
        return Marker(owner, {}, (fields, _together(fields, sent)))
    told = {field: digest(value) for field, value in sent.items()}
    return Marker(owner, told if links is None else {**told, LINKS: links})


def marker(kind: Kind, found: Object) -> Marker | None:
    """The marker of an object, None where it has none."""
    if _is_in_words(kind):
        tags = found.get("tags") if kind == "policy" else [found.get("description") or ""]
        said = next(filter(None, map(_WORDS.search, tags or ())), None)
        return _read(kind, said) if said else None
    value: Any = found
    for key in (*SHAPES[kind].marker, MARKER):
        value = value.get(key) if isinstance(value, Mapping) else None
    if not SHAPES[kind].marker or not isinstance(value, Mapping) or not isinstance(value.get("owner"), str):
        return None
    sent = value.get("sent")
    return Marker(value["owner"], sent if isinstance(sent, Mapping) else {})


def marked(kind: Kind, body: Object, mark: Marker, base: Object) -> dict[str, Any]:
    """A body with a marker; `base` has the field that it stands in, where the body has not."""
    if kind == "policy":
        tags = [tag for tag in body.get("tags", base.get("tags")) or () if not tag.startswith(TAG)]
        return {**body, "tags": [*tags, _words(kind, mark)]}
    if kind == "skill":
        text = undescribed(body.get("description", base.get("description")))
        return {**body, "description": f"{text or ''} [{_words(kind, mark)}]".lstrip()}
    if not SHAPES[kind].marker:
        return dict(body)
    field, *inner = SHAPES[kind].marker
    value = dict(body.get(field, base.get(field)) or {})
    said = {"owner": mark.owner, "sent": dict(sorted(mark.sent.items()))}
    if inner:
        value[inner[0]] = {**(value.get(inner[0]) or {}), MARKER: said}
    else:
        value[MARKER] = said
    return {**body, field: value}


def _is_in_words(kind: Kind) -> bool:
    return kind in ("policy", "skill")


def _words(kind: Kind, mark: Marker) -> str:
    """A marker on one line; which fields it is of is told by one bit for each."""
    assert mark.whole
    fields, told = mark.whole
    bits = sum(1 << place for place, field in enumerate(sorted(SHAPES[kind].fields)) if field in fields)
    return f"envtree:{mark.owner}:{bits:x}:{told}"


def _read(kind: Kind, said: re.Match[str]) -> Marker:
    bits = int(said["fields"], 16)
    fields = frozenset(field for place, field in enumerate(sorted(SHAPES[kind].fields)) if bits >> place & 1)
    return Marker(said["owner"], {}, (fields, said["digest"]))
