"""A simulated GitHub runner: workflow commands, the files of a step, and the API, as documented by GitHub."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
ACTIONS = ROOT / ".github" / "actions"
REPOSITORY = "acme/config"


class LogCommand(NamedTuple):
    """A command that the runner finds in a log."""

    name: str
    properties: dict[str, str]
    data: str


def log_commands(log: str) -> list[LogCommand]:
    """Return the commands in a log; unlike the runner, this accepts any name as that of a command."""
    # The line ends of .NET.
    return [
        command
        for line in re.split(r"\r\n|\r|\n", log)
        if (command := _parse_workflow_command(line) or _parse_legacy_command(line))
    ]


def _parse_workflow_command(line: str) -> LogCommand | None:
    """Parse `::name key=value,key=value::data`, which only blanks may precede."""
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    return LogCommand(name, _properties(rest, ","), _unescaped(line[end + 2 :]))


def _parse_legacy_command(line: str) -> LogCommand | None:
    """Parse `##[name key=value;key=value]data`, anywhere in a line."""
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, rest = line[start + 3 : end].partition(" ")
    return LogCommand(name, _properties(rest, ";"), line[end + 1 :])


def _properties(text: str, separator: str) -> dict[str, str]:
    pairs = (pair.split("=", 1) for pair in text.split(separator) if "=" in pair)
    return {name.strip(): _unescaped(value) for name, value in pairs}


def _unescaped(text: str) -> str:
    for escaped, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, character)
    return text


def file_values(path: Path) -> dict[str, str]:
    """Read the output file of a step, in the form `name<<end`, lines, `end`, or `name=value`."""
    return {
        match["name"]: match["value"]
        for match in re.finditer(
            r"(?ms)^(?P<name>[^\n<=]+)<<(?P<end>[^\n]+)\n(?P<value>.*?)\n(?P=end)$", path.read_text()
        )
    } | dict(re.findall(r"(?m)^([a-z-]+)=(.*)$", path.read_text()))


class Request(NamedTuple):
    """A request to the API."""

    method: str
    path: str
    body: Any


class Api:
    """The API of GitHub on loopback: answers `GET` from `answers` by path, or rejects all requests if it is None."""

    def __init__(self, answers: dict[str, Any] | None) -> None:
        self.requests: list[Request] = []
        self.answers = answers
        self.url = ""

    def answer(self, request: Request) -> tuple[int, Any]:
        """Return the status and the JSON for a request."""
        self.requests.append(request)
        if self.answers is None:
            return 403, {"message": "Resource not accessible by integration"}
        return 200, self.answers.get(request.path.partition("?")[0], []) if request.method == "GET" else {}


@contextmanager
def serve_api(answers: dict[str, Any] | None) -> Iterator[Api]:
    """Run the API; with None it rejects all requests, as for a token without permissions."""
    api = Api(answers)

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = api.answer(Request(self.command, self.path, json.loads(data or b"null")))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = _handle  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


class Step(NamedTuple):
    """The exit code and results of a step."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str


class Runner:
    """A runner with a workspace, which runs scripts of an action as steps."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.files = {
            name: folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_EVENT_PATH")
        }
        self.temp = folder / "temp"
        self.temp.mkdir()
        self.api = "http://127.0.0.1:9"

    def step(self, script: str, event: dict[str, Any] | None = None, **environ: str) -> Step:
        """Run a script below `.github/actions` with the variables that a runner sets."""
        self.files["GITHUB_EVENT_PATH"].write_text(json.dumps(event or {}))
        for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            self.files[name].write_text("")
        # The programs of this virtual environment come first.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        variables = {
            **{name: str(file) for name, file in self.files.items()},
            **{"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_WORKSPACE": str(self.workspace)},
            **{"RUNNER_TEMP": str(self.temp), "GITHUB_API_URL": self.api, "GITHUB_REPOSITORY": REPOSITORY},
            **{"TOKEN": "a-token", "PATH": path, "HOME": str(self.temp)},
        }
        program = ["bash" if script.endswith(".sh") else sys.executable, str(ACTIONS / script)]
        result = subprocess.run(
            program,
            check=False,
            cwd=self.workspace,
            env=variables | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        outputs = file_values(self.files["GITHUB_OUTPUT"])
        return Step(result.returncode, result.stdout.decode(), outputs, self.files["GITHUB_STEP_SUMMARY"].read_text())
