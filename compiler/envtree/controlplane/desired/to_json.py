"""The JSON of desired resources, which `compile --format kubiya` writes.

`{"$ref": "team/x"}` stands for an id; as the key of a map it is `$ref:team/x`. A user's key that looks like either gets
one more `$`, as in the language.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from envtree.controlplane.desired.desired_resource import DesiredLink, DesiredResource, ResourceRef

# A key that looks like a reference, however often it has been escaped.
_REFERENCE_LIKE = re.compile(r"\$+ref(:.*)?", re.DOTALL)


def resources_to_json(organization: str, resources: Iterable[DesiredResource]) -> dict[str, Any]:
    """Return the whole document; places are files without lines, so that moving a line changes nothing."""
    return {
        "envtree": "1",
        "organization": organization,
        "resources": [_resource_to_json(resource) for resource in resources],
    }


def _resource_to_json(resource: DesiredResource) -> dict[str, Any]:
    return {
        "kind": resource.kind,
        "name": resource.name,
        "path": resource.origin.path,
        "parent": body_to_json(resource.parent),
        "body": body_to_json(resource.body),
        "late": body_to_json(resource.late),
        "links": [_link_to_json(link) for link in resource.links],
    }


def _link_to_json(link: DesiredLink) -> dict[str, Any]:
    return {"relation": link.relation, "member": body_to_json(link.member), "body": body_to_json(link.body)}


def body_to_json(value: Any) -> Any:
    """Return a body as JSON data."""
    if isinstance(value, ResourceRef):
        return {"$ref": str(value)}
    if isinstance(value, Mapping):
        return {_key_to_json(key): body_to_json(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [body_to_json(child) for child in value]
    return value


def _key_to_json(key: Any) -> str:
    if isinstance(key, ResourceRef):
        return f"$ref:{key}"
    return f"${key}" if _REFERENCE_LIKE.fullmatch(key) else key
