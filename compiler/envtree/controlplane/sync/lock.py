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

from envtree.controlplane.api.client import Client, RefusedError
from envtree.controlplane.api.reading import LOCK
from envtree.model.diagnostic import Failure

LEFT_BEHIND = timedelta(minutes=5)
_BEAT = 60.0
_NOTE = "envtree is at work. If it is not, remove this project."


@contextmanager
def locked(client: Client) -> Iterator[None]:
    """Hold the lock of an organization; a Failure where somebody else does."""
    id = _take(client) or _take_over(client)
    if id is None:
        message = "another run is changing the control plane"
        raise Failure(
            "ET804", message, "run it again when that one has ended; if it was stopped elsewhere, in five minutes"
        )
    client.before = _beating(client, id)
    try:
        yield
    finally:
        with suppress(RefusedError, Failure):
            client.send("DELETE", f"/projects/{id}")


def _beating(client: Client, id: str) -> Callable[[], None]:
    """What lets the server's clock note now and then that we are still here."""
    told = time.monotonic()

    def beat() -> None:
        nonlocal told
        if time.monotonic() - told > _BEAT:
            told = time.monotonic()
            client.send("PATCH", f"/projects/{id}", {"description": _NOTE})

    return beat


def _take(client: Client) -> str | None:
    body = {"name": "envtree lock", "key": LOCK, "description": _NOTE, "settings": {"holder": _me()}}
    try:
        return str(client.send("POST", "/projects", body)["id"])
    except RefusedError as refused:
        # The name is unique too, and told as an error of the database.
        if refused.status == 409 or "UniqueViolation" in refused.reason:
            return None
        raise


def _take_over(client: Client) -> str | None:
    """Remove a lock that was left behind, by its id, so that no other one goes with it; then take one of our own."""
    answer = client.answer("GET", "/projects")
    found = next((one for one in answer.data if one["key"] == LOCK), None)
    if found is not None:
        if not _is_left_behind(found, answer.date):
            return None
        with suppress(RefusedError):
            client.send("DELETE", f"/projects/{found['id']}")
    return _take(client)


def _is_left_behind(found: Mapping[str, Any], now: datetime | None) -> bool:
    holder = (found.get("settings") or {}).get("holder") or {}
    mine = _me()
    if mine["machine"] and holder.get("machine") == mine["machine"]:
        return _started(holder.get("process")) != holder.get("started")
    touched = datetime.fromisoformat(found["updated_at"])
    return now is not None and touched.tzinfo is not None and now - touched > LEFT_BEHIND


def _me() -> dict[str, Any]:
    """This process, so that nobody takes another one for it: neither after a restart nor in another container."""
    process = os.getpid()
    return {
        "machine": _machine(),
        "process": process,
        "started": _started(process),
        "run": str(uuid.uuid4()),
    }


def _machine() -> str:
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{booted} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(process: object) -> str:
    """When a process started, in the system's ticks; empty if there is none."""
    try:
        status = Path(f"/proc/{int(str(process))}/stat").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
    return status.rpartition(")")[2].split()[19]
