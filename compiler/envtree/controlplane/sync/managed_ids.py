"""The ids of what is ours, in a file: for objects without room for a marker, or that were imported, and for bindings.

The control plane lists no bindings of policies, so what there is of them is what the file says.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from envtree.controlplane.desired import ResourceRef
from envtree.model.canonical_json import encode_canonical
from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason

MANAGED_IDS_PATH = ".envtree/control-plane.json"
# Whatever else stands where an id should, the server would answer with an error of its database.
_ID = re.compile(r"(job_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ManagedIds(NamedTuple):
    """Ids by what objects are called, and of bindings by policy and `<kind>/<id>`."""

    organization: str
    objects: Mapping[str, str]
    bindings: Mapping[str, Mapping[str, str]]

    def owns(self, ref: ResourceRef, id: str) -> bool:
        """Whether an object is ours by its id."""
        return self.objects.get(str(ref)) == id

    def with_object(self, ref: ResourceRef, id: str | None) -> "ManagedIds":
        """The same with one more, or one less."""
        return self._replace(objects=_with_entry(self.objects, str(ref), id))

    def with_binding(self, policy: ResourceRef, member: str, id: str | None) -> "ManagedIds":
        """The same with one more binding, or one less."""
        found = _with_entry(self.bindings.get(str(policy), {}), member, id)
        return self._replace(bindings={**self.bindings, str(policy): found})


def _with_entry(entries: Mapping[str, str], name: str, id: str | None) -> dict[str, str]:
    rest = {key: value for key, value in entries.items() if key != name}
    return rest if id is None else {**rest, name: id}


def load_managed_ids(path: Path, organization: str) -> ManagedIds:
    """The file; empty where there is none."""
    try:
        data: Any = orjson.loads(path.read_bytes())
        objects, bindings = data["ids"], data["bindings"]
        texts = [*objects.values(), *(id for found in bindings.values() for id in found.values())]
        whole = data["organization"] == organization and all(isinstance(id, str) and _ID.fullmatch(id) for id in texts)
    except FileNotFoundError:
        return ManagedIds(organization, {}, {})
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be read: {os_error_reason(error)}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        hint = "remove it: what has a marker is found without it"
        raise RefusedError("ET908", f"'{path}' holds no ids of the organization '{organization}'", hint)
    return ManagedIds(organization, objects, bindings)


def store_managed_ids(path: Path, ids: ManagedIds) -> None:
    """Write the file, whole or not at all."""
    bindings = {policy: found for policy, found in ids.bindings.items() if found}
    data = encode_canonical({"organization": ids.organization, "ids": ids.objects, "bindings": bindings})
    fresh = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(exist_ok=True)
        fresh.write_bytes(data)
        os.replace(fresh, path)
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be written: {os_error_reason(error)}") from None
