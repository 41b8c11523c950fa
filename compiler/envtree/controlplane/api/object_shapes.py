"""The fields of live objects that other modules rely on, and the check that an answer has them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from envtree.controlplane.api.api_config import ADDRESS_VARIABLES
from envtree.controlplane.desired.desired_resource import ResourceKind
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import MachineError

# Raises _ShapeError with the path of the value that has another type.
_Check = Callable[[Any, str], None]

# Ids become parts of the paths of requests.
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MAX_SHOWN = 100


class _ShapeError(Exception):
    def __init__(self, path: str, expected: str) -> None:
        super().__init__(path)
        self.path, self.expected = path, expected


def _check_shape(check: _Check, data: Any, subject: str) -> None:
    """Raise MachineError (ET902) if the data about `subject` has another shape."""
    try:
        check(data, "")
    except _ShapeError as error:
        path = printable(error.path.lstrip("."))[:_MAX_SHOWN]
        place = f"'{path}' of {subject}" if path else subject
        message = f"what answers is no control plane: {place} is not {error.expected}"
        raise MachineError("ET902", message, f"look at {ADDRESS_VARIABLES[0]}") from None


def check_object(kind: ResourceKind, data: Any) -> None:
    """Raise MachineError (ET902) if a live object lacks a field that is needed, or has one of another type."""
    _check_shape(_OBJECT_CHECKS[kind], data, f"a {kind.replace('_', ' ')}")


def check_list(kind: ResourceKind, data: Any) -> None:
    """Raise MachineError (ET902) if the data is no list of objects with ids and names."""
    _check_shape(_list_of(_fields(_NAMED)), data, f"the list of {kind} objects")


def check_project_list(data: Any) -> None:
    """Raise MachineError (ET902) if the data is no list of projects."""
    _check_shape(_list_of(_OBJECT_CHECKS["project"]), data, "the list of projects")


def check_secret_list(data: Any) -> None:
    """Raise MachineError (ET902) if the data is no list of the secrets in the vault."""
    _check_shape(_list_of(_fields({"name": _text}, {"description": _text})), data, "the list of secrets")


def created_id(data: Any, subject: str) -> str:
    """Return the id of a new object; raise MachineError (ET902) if the answer has none."""
    _check_shape(_fields({"id": _id}), data, subject)
    return str(data["id"])


def _text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise _ShapeError(path, "a text")


def _id(value: Any, path: str) -> None:
    if not (isinstance(value, str) and _ID.fullmatch(value)):
        raise _ShapeError(path, "an id")


def _scalar(value: Any, path: str) -> None:
    if isinstance(value, dict | list):
        raise _ShapeError(path, "a single value")


def _anything(value: Any, path: str) -> None:
    pass


def _list_of(check: _Check) -> _Check:
    def check_list(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise _ShapeError(path, "a list")
        for index, item in enumerate(value):
            check(item, f"{path}.{index}")

    return check_list


def _map_of(check: _Check) -> _Check:
    def check_map(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _ShapeError(path, "a map")
        for name, item in value.items():
            check(item, f"{path}.{name}")

    return check_map


def _fields(required: Mapping[str, _Check], optional: Mapping[str, _Check] | None = None) -> _Check:
    """Return the check of a map with these fields, the optional ones possibly null, and any others."""

    def check_fields(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _ShapeError(path, "a map")
        for name, check in required.items():
            check(value.get(name), f"{path}.{name}")
        for name, check in (optional or {}).items():
            if value.get(name) is not None:
                check(value[name], f"{path}.{name}")

    return check_fields


_MAP = _map_of(_anything)
_TEXTS = _list_of(_text)
_IDS = _list_of(_id)
_SECTION = _fields(
    {}, {"env_vars": _map_of(_scalar), "secrets": _TEXTS, "integration_ids": _TEXTS, "mcp_servers": _MAP}
)
_NAMED: Mapping[str, _Check] = {"id": _id, "name": _text}
# Read of objects of each kind, if they have them.
_COMMON: Mapping[str, _Check] = {
    "description": _text,
    "display_name": _text,
    "skills": _list_of(_fields({"id": _id}, {"configuration": _MAP})),
    "projects": _list_of(_fields({"id": _id, "key": _text})),
    "skill_ids": _IDS,
    "execution_environment": _SECTION,
}
_TEAM_CONFIGURATION = _fields({}, {"metadata": _MAP, "member_ids": _TEXTS})
_ENVIRONMENTS = _list_of(_fields(_NAMED))

_OBJECT_CHECKS: Mapping[ResourceKind, _Check] = {
    "organization": _fields({}, _COMMON),
    "policy": _fields(_NAMED, {**_COMMON, "tags": _TEXTS}),
    "skill": _fields(_NAMED, {**_COMMON, "configuration": _MAP}),
    "environment": _fields(_NAMED, {**_COMMON, "settings": _MAP}),
    "worker_queue": _fields({**_NAMED, "environment_id": _id}, {**_COMMON, "settings": _MAP}),
    "team": _fields(_NAMED, {**_COMMON, "configuration": _TEAM_CONFIGURATION}),
    "agent": _fields(_NAMED, {**_COMMON, "configuration": _MAP, "team_id": _text, "environments": _ENVIRONMENTS}),
    "project": _fields({**_NAMED, "key": _text}, {**_COMMON, "settings": _MAP, "policy_ids": _TEXTS}),
    "job": _fields(_NAMED, {**_COMMON, "config": _MAP, "entity_id": _text}),
}
