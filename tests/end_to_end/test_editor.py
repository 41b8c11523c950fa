"""An editor session with the real yaml-language-server: it checks and explains the files of `envtree init`."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import IO, Any

import pytest

from envtree.cli import invoke
from tests.support.npm import node_modules

CI = Path(__file__).parents[2] / ".ci"
SERVER = CI / "node_modules/.bin/yaml-language-server"
WRONG = """\
# yaml-language-server: $schema=../.envtree/schema/agent.schema.json
model_id: gpt-5
execution_environment:
  env_var:
    LOG_LEVEL: debug
targets: production
"""


class Editor:
    """The part of the protocol that a session needs: requests, responses, and the server's own requests."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self._stdin: IO[bytes] = process.stdin
        self._stdout: IO[bytes] = process.stdout
        self._last_id = 0

    def notify(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, **params: Any) -> Any:
        self._last_id += 1
        self._send({"id": self._last_id, "method": method, "params": params})
        return self._until(lambda message: message.get("id") == self._last_id and "method" not in message)["result"]

    def next_notification(self, method: str) -> Any:
        """Return the parameters of the next notification of a kind that are not all empty."""
        return self._until(lambda message: message.get("method") == method and any(message["params"].values()))[
            "params"
        ]

    def _until(self, is_wanted: Any) -> dict[str, Any]:
        while True:
            message = self._receive()
            if is_wanted(message):
                return message
            if "id" in message and "method" in message:
                # The server requests settings, of which none are set, or a registration, which is granted.
                items = message["params"].get("items", [])
                self._send({"id": message["id"], "result": [None for _ in items] or None})

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self._stdin.flush()

    def _receive(self) -> dict[str, Any]:
        length = 0
        while line := self._stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server has ended"
        message: dict[str, Any] = json.loads(self._stdout.read(length))
        return message


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    assert invoke(["init", str(tmp_path / "demo")]) == 0
    return tmp_path / "demo"


@pytest.fixture
def editor(tree: Path) -> Iterator[Editor]:
    node_modules()
    with subprocess.Popen([str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # Without a response the test would wait for ever.
        watchdog = Timer(60, process.kill)
        watchdog.start()
        session = Editor(process)
        session.request("initialize", processId=None, rootUri=tree.as_uri(), capabilities={}, workspaceFolders=None)
        session.notify("initialized")
        yield session
        watchdog.cancel()
        process.kill()


def open_document(editor: Editor, file: Path) -> str:
    uri = file.as_uri()
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": file.read_text(encoding="utf-8")}
    editor.notify("textDocument/didOpen", textDocument=document)
    return uri


def test_an_editor_marks_mistakes_on_their_lines_and_explains_keys(editor: Editor, tree: Path) -> None:
    (tree / "agents/assistant.yaml").write_text(WRONG)
    uri = open_document(editor, tree / "agents/assistant.yaml")
    messages: dict[int, str] = {}
    while len(messages) < 2:
        params = editor.next_notification("textDocument/publishDiagnostics")
        messages = {
            diagnostic["range"]["start"]["line"]: diagnostic["message"] for diagnostic in params.get("diagnostics", ())
        }
    assert sorted(messages) == [3, 5]
    assert "env_var" in messages[3]
    position = {"line": 1, "character": 3}
    hover = editor.request("textDocument/hover", textDocument={"uri": uri}, position=position)
    assert "The model the agent runs on" in json.dumps(hover["contents"])


def test_what_init_writes_is_right_in_an_editor(editor: Editor, tree: Path) -> None:
    for file in sorted(tree.rglob("*.yaml")):
        uri = open_document(editor, file)
        hover = editor.request("textDocument/hover", textDocument={"uri": uri}, position={"line": 2, "character": 1})
        assert hover is None or "range" in hover
        params: dict[str, Any] = {}
        while params.get("uri") != uri:
            params = editor.next_notification("textDocument/publishDiagnostics")
        assert params["diagnostics"] == [], file
