"""The lock of an organization: a project with a reserved key, which the server lets only one run create.

The lock records its owner, so a run on the same machine takes it over at once if that process has ended. On another
machine the lock counts as stale when it has not been updated for five minutes by the server's own clock.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.api.live_state import LOCK_PROJECT_KEY
from envtree.controlplane.api.object_shapes import check_project_list, created_id
from envtree.model.diagnostic import MachineError

STALE_AFTER = timedelta(minutes=5)
_HEARTBEAT_SECONDS = 60.0
_LOCK_DESCRIPTION = "envtree is at work. If it is not, remove this project."


@contextmanager
def hold_organization_lock(client: Client) -> Iterator[None]:
    """Hold the lock of an organization; raise MachineError (ET804) if another run has it."""
    id = _acquire(client) or _acquire_from_stale(client)
    if id is None:
        message = "another run is changing the control plane"
        raise MachineError(
            "ET804", message, "run it again when that one has ended; if it was stopped elsewhere, in five minutes"
        )
    client.before_mutation = _heartbeat(client, id)
    try:
        yield
    finally:
        with suppress(ApiError, MachineError):
            client.send("DELETE", f"/projects/{id}")


def _heartbeat(client: Client, id: str) -> Callable[[], None]:
    """Return a function that updates the lock, at most once a minute."""
    last_beat = time.monotonic()

    def beat() -> None:
        nonlocal last_beat
        if time.monotonic() - last_beat > _HEARTBEAT_SECONDS:
            last_beat = time.monotonic()
            client.send("PATCH", f"/projects/{id}", {"description": _LOCK_DESCRIPTION})

    return beat


def _acquire(client: Client) -> str | None:
    body = {
        "name": "envtree lock",
        "key": LOCK_PROJECT_KEY,
        "description": _LOCK_DESCRIPTION,
        "settings": {"holder": _holder_identity()},
    }
    try:
        return created_id(client.send("POST", "/projects", body), "the lock of the organization")
    except ApiError as error:
        # The name is unique too, and a duplicate is reported as an error of the database.
        if error.status == 409 or "UniqueViolation" in error.reason:
            return None
        raise


def _acquire_from_stale(client: Client) -> str | None:
    """Delete a stale lock by its id, so that no newer one is deleted, and acquire a new one; else return None."""
    response = client.request("GET", "/projects")
    check_project_list(response.data)
    lock = next((project for project in response.data if project["key"] == LOCK_PROJECT_KEY), None)
    if lock is not None:
        if not _is_stale(lock, response.date):
            return None
        with suppress(ApiError):
            client.send("DELETE", f"/projects/{lock['id']}")
    return _acquire(client)


def _is_stale(lock: Mapping[str, Any], now: datetime | None) -> bool:
    holder = (lock.get("settings") or {}).get("holder")
    own_identity = _holder_identity()
    if isinstance(holder, Mapping) and own_identity["machine"] and holder.get("machine") == own_identity["machine"]:
        return _process_start_time(holder.get("process")) != holder.get("started")
    try:
        touched = datetime.fromisoformat(lock["updated_at"])
    except (KeyError, TypeError, ValueError):
        # A lock of an unknown age is not taken from its holder.
        return False
    return now is not None and touched.tzinfo is not None and now - touched > STALE_AFTER


def _holder_identity() -> dict[str, Any]:
    """Return an identity of this process that is unique across reboots and containers."""
    process = os.getpid()
    return {
        "machine": _machine_id(),
        "process": process,
        "started": _process_start_time(process),
        "run": str(uuid.uuid4()),
    }


def _machine_id() -> str:
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{booted} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _process_start_time(process: object) -> str:
    """Return when a process started, in clock ticks; empty if it does not exist."""
    try:
        status = Path(f"/proc/{int(str(process))}/stat").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
    return status.rpartition(")")[2].split()[19]
