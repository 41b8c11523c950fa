"""The marker in a live object: the organization that owns it, and digests of the fields as they were last sent.

The digests show whether a field that differs was changed by the tree or at the control plane, and are all that a
write-only field can be compared with. No digest is of a secret, because no secret is sent.

Most kinds have a map for users of the API. A policy has only tags. A skill has not even these, and its configuration is
passed to its code, so the marker is at the end of its description. These two have one digest for all sent fields.
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

# The key of the digest of all associations, beside those of the fields.
LINKS_KEY = "links"
# The owner, a bit mask of the fields, and their digest.
_TEXT_MARKER = re.compile(r"envtree:(?P<owner>[a-z0-9_-]+):(?P<fields>[0-9a-f]+):(?P<digest>[0-9a-f]{16})")


class Marker(NamedTuple):
    """A parsed marker: `digests` has one for each field, or `combined` a set of fields with one digest."""

    owner: str
    digests: Mapping[str, str]
    combined: tuple[frozenset[str], str] | None = None

    @property
    def fields(self) -> frozenset[str]:
        """The fields that were sent."""
        return self.combined[0] if self.combined else frozenset(self.digests) - {LINKS_KEY}

    def has_drifted(self, field: str, current: Mapping[str, Any]) -> bool:
        """Report whether a field differs from the value that was sent; False for a field that was not."""
        if self.combined:
            fields, digest = self.combined
            return field in fields and _combined_digest(fields, current) != digest
        return field in self.digests and self.digests[field] != value_digest(current.get(field))


def value_digest(value: Any) -> str:
    """Return the digest that represents a value in a marker."""
    return hashlib.sha256(encode_compact(value).encode()).hexdigest()[:16]


def _combined_digest(fields: Iterable[str], current: Mapping[str, Any]) -> str:
    return value_digest({field: current.get(field) for field in fields})


def build_marker(kind: ResourceKind, owner: str, sent: NormalizedFields, links: str | None = None) -> Marker:
    """Return the marker of an object to which these normalized fields are sent."""
    if _uses_text_marker(kind):
        fields = frozenset(sent) - RESOURCE_SCHEMAS[kind].write_only
        return Marker(owner, {}, (fields, _combined_digest(fields, sent)))
    digests = {field: value_digest(value) for field, value in sent.items()}
    return Marker(owner, digests if links is None else {**digests, LINKS_KEY: links})


def read_marker(kind: ResourceKind, live_object: ApiObject) -> Marker | None:
    """Return the marker of an object, None if it has none."""
    if _uses_text_marker(kind):
        tags = live_object.get("tags") if kind == "policy" else [live_object.get("description") or ""]
        match = next(filter(None, map(_TEXT_MARKER.search, tags or ())), None)
        return _parse_text_marker(kind, match) if match else None
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
    """Return a body with a marker; `base` provides the field that contains it where the body does not."""
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
    data = {"owner": marker.owner, "sent": dict(sorted(marker.digests.items()))}
    if inner:
        value[inner[0]] = {**(value.get(inner[0]) or {}), MARKER_KEY: data}
    else:
        value[MARKER_KEY] = data
    return {**body, field: value}


def _uses_text_marker(kind: ResourceKind) -> bool:
    return kind in ("policy", "skill")


def _format_text_marker(kind: ResourceKind, marker: Marker) -> str:
    """Return a marker as one word; its fields are a bit mask over the sorted field names."""
    assert marker.combined
    fields, digest = marker.combined
    bits = sum(1 << position for position, field in enumerate(sorted(RESOURCE_SCHEMAS[kind].fields)) if field in fields)
    return f"envtree:{marker.owner}:{bits:x}:{digest}"


def _parse_text_marker(kind: ResourceKind, match: re.Match[str]) -> Marker:
    bits = int(match["fields"], 16)
    fields = frozenset(
        field for position, field in enumerate(sorted(RESOURCE_SCHEMAS[kind].fields)) if bits >> position & 1
    )
    return Marker(match["owner"], {}, (fields, match["digest"]))
