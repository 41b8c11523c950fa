"""Requests: where the key goes, what is sent again, and how an answer that is an error is told."""

import json
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
    """Answers what the test says, in order, the last one again and again; `asked` is what arrived."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[tuple[str, str, str | None]] = []
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
        server.asked.append((self.command, self.path, self.headers.get("Authorization")))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        if not status:
            # The answer gets lost.
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
    known = load_api_config({"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[0]: server.url})
    with Client(f"{known.control_plane_url}/api/v1", known.key, sleep=waits.append) as one:
        yield one


OK: tuple[int, dict[str, str], bytes] = (200, {}, b'{"id": 1}')


def test_a_request_carries_the_key(client: Client, server: Server) -> None:
    server.answers = [OK]
    assert client.get("/agents") == {"id": 1}
    assert server.asked == [("GET", "/api/v1/agents", f"UserKey {KEY}")]


def test_the_key_goes_to_no_other_place(client: Client, server: Server) -> None:
    server.answers = [(307, {"Location": f"{server.url}/elsewhere?key=x"}, b"")]
    with pytest.raises(MachineError) as stopped:
        client.get("/agents")
    assert (stopped.value.code, len(server.asked)) == ("ET902", 1)
    assert stopped.value.message == "the control plane sends 'GET /agents' on to '127.0.0.1'"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("first", [(503, {}, b""), (0, {}, b"")])
def test_what_does_no_more_the_second_time_is_sent_again(
    method: str, first: tuple[int, dict[str, str], bytes], client: Client, server: Server, waits: list[float]
) -> None:
    server.answers = [first, first, OK]
    assert client.send(method, "/agents/1") == {"id": 1}
    assert (len(server.asked), waits) == (3, [0.5, 1.0])


@pytest.mark.parametrize("first", [(503, {}, b""), (500, {}, b""), (0, {}, b"")])
def test_what_may_have_arrived_is_not_made_twice(
    first: tuple[int, dict[str, str], bytes], client: Client, server: Server
) -> None:
    server.answers = [first, OK]
    with pytest.raises((MachineError, ApiError)):
        client.send("POST", "/jobs", {"name": "x"})
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("said", "wait"), [("7", 7.0), ("600", 60.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("x", 0.5)]
)
def test_a_server_that_is_asked_too_often_says_when_to_come_again(
    said: str, wait: float, client: Client, server: Server, waits: list[float]
) -> None:
    server.answers = [(429, {"Retry-After": said}, b""), OK]
    assert client.send("POST", "/jobs", {}) == {"id": 1}
    assert waits == [wait]


def test_it_is_not_asked_for_ever(client: Client, server: Server) -> None:
    server.answers = [(429, {}, b"slow down")]
    with pytest.raises(ApiError) as refused:
        client.get("/jobs")
    assert (refused.value.status, len(server.asked)) == (429, MAX_ATTEMPTS)
    assert refused.value.to_machine_error().message == "the control plane answers 429 to 'GET /jobs': slow down"


def test_an_answer_that_repeats_the_key_is_told_without(client: Client, server: Server) -> None:
    server.answers = [(401, {}, json.dumps({"detail": f"{KEY} is no key"}).encode())]
    with pytest.raises(ApiError) as refused:
        client.get("/agents?skip=0")
    assert refused.value.to_machine_error().message == "the control plane answers 401 to 'GET /agents': … is no key"
    assert KEY not in repr(client.__dict__)


def test_a_list_is_read_to_its_end(client: Client, server: Server) -> None:
    server.answers = [(200, {}, b"[1, 2]"), (200, {}, b"[3]")]
    assert list(client.iter_pages("/agents", 2)) == [1, 2, 3]
    assert [path for _, path, _ in server.asked] == ["/api/v1/agents?skip=0&limit=2", "/api/v1/agents?skip=2&limit=2"]


@pytest.mark.parametrize("body", [b"<html><body>Log in</body></html>", b"hello", b"[]", b"{}"])
def test_what_is_no_control_plane(body: bytes, client: Client, server: Server) -> None:
    server.answers = [(200, {}, body)]
    with pytest.raises(MachineError) as stopped:
        read_live_state(client, "acme")
    assert stopped.value.code == "ET902"


def test_a_key_of_another_organization(client: Client, server: Server) -> None:
    server.answers = [(200, {}, b'{"slug": "other"}')]
    with pytest.raises(RefusedError) as refused:
        read_live_state(client, "acme")
    assert refused.value.message == "the key belongs to the organization 'other', and this tree is 'acme'"
    assert len(server.asked) == 1


SAID = [
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


@pytest.mark.parametrize(("answer", "words"), [pytest.param(*row[1:], id=row[0]) for row in SAID])
def test_what_is_wrong_is_told_in_a_sentence(answer: Any, words: str) -> None:
    assert extract_error_message(json.dumps(answer).encode()) == words


def test_what_is_wrong_where_it_is_no_json() -> None:
    assert extract_error_message(b"Internal Server Error") == "Internal Server Error"
    assert extract_error_message(b"<!DOCTYPE html><html>s3cret</html>") == "a web page instead of an answer"
    assert extract_error_message(b"") == ""
    assert extract_error_message(b"\xff\xfe") == "��"
    assert len(extract_error_message(b"x" * 10_000)) == MAX_MESSAGE_LENGTH


@pytest.mark.parametrize(
    ("environ", "words"),
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
def test_nothing_is_asked_without_a_key_and_an_address(environ: dict[str, str], words: str) -> None:
    with pytest.raises(MachineError) as stopped:
        load_api_config(environ)
    assert words in stopped.value.message
    assert KEY not in stopped.value.message


def test_where_the_control_plane_is() -> None:
    assert load_api_config({"KUBIYA_API_KEY": KEY})[:2] == ("https://control-plane.kubiya.ai", "https://api.kubiya.ai")
    names = {name: f"https://{number}.example" for number, name in enumerate(ADDRESS_VARIABLES)}
    assert load_api_config({"KUBIYA_API_KEY": KEY, **names}).control_plane_url == "https://0.example"
    assert (
        load_api_config({"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[0]: "http://[::1]:80/"}).control_plane_url
        == "http://[::1]:80"
    )


def test_nobody_there() -> None:
    known: ApiConfig = load_api_config({"KUBIYA_API_KEY": KEY, ADDRESS_VARIABLES[0]: "http://127.0.0.1:9"})
    with (
        Client(known.control_plane_url, known.key, sleep=lambda _: None) as client,
        pytest.raises(MachineError) as stopped,
    ):
        client.get("/agents")
    assert stopped.value.message == "the control plane at '127.0.0.1:9' cannot be reached"
    with control_plane_client(known) as client:
        assert repr(known.key) == "Key(…)"


NO_SOCKETS = """
import socket, sys
def none(*_, **__): raise AssertionError("a socket")
socket.socket = socket.create_connection = socket.getaddrinfo = none
from envtree.cli import invoke
for arguments in (["check"], ["compile", "--secrets", "ref", "-o", sys.argv[2]], ["tree"], ["diff", "."]):
    code = invoke(["-C", sys.argv[1], *arguments])
    assert code == 0, (arguments, code)
assert not {"httpx", "envtree.controlplane.api.client"} & sys.modules.keys()
"""


def test_the_compiler_opens_no_socket_and_knows_no_client(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_SOCKETS, str(ROOT / "examples/acme"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT / "examples/acme", check=False)
    assert done.returncode == 0, done.stderr


def test_without_the_library_the_commands_say_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "httpx.py").write_text("raise ImportError")
    environ = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'compiler'}", "KUBIYA_API_KEY": KEY, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "envtree", "-C", str(ROOT / "examples/acme"), "plan"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 3
    assert "hint: run: pip install 'envtree[kubiya]'" in done.stderr
