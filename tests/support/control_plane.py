"""A small control plane and vault on loopback, for a key of one organization; it keeps what it is sent."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from uuid import uuid4

LISTS = ("environments", "projects", "skills", "worker-queues", "jobs", "teams", "agents")
KEY = "throw-away-key-quoll"


class ControlPlane:
    """Objects by path, the values in the vault, and every request as its method and path."""

    def __init__(self, organization: str) -> None:
        self.organization = organization
        self.objects: dict[str, list[dict[str, Any]]] = {f"/{name}": [] for name in LISTS}
        self.policies: list[dict[str, Any]] = []
        self.vault: dict[str, str] = {}
        self.requests: list[str] = []
        self.url = ""

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process that works with this control plane."""
        return {"KUBIYA_API_KEY": KEY, "KUBIYA_CONTROL_PLANE_BASE_URL": self.url, "KUBIYA_BASE_URL": self.url}

    @property
    def changes(self) -> list[str]:
        """The requests that change something other than the lock."""
        return [request for request in self.requests if not request.startswith("GET")]

    def add(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Add an object as another client would."""
        self.objects[f"/{kind}"].append({"id": str(uuid4()), "updated_at": "2026-01-01T00:00:00+00:00", **fields})
        return self.objects[f"/{kind}"][-1]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return the status and the data of an answer."""
        fixed: dict[str, Any] = {
            "/auth/validate": {"slug": self.organization},
            "/projects/default": {},
            "/organization/settings": {"enforcement_enabled": False, "enforcement_mode": "monitoring"},
            "/policies": {"policies": self.policies},
            "/secrets": [{"name": name} for name in self.vault],
            "/api/v2/secrets": [{"name": name, "description": ""} for name in self.vault],
        }
        if method == "GET" and path in fixed:
            return 200, fixed[path]
        if path.startswith("/api/v2/secrets"):
            self.vault[body.get("name", path.rpartition("/")[2])] = body["value"]
            return 200, {}
        if found := re.fullmatch(r"/secrets/value/(\w+)", path):
            return (200, {"value": self.vault[found[1]]}) if found[1] in self.vault else (404, {})
        folder, _, id = path.rpartition("/")
        if method == "GET" and path in self.objects:
            return 200, self.objects[path]
        if method == "POST" and path in self.objects:
            return 201, self.add(path.strip("/"), **body)
        for entry in self.objects.get(folder, []):
            if entry["id"] == id:
                if method == "DELETE":
                    self.objects[folder].remove(entry)
                entry.update(body or {})
                return 200, entry
        return 404, {"detail": "not found"}


class _Handler(BaseHTTPRequestHandler):
    plane: ClassVar[ControlPlane]

    def _serve(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/api/v1")
        self.plane.requests.append(f"{self.command} {path}")
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.plane.answer(self.command, path, json.loads(data) if data else None)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serve_control_plane(organization: str) -> Iterator[ControlPlane]:
    """Serve a control plane until the end of the block."""
    plane = ControlPlane(organization)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"plane": plane}))
    server.daemon_threads = True
    plane.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield plane
    finally:
        server.shutdown()
        server.server_close()
