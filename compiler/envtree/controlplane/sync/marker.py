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

from envtree.controlplane.desired.desired_resource import ResourceKind
from envtree.controlplane.sync.resource_schemas import (
    MARKER_KEY,
    MARKER_TAG_PREFIX,
    RESOURCE_SCHEMAS,
    ApiObject,
    NormalizedFields,
    strip_description_marker,
)
from envtree.model.canonical_json import encode_compact

# What was sent of associations, beside the fields.
LINKS_KEY = "links"
# Whose, which fields, and their digest.
_TEXT_MARKER = re.compile(r"envtree:(?P<owner>[a-z0-9_-]+):(?P<fields>[0-9a-f]+):(?P<digest>[0-9a-f]{16})")


class Marker(NamedTuple):
    """What a marker says: `sent` has a digest for each field, or `whole` one for several."""

    owner: str
    digests: Mapping[str, str]
    combined: tuple[frozenset[str], str] | None = None

    @property
    def fields(self) -> frozenset[str]:
        """The fields that were sent."""
        return self.combined[0] if self.combined else frozenset(self.digests) - {LINKS_KEY}

    def has_drifted(self, field: str, current: Mapping[str, Any]) -> bool:
        """Whether a field is not what was sent; what was not is the server's own."""
        if self.combined:
            fields, told = self.combined
            return field in fields and _combined_digest(fields, current) != told
        return field in self.digests and self.digests[field] != value_digest(current.get(field))


def value_digest(value: Any) -> str:
    """What stands for a value in a marker."""
    return hashlib.sha256(encode_compact(value).encode()).hexdigest()[:16]


def _combined_digest(fields: Iterable[str], current: Mapping[str, Any]) -> str:
    return value_digest({field: current.get(field) for field in fields})


def build_marker(kind: ResourceKind, owner: str, sent: NormalizedFields, links: str | None = None) -> Marker:
    """The marker of an object to which these fields are sent."""
    if _uses_text_marker(kind):
        fields = frozenset(sent) - RESOURCE_SCHEMAS[kind].write_only
        return Marker(owner, {}, (fields, _combined_digest(fields, sent)))
    told = {field: value_digest(value) for field, value in sent.items()}
    return Marker(owner, told if links is None else {**told, LINKS_KEY: links})


def read_marker(kind: ResourceKind, live_object: ApiObject) -> Marker | None:
    """The marker of an object, None where it has none."""
    if _uses_text_marker(kind):
        tags = live_object.get("tags") if kind == "policy" else [live_object.get("description") or ""]
        said = next(filter(None, map(_TEXT_MARKER.search, tags or ())), None)
        return _parse_text_marker(kind, said) if said else None
    value: Any = live_object
    for key in (*RESOURCE_SCHEMAS[kind].marker_path, MARKER_KEY):
        value = value.get(key) if isinstance(value, Mapping) else None
    if (
        not RESOURCE_SCHEMAS[kind].marker_path
        or not isinstance(value, Mapping)
        or not isinstance(value.get("owner"), str)
    ):
        return None
    sent = value.get("sent")
    return Marker(value["owner"], sent if isinstance(sent, Mapping) else {})


def with_marker(kind: ResourceKind, body: ApiObject, marker: Marker, base: ApiObject) -> dict[str, Any]:
    """A body with a marker; `base` has the field that it stands in, where the body has not."""
    if kind == "policy":
        tags = [tag for tag in body.get("tags", base.get("tags")) or () if not tag.startswith(MARKER_TAG_PREFIX)]
        return {**body, "tags": [*tags, _format_text_marker(kind, marker)]}
    if kind == "skill":
        text = strip_description_marker(body.get("description", base.get("description")))
        return {**body, "description": f"{text or ''} [{_format_text_marker(kind, marker)}]".lstrip()}
    if not RESOURCE_SCHEMAS[kind].marker_path:
        return dict(body)
    field, *inner = RESOURCE_SCHEMAS[kind].marker_path
    value = dict(body.get(field, base.get(field)) or {})
    said = {"owner": marker.owner, "sent": dict(sorted(marker.digests.items()))}
    if inner:
        value[inner[0]] = {**(value.get(inner[0]) or {}), MARKER_KEY: said}
    else:
        value[MARKER_KEY] = said
    return {**body, field: value}


def _uses_text_marker(kind: ResourceKind) -> bool:
    return kind in ("policy", "skill")


def _format_text_marker(kind: ResourceKind, marker: Marker) -> str:
    """A marker on one line; which fields it is of is told by one bit for each."""
    assert marker.combined
    fields, told = marker.combined
    bits = sum(1 << place for place, field in enumerate(sorted(RESOURCE_SCHEMAS[kind].fields)) if field in fields)
    return f"envtree:{marker.owner}:{bits:x}:{told}"


def _parse_text_marker(kind: ResourceKind, match: re.Match[str]) -> Marker:
    bits = int(match["fields"], 16)
    fields = frozenset(field for place, field in enumerate(sorted(RESOURCE_SCHEMAS[kind].fields)) if bits >> place & 1)
    return Marker(match["owner"], {}, (fields, match["digest"]))
