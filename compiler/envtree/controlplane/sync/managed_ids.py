"""The file with ids of owned objects: those without room for a marker, imported ones, and bindings.

The control plane does not list the bindings of policies, so this file is the only record of them.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from envtree.controlplane.desired import ResourceRef
from envtree.model.canonical_json import encode_canonical
from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason

MANAGED_IDS_PATH = ".envtree/control-plane.json"
# The server answers with an error of its database if the id in a request has another form.
_ID = re.compile(r"(job_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ManagedIds(NamedTuple):
    """Ids by reference (`<kind>/<name>`), and ids of bindings by policy and `<kind>/<id>`."""

    organization: str
    objects: Mapping[str, str]
    bindings: Mapping[str, Mapping[str, str]]

    def owns(self, ref: ResourceRef, id: str) -> bool:
        """Report whether the file records this id for the object."""
        return self.objects.get(str(ref)) == id

    def with_object(self, ref: ResourceRef, id: str | None) -> "ManagedIds":
        """Return a copy with the id of an object added, or removed if None."""
        return self._replace(objects=_with_entry(self.objects, str(ref), id))

    def with_binding(self, policy: ResourceRef, member: str, id: str | None) -> "ManagedIds":
        """Return a copy with the id of a binding added, or removed if None."""
        policy_bindings = _with_entry(self.bindings.get(str(policy), {}), member, id)
        return self._replace(bindings={**self.bindings, str(policy): policy_bindings})


def _with_entry(entries: Mapping[str, str], name: str, id: str | None) -> dict[str, str]:
    rest = {key: value for key, value in entries.items() if key != name}
    return rest if id is None else {**rest, name: id}


def load_managed_ids(path: Path, organization: str) -> ManagedIds:
    """Read the file; a missing one is empty. Raise RefusedError (ET908) if it is invalid or another organization's."""
    try:
        data: Any = orjson.loads(path.read_bytes())
        objects, bindings = data["ids"], data["bindings"]
        ids = [*objects.values(), *(id for policy_bindings in bindings.values() for id in policy_bindings.values())]
        is_valid = data["organization"] == organization and all(isinstance(id, str) and _ID.fullmatch(id) for id in ids)
    except FileNotFoundError:
        return ManagedIds(organization, {}, {})
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be read: {os_error_reason(error)}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        is_valid = False
    if not is_valid:
        hint = "remove it: what has a marker is found without it"
        raise RefusedError("ET908", f"'{path}' holds no ids of the organization '{organization}'", hint)
    return ManagedIds(organization, objects, bindings)


def store_managed_ids(path: Path, ids: ManagedIds) -> None:
    """Write the file atomically; a link that a tree contains in its place is replaced, not followed."""
    bindings = {policy: policy_bindings for policy, policy_bindings in ids.bindings.items() if policy_bindings}
    data = encode_canonical({"organization": ids.organization, "ids": ids.objects, "bindings": bindings})
    try:
        path.parent.mkdir(exist_ok=True)
        draft, draft_path = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            os.fchmod(draft, 0o644)
            with open(draft, "wb") as file:
                file.write(data)
            os.replace(draft_path, path)
        except BaseException:
            os.unlink(draft_path)
            raise
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be written: {os_error_reason(error)}") from None
