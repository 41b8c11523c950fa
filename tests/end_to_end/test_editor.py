"""An editor's session with the real yaml-language-server: what `envtree init` writes is checked and explained."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import IO, Any

import pytest

from envtree.cli import invoke

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
    """As much of the protocol as a session needs: requests, their answers, and what the server asks and tells."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self._to: IO[bytes] = process.stdin
        self._from: IO[bytes] = process.stdout
        self._last = 0

    def notify(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, **params: Any) -> Any:
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        return self._until(lambda message: message.get("id") == self._last and "method" not in message)["result"]

    def told(self, method: str) -> Any:
        """The next notification of a kind that has something to say."""
        return self._until(lambda message: message.get("method") == method and any(message["params"].values()))[
            "params"
        ]

    def _until(self, is_wanted: Any) -> dict[str, Any]:
        while True:
            message = self._receive()
            if is_wanted(message):
                return message
            if "id" in message and "method" in message:
                # It asks for settings, or to register something: nothing is set, and anything is fine.
                items = message["params"].get("items", [])
                self._send({"id": message["id"], "result": [None for _ in items] or None})

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._to.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self._to.flush()

    def _receive(self) -> dict[str, Any]:
        length = 0
        while line := self._from.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server has ended"
        message: dict[str, Any] = json.loads(self._from.read(length))
        return message


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    assert invoke(["init", str(tmp_path / "demo")]) == 0
    return tmp_path / "demo"


@pytest.fixture
def editor(tree: Path) -> Iterator[Editor]:
    if not SERVER.exists():
        subprocess.run(["npm", "ci", "--silent", "--prefix", str(CI)], check=True)
    with subprocess.Popen([str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # A server that says nothing would be waited for for ever.
        watchdog = Timer(60, process.kill)
        watchdog.start()
        session = Editor(process)
        session.request("initialize", processId=None, rootUri=tree.as_uri(), capabilities={}, workspaceFolders=None)
        session.notify("initialized")
        yield session
        watchdog.cancel()
        process.kill()


def opened(editor: Editor, file: Path) -> str:
    uri = file.as_uri()
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": file.read_text(encoding="utf-8")}
    editor.notify("textDocument/didOpen", textDocument=document)
    return uri


def test_an_editor_marks_mistakes_on_their_lines_and_explains_keys(editor: Editor, tree: Path) -> None:
    (tree / "agents/assistant.yaml").write_text(WRONG)
    uri = opened(editor, tree / "agents/assistant.yaml")
    told: dict[int, str] = {}
    while len(told) < 2:
        params = editor.told("textDocument/publishDiagnostics")
        told = {one["range"]["start"]["line"]: one["message"] for one in params.get("diagnostics", ())}
    assert sorted(told) == [3, 5]
    assert "env_var" in told[3]
    position = {"line": 1, "character": 3}
    hover = editor.request("textDocument/hover", textDocument={"uri": uri}, position=position)
    assert "The model the agent runs on" in json.dumps(hover["contents"])


def test_what_init_writes_is_right_in_an_editor(editor: Editor, tree: Path) -> None:
    for file in sorted(tree.rglob("*.yaml")):
        uri = opened(editor, file)
        hover = editor.request("textDocument/hover", textDocument={"uri": uri}, position={"line": 2, "character": 1})
        assert hover is None or "range" in hover
        params: dict[str, Any] = {}
        while params.get("uri") != uri:
            params = editor.told("textDocument/publishDiagnostics")
        assert params["diagnostics"] == [], file
