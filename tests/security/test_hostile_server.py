"""Answers of a server on loopback that are too large, too deep, too slow, or compressed to break the reader."""

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from envtree.controlplane.api import answer_limits
from tests.support.control_plane import KEY, serve_control_plane
from tests.support.secrets_tree import SecretsTree, make_secrets_tree
from tests.support.waiting import LONG_PATIENCE

MIB = 1024 * 1024
# What the largest allowed answer needs, several times over, and far less than what a hostile one expands to.
MEMORY_MIB = 600
LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1)) * 1024 * 1024
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from envtree.cli import main
main()
"""


Respond = Callable[[socket.socket], None]


@contextmanager
def raw_server(respond: Respond) -> Iterator[str]:
    """Answer each connection to a port of loopback with a function, after the headers of its request."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                respond(connection)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def run_limited(tree: SecretsTree, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run envtree with little memory against a server; a command that never ends fails the test."""
    environ = {**tree.environ, "KUBIYA_API_KEY": KEY, "KUBIYA_CONTROL_PLANE_BASE_URL": url}
    command = [sys.executable, "-c", LIMITED, str(MEMORY_MIB), "-C", str(tree.root), "kubiya", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LONG_PATIENCE, check=False)


def respond_with(body: bytes, headers: str = "", status: str = "200 OK") -> Respond:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
    return lambda connection: connection.sendall(head + body)


@cache
def gzip_bomb() -> bytes:
    """Return a megabyte that expands to more than the memory of the process that reads it."""
    stream = zlib.compressobj(level=1, wbits=31)
    zeros = bytes(MIB)
    return b"".join([*(stream.compress(zeros) for _ in range(MEMORY_MIB)), stream.flush()])


def respond_with_bomb(headers: str = "Content-Encoding: gzip\r\n", status: str = "200 OK") -> Respond:
    """Return a function that compresses the body only when it is asked for."""

    def respond(connection: socket.socket) -> None:
        respond_with(gzip_bomb(), headers, status)(connection)

    return respond


def endless(start: bytes, part: bytes) -> Respond:
    def respond(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(part)

    return respond


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FLOODS = {
    "gzip": (respond_with_bomb(), "is larger than 32 MiB"),
    "nested gzip": (
        respond_with_bomb("Content-Encoding: gzip, gzip\r\n"),
        "has a compression that was not asked for",
    ),
    "gzip of an error": (
        respond_with_bomb(status="403 Forbidden"),
        "is larger than 32 MiB",
    ),
    "another compression": (respond_with(b"x", "Content-Encoding: br\r\n"), "has a compression that was not asked for"),
    "broken gzip": (
        respond_with(gzip.compress(b"{}")[:-9], "Content-Encoding: gzip\r\n"),
        "is compressed data that is broken",
    ),
    "gzip and more": (
        respond_with(gzip.compress(b"{}") + bytes(200), "Content-Encoding: gzip\r\n"),
        "is compressed data that is broken",
    ),
    "no gzip": (respond_with(b"{}", "Content-Encoding: gzip\r\n"), "is compressed data that is broken"),
    "endless body": (endless(OK + b"\r\n", b"x" * 65536), "is larger than 32 MiB"),
    "endless chunks": (endless(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), "is larger than 32 MiB"),
    "endless headers": (endless(OK, b"X: " + b"x" * 4000 + b"\r\n"), "the connection to the control plane"),
    "a list of empty lists": (respond_with(b"[" * 2_000_000), "its answer is not JSON"),
    "deep": (respond_with(b"[" * 65 + b"1" + b"]" * 65), "is nested deeper than 64 levels"),
    "a redirect to no address": (
        respond_with(b"", "Location: https://[::1\r\n", "302 Found"),
        "the connection to the control plane",
    ),
    "an unknown date": (
        respond_with(b"[]", "Date: Mon, 01 Jan 2026 00:00:00 +99999999999999\r\n"),
        "it does not say whose key it got",
    ),
    "half a character": (respond_with(b'{"slug": "\\ud800"}'), "its answer is not JSON"),
    "a long name": (respond_with(json.dumps({"slug": "x" * MIB}).encode()), "it does not say whose key it got"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_t108_an_answer_beyond_the_limits_ends_with_a_message(tmp_path: Path, name: str) -> None:
    tree = make_secrets_tree(tmp_path)
    respond, message = FLOODS[name]
    with raw_server(respond) as url:
        result = run_limited(tree, url, "plan")
    assert (result.returncode, result.stdout) == (3, ""), result.stderr
    assert "error ET902" in result.stderr
    assert message in result.stderr
    assert "hint:" in result.stderr
    assert KEY not in result.stderr
    assert len(result.stderr) < 2000


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"detail":' * 500 + b"1" + b"}" * 500, b'{"detail": [{"msg": "x", "loc": 5}]}', b"\xff" * MIB],
    ids=range(4),
)
def test_t108_an_error_with_a_hostile_reason_is_still_an_error(tmp_path: Path, body: bytes) -> None:
    tree = make_secrets_tree(tmp_path)
    with raw_server(respond_with(body, status="403 Forbidden")) as url:
        result = run_limited(tree, url, "plan")
    assert (result.returncode, "error ET903" in result.stderr) == (3, True), result.stderr
    assert len(result.stderr) < 2000


def drip(start: bytes, part: bytes) -> Respond:
    def respond(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(3000):
            time.sleep(0.02)
            connection.sendall(part)

    return respond


DRIPS = {
    "body": drip(OK + b"\r\n", b"x"),
    "headers": drip(OK, b"X"),
    "interim answers": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks": drip(CHUNKED, b"1\r\nx\r\n"),
    "status": drip(b"", b"H"),
}


@pytest.mark.parametrize("name", DRIPS)
def test_t108_an_answer_that_comes_byte_by_byte_ends_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tree = make_secrets_tree(tmp_path)
    monkeypatch.setattr(answer_limits, "DEADLINE_SECONDS", 0.5)
    with raw_server(DRIPS[name]) as url:
        environ = {"KUBIYA_API_KEY": KEY, "KUBIYA_CONTROL_PLANE_BASE_URL": url}
        result = tree.run("kubiya", "plan", environ=environ)
    assert result.code == 3
    assert "the answer to 'GET /auth/validate' is not complete after 0.5 seconds" in result.err


def test_t108_a_list_without_end_stops_at_the_last_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_secrets_tree(tmp_path)
    monkeypatch.setattr(answer_limits, "MAX_PAGES", 3)
    with serve_control_plane("acme") as plane:
        for number in range(100):
            plane.add("agents", name=f"agent-{number}")
        result = tree.run("kubiya", "plan", environ=plane.environ)
    assert result.code == 3
    assert "the answer to 'GET /agents' has more than 3 pages" in result.err
    assert len([request for request in plane.requests if request == "GET /agents"]) == 3


def test_t108_all_answers_together_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_secrets_tree(tmp_path)
    monkeypatch.setattr(answer_limits, "MAX_SESSION_MIB", 2)
    with serve_control_plane("acme") as plane:
        for number in range(3):
            plane.add("agents", name=f"agent-{number}", system_prompt="x" * MIB)
        result = tree.run("kubiya", "plan", environ=plane.environ)
    assert (result.code, "is more than the 2 MiB that one command reads" in result.err) == (3, True), result.err


def test_an_answer_within_the_limits_is_read(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path)
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]
    with serve_control_plane("acme") as plane:
        plane.add("agents", name="large", system_prompt="x" * 20 * MIB, configuration={"deep": deep})
        result = tree.run("kubiya", "plan", environ=plane.environ)
    assert result.code == 0, result.err
