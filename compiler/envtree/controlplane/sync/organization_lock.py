"""One run at a time: whoever makes the project with the lock's key holds it, and the server lets one do so.

The lock says who holds it, so that one of a run that was killed here is taken over at once; elsewhere nobody can look,
and it counts as left behind when it has not been touched for five minutes by the server's own clock.
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
from envtree.model.diagnostic import MachineError

STALE_AFTER = timedelta(minutes=5)
_HEARTBEAT_SECONDS = 60.0
_LOCK_DESCRIPTION = "envtree is at work. If it is not, remove this project."


@contextmanager
def hold_organization_lock(client: Client) -> Iterator[None]:
    """Hold the lock of an organization; a Failure where somebody else does."""
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
    """What lets the server's clock note now and then that we are still here."""
    told = time.monotonic()

    def beat() -> None:
        nonlocal told
        if time.monotonic() - told > _HEARTBEAT_SECONDS:
            told = time.monotonic()
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
        return str(client.send("POST", "/projects", body)["id"])
    except ApiError as refused:
        # The name is unique too, and told as an error of the database.
        if refused.status == 409 or "UniqueViolation" in refused.reason:
            return None
        raise


def _acquire_from_stale(client: Client) -> str | None:
    """Remove a lock that was left behind, by its id, so that no other one goes with it; then take one of our own."""
    answer = client.request("GET", "/projects")
    found = next((one for one in answer.data if one["key"] == LOCK_PROJECT_KEY), None)
    if found is not None:
        if not _is_stale(found, answer.date):
            return None
        with suppress(ApiError):
            client.send("DELETE", f"/projects/{found['id']}")
    return _acquire(client)


def _is_stale(lock: Mapping[str, Any], now: datetime | None) -> bool:
    holder = (lock.get("settings") or {}).get("holder") or {}
    mine = _holder_identity()
    if mine["machine"] and holder.get("machine") == mine["machine"]:
        return _process_start_time(holder.get("process")) != holder.get("started")
    touched = datetime.fromisoformat(lock["updated_at"])
    return now is not None and touched.tzinfo is not None and now - touched > STALE_AFTER


def _holder_identity() -> dict[str, Any]:
    """This process, so that nobody takes another one for it: neither after a restart nor in another container."""
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
    """When a process started, in the system's ticks; empty if there is none."""
    try:
        status = Path(f"/proc/{int(str(process))}/stat").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
    return status.rpartition(")")[2].split()[19]
