"""The services that the control plane calls, on loopback: a vault and a policy store that only store and return."""

import json
import threading
import uuid
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from tests.end_to_end.control_plane.keys import organization_of

Answer = tuple[int, Any]
NOT_FOUND: Answer = (404, {"error": "not found"})


class Services:
    """The services and their content, by organization."""

    def __init__(self) -> None:
        self.secrets: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.descriptions: dict[tuple[str, str], str] = {}
        self.policies: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.requests: list[tuple[str, str]] = []
        self.down = False
        # Whether the services refuse each body and repeat it in the error.
        self.echo = False
        self._lock = threading.Lock()
        handler = type("Bound", (_Handler,), {"services": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, organization: str, body: Any) -> Answer:
        """Answer one request."""
        first, second, third, *rest = [unquote(part) for part in f"{path.strip('/')}///".split("/")]
        part = [word for word in rest if word]
        with self._lock:
            self.requests.append((method, path))
            if self.down:
                return 503, {"error": "down, as the test wants"}
            if self.echo and body is not None:
                return 400, {"error": f"no: {body}"}
            if (first, second, third) == ("api", "v2", "secrets"):
                if method in ("POST", "PUT"):
                    name = body["name"] if method == "POST" else part[0]
                    self.descriptions[organization, name] = body.get("description", "")
                answer = _vault(method, part, self.secrets[organization], body)
                for secret in answer[1] if method == "GET" and not part else ():
                    secret["description"] = self.descriptions.get((organization, secret["name"]), "")
                return answer
            if (first, second, third) == ("api", "v1", "policies"):
                return _policies(method, part, self.policies[organization], body)
            if (first, second, third) == ("api", "v2", "integrations"):
                return 200, []
            return NOT_FOUND if third != "users" else (401, {})


def _vault(method: str, part: list[str], vault: dict[str, str], body: Any) -> Answer:
    """Secrets by name; a value is plain text, as the control plane reads it."""
    if method == "GET" and not part:
        return 200, [{"name": name, "description": "", "created_by": "", "created_at": ""} for name in sorted(vault)]
    if method == "GET" and part[0] == "get_value":
        return (200, vault[part[1]]) if part[1] in vault else NOT_FOUND
    if method == "POST":
        if body["name"] in vault:
            return 409, {"error": "there is one of this name"}
        vault[body["name"]] = body["value"]
        return 201, {"name": body["name"]}
    if part and part[0] in vault and method in ("PUT", "DELETE"):
        if method == "DELETE":
            del vault[part[0]]
        else:
            vault[part[0]] = body["value"]
        return 200, {"name": part[0]}
    return NOT_FOUND


def _policies(method: str, part: list[str], store: dict[str, dict[str, Any]], body: Any) -> Answer:
    if method == "GET" and not part:
        rows = list(store.values())
        return 200, {"policies": rows, "total": len(rows), "page": 1, "limit": len(rows) or 1, "has_more": False}
    if method == "POST" and not part:
        id = str(uuid.uuid4())
        store[id] = {"id": id, "org": "o", "version": 1, "enabled": True, "tags": [], "metadata": {}, **body}
        return 201, store[id]
    policy = store.get(part[0]) if part else None
    if policy is None:
        return NOT_FOUND
    if method == "PUT":
        policy.update(body, version=policy["version"] + 1)
    elif method == "DELETE":
        del store[part[0]]
        return 204, None
    return 200, policy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    services: ClassVar[Services]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        organization = self.headers.get("X-Organization-ID") or organization_of(self.headers.get("Authorization", ""))
        path = urlsplit(self.path).path
        status, answer = self.services.answer(self.command, path, organization, json.loads(body) if body else None)
        text = answer if isinstance(answer, str) else "" if answer is None else json.dumps(answer)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    # The names that the standard library calls.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
