"""The JSON of desired resources: what `compile --format kubiya` writes.

`{"$ref": "team/x"}` stands for an id; as the key of a map it is `$ref:team/x`. A key of somebody's own that could be
taken for one of them has one more `$`, as in the language.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from envtree.controlplane.desired.desired import Desired, Link, Ref

# What might be read as a reference, however often it has been escaped.
_LIKE = re.compile(r"\$+ref(:.*)?", re.DOTALL)


def document(organization: str, resources: Iterable[Desired]) -> dict[str, Any]:
    """The whole document; places are files, for a line that moves changes nothing."""
    return {"envtree": "1", "organization": organization, "resources": [_resource(one) for one in resources]}


def _resource(one: Desired) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "path": one.origin.path,
        "parent": written(one.parent),
        "body": written(one.body),
        "late": written(one.late),
        "links": [_link(link) for link in one.links],
    }


def _link(link: Link) -> dict[str, Any]:
    return {"relation": link.relation, "member": written(link.member), "body": written(link.body)}


def written(value: Any) -> Any:
    """A body as JSON data."""
    if isinstance(value, Ref):
        return {"$ref": str(value)}
    if isinstance(value, Mapping):
        return {_key(key): written(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [written(child) for child in value]
    return value


def _key(key: Any) -> str:
    if isinstance(key, Ref):
        return f"$ref:{key}"
    return f"${key}" if _LIKE.fullmatch(key) else key
