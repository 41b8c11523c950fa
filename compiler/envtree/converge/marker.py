"""Whose an object is: a marker in it names the organization, and what was sent last by the digest of each field.

So a field that differs can be told apart: who has changed it, git or somebody behind its back. And of what the server
takes and never tells, the digest is all that there is to compare with. No digest is of a secret, for none is sent.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from envtree.canonical import compact
from envtree.converge.shapes import MARKER, SHAPES, TAG, Object
from envtree.kubiya.desired import Kind


class Marker(NamedTuple):
    """What a marker says."""

    owner: str
    sent: Mapping[str, str]


def digest(value: Any) -> str:
    """What stands for a value in a marker."""
    return hashlib.sha256(compact(value).encode()).hexdigest()[:16]


def marker(kind: Kind, found: Object) -> Marker | None:
    """The marker of an object, None where it has none."""
    if kind == "policy":
        owner = next((tag.removeprefix(TAG) for tag in found.get("tags") or () if tag.startswith(TAG)), None)
        return Marker(owner, {}) if owner else None
    value: Any = found
    for key in (*SHAPES[kind].marker, MARKER):
        value = value.get(key) if isinstance(value, Mapping) else None
    if not SHAPES[kind].marker or not isinstance(value, Mapping) or not isinstance(value.get("owner"), str):
        return None
    sent = value.get("sent")
    return Marker(value["owner"], sent if isinstance(sent, Mapping) else {})


def takes_marker(kind: Kind, body: Object) -> bool:
    """Whether an object has room for one. What a skill of type `custom` is configured with, its own code gets."""
    return kind == "policy" or (bool(SHAPES[kind].marker) and body.get("type") != "custom")


def marked(kind: Kind, body: Object, mark: Marker, base: Object) -> dict[str, Any]:
    """A body with a marker; `base` has the field that it stands in, where the body has not."""
    if not takes_marker(kind, {**base, **body}):
        return dict(body)
    if kind == "policy":
        tags = [tag for tag in body.get("tags", base.get("tags")) or () if not tag.startswith(TAG)]
        return {**body, "tags": [*tags, f"{TAG}{mark.owner}"]}
    field, *inner = SHAPES[kind].marker
    value = dict(body.get(field, base.get(field)) or {})
    said = {"owner": mark.owner, "sent": dict(sorted(mark.sent.items()))}
    if inner:
        value[inner[0]] = {**(value.get(inner[0]) or {}), MARKER: said}
    else:
        value[MARKER] = said
    return {**body, field: value}
