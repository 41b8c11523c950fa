"""Requests: where the key is sent, which requests are retried, and how error responses are reported."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from envtree.controlplane.api.api_config import ADDRESS_VARIABLES, ApiConfig, load_api_config
from envtree.controlplane.api.client import MAX_ATTEMPTS, ApiError, Client, control_plane_client
from envtree.controlplane.api.error_message import MAX_MESSAGE_LENGTH, extract_error_message
from envtree.controlplane.api.live_state import read_live_state
from envtree.model.diagnostic import MachineError, RefusedError

ROOT = Path(__file__).parents[3]
KEY = "a-throw-away-key"


class Server:
    """A server with scripted answers, of which the last one is repeated; `requests` records the requests."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[tuple[str, str, str | None]] = []
        handler = type("Bound", (_Handler,), {"server_of_test": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of_test: ClassVar[Server]

    def _serve(self) -> None:
        server = self.server_of_test
        server.requests.append((self.command, self.path, self.headers.get("Authorization")))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        if not status:
            # Status 0: the connection breaks before an answer.
            self.connection.close()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(server: Server, waits: list[float]) -> Iterator[Client]:
    config = load_api_config({"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[0]: server.url})
    with Client(f"{config.control_plane_url}/api/v1", config.key, sleep=waits.append) as http_client:
        yield http_client


OK: tuple[int, dict[str, str], bytes] = (200, {}, b'{"id": 1}')


def test_a_request_carries_the_key(client: Client, server: Server) -> None:
    server.answers = [OK]
    assert client.get("/agents") == {"id": 1}
    assert server.requests == [("GET", "/api/v1/agents", f"UserKey {KEY}")]


def test_the_key_goes_to_no_other_place(client: Client, server: Server) -> None:
    server.answers = [(307, {"Location": f"{server.url}/elsewhere?key=x"}, b"")]
    with pytest.raises(MachineError) as error:
        client.get("/agents")
    assert (error.value.code, len(server.requests)) == ("ET902", 1)
    assert error.value.message == "the control plane sends 'GET /agents' on to '127.0.0.1'"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("first", [(503, {}, b""), (0, {}, b"")])
def test_an_idempotent_request_is_sent_again(
    method: str, first: tuple[int, dict[str, str], bytes], client: Client, server: Server, waits: list[float]
) -> None:
    server.answers = [first, first, OK]
    assert client.send(method, "/agents/1") == {"id": 1}
    assert (len(server.requests), waits) == (3, [0.5, 1.0])


@pytest.mark.parametrize("first", [(503, {}, b""), (500, {}, b""), (0, {}, b"")])
def test_a_post_that_may_have_arrived_is_not_sent_again(
    first: tuple[int, dict[str, str], bytes], client: Client, server: Server
) -> None:
    server.answers = [first, OK]
    with pytest.raises((MachineError, ApiError)):
        client.send("POST", "/jobs", {"name": "x"})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("retry_after", "wait"), [("7", 7.0), ("600", 60.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("x", 0.5)]
)
def test_retry_after_sets_the_delay(
    retry_after: str, wait: float, client: Client, server: Server, waits: list[float]
) -> None:
    server.answers = [(429, {"Retry-After": retry_after}, b""), OK]
    assert client.send("POST", "/jobs", {}) == {"id": 1}
    assert waits == [wait]


def test_the_number_of_attempts_is_limited(client: Client, server: Server) -> None:
    server.answers = [(429, {}, b"slow down")]
    with pytest.raises(ApiError) as error:
        client.get("/jobs")
    assert (error.value.status, len(server.requests)) == (429, MAX_ATTEMPTS)
    assert error.value.to_machine_error().message == "the control plane answers 429 to 'GET /jobs': slow down"


def test_the_key_is_masked_in_an_error(client: Client, server: Server) -> None:
    server.answers = [(401, {}, json.dumps({"detail": f"{KEY} is no key"}).encode())]
    with pytest.raises(ApiError) as error:
        client.get("/agents?skip=0")
    assert error.value.to_machine_error().message == "the control plane answers 401 to 'GET /agents': … is no key"
    assert KEY not in repr(client.__dict__)


def test_a_list_is_read_to_its_end(client: Client, server: Server) -> None:
    server.answers = [(200, {}, b"[1, 2]"), (200, {}, b"[3]")]
    assert list(client.iter_pages("/agents", 2)) == [1, 2, 3]
    assert [path for _, path, _ in server.requests] == [
        "/api/v1/agents?skip=0&limit=2",
        "/api/v1/agents?skip=2&limit=2",
    ]


@pytest.mark.parametrize("body", [b"<html><body>Log in</body></html>", b"hello", b"[]", b"{}"])
def test_another_kind_of_server_is_reported(body: bytes, client: Client, server: Server) -> None:
    server.answers = [(200, {}, body)]
    with pytest.raises(MachineError) as error:
        read_live_state(client, "acme")
    assert error.value.code == "ET902"


def test_a_key_of_another_organization(client: Client, server: Server) -> None:
    server.answers = [(200, {}, b'{"slug": "other"}')]
    with pytest.raises(RefusedError) as error:
        read_live_state(client, "acme")
    assert error.value.message == "the key belongs to the organization 'other', and this tree is 'acme'"
    assert len(server.requests) == 1


ERROR_BODIES = [
    ("string", {"detail": "Environment not found"}, "Environment not found"),
    ("object", {"detail": {"error": "Unauthorized", "message": "No key", "hint": "Get one"}}, "No key"),
    (
        "list",
        {
            "detail": [
                {"loc": ["body", "env_vars", "N"], "msg": "Should be text", "input": "s3cret"},
                {"msg": "x"},
            ]
        },
        "env_vars.N: Should be text, and 1 more",
    ),
    ("nothing", {}, ""),
    ("null", None, ""),
    ("number", 3, ""),
    ("policy", {"detail": {"error": "Invalid", "code": "VALIDATION_ERROR", "errors": ["x"]}}, "Invalid"),
    (
        "database",
        {"detail": "Failed: (psycopg2.errors.UniqueViolation) duplicate\nDETAIL: (s3cret)\n[SQL]"},
        "Failed: UniqueViolation",
    ),
    ("control", {"detail": "red \x1b[31m"}, "red \\x1b[31m"),
]


@pytest.mark.parametrize(("body", "message"), [pytest.param(*row[1:], id=row[0]) for row in ERROR_BODIES])
def test_an_error_body_becomes_one_sentence(body: Any, message: str) -> None:
    assert extract_error_message(json.dumps(body)) == message


def test_an_error_body_that_is_not_json() -> None:
    assert extract_error_message("Internal Server Error") == "Internal Server Error"
    assert extract_error_message("<!DOCTYPE html><html>s3cret</html>") == "a web page instead of an answer"
    assert extract_error_message("") == ""
    assert extract_error_message("��") == "��"
    assert len(extract_error_message("x" * 10_000)) == MAX_MESSAGE_LENGTH


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "KUBIYA_API_KEY is not set"),
        ({"KUBIYA_API_KEY": "a\nb"}, "a character that no key has"),
        (
            {"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[1]: "http://example.com"},
            "would send the key to 'example.com' without",
        ),
        (
            {"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[2]: "ftp://127.0.0.1"},
            "CONTROL_PLANE_URL is not the address of a server",
        ),
        (
            {"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[0]: "https://user:word@example.com"},
            "has more in it than an address",
        ),
        ({"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[0]: "https://[::1"}, "is not the address of a server"),
        ({"KUBIYA_API_KEY": KEY, "KUBIYA_BASE_URL": "http://10.0.0.1"}, "KUBIYA_BASE_URL would send the key"),
    ],
)
def test_nothing_is_asked_without_a_key_and_an_address(environ: dict[str, str], message: str) -> None:
    with pytest.raises(MachineError) as error:
        load_api_config(environ)
    assert message in error.value.message
    assert KEY not in error.value.message


def test_addresses_of_the_control_plane() -> None:
    assert load_api_config({"KUBIYA_API_KEY": KEY})[:2] == ("https://control-plane.kubiya.ai", "https://api.kubiya.ai")
    names = {name: f"https://{number}.example" for number, name in enumerate(ADDRESS_VARIABLES)}
    assert load_api_config({"KUBIYA_API_KEY": KEY, **names}).control_plane_url == "https://0.example"
    assert (
        load_api_config({"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[0]: "http://[::1]:80/"}).control_plane_url
        == "http://[::1]:80"
    )


def test_an_unreachable_server_is_reported() -> None:
    config: ApiConfig = load_api_config({"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[0]: "http://127.0.0.1:9"})
    with (
        Client(config.control_plane_url, config.key, sleep=lambda _: None) as client,
        pytest.raises(MachineError) as error,
    ):
        client.get("/agents")
    assert error.value.message == "the control plane at '127.0.0.1:9' cannot be reached"
    with control_plane_client(config) as client:
        assert repr(config.key) == "Key(…)"


NO_SOCKETS = """
import socket, sys
def refuse(*_, **__): raise AssertionError("a socket")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from envtree.cli import invoke
for arguments in (["check"], ["compile", "--secrets", "ref", "-o", sys.argv[2]], ["tree"], ["diff", "."]):
    code = invoke(["-C", sys.argv[1], *arguments])
    assert code == 0, (arguments, code)
assert not {"httpx", "envtree.controlplane.api.client"} & sys.modules.keys()
"""


def test_the_compiler_opens_no_socket_and_knows_no_client(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_SOCKETS, str(ROOT / "examples/acme"), str(tmp_path / "out")]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT / "examples/acme", check=False)
    assert process.returncode == 0, process.stderr


def test_without_the_library_the_commands_say_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "httpx.py").write_text("raise ImportError")
    environ = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'compiler'}", "KUBIYA_API_KEY": KEY, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "envtree", "-C", str(ROOT / "examples/acme"), "plan"]
    process = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert process.returncode == 3
    assert re.search(r"hint: run: .* install .*\[kubiya\]'?$", process.stderr, re.MULTILINE)
