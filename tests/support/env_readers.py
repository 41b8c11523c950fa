"""The readers of each output format: a reader takes the bytes of a file and returns its variables.

Most run the real programs. The runner of GitHub and GitLab cannot be run here and are reimplemented from their source.
"""

import base64
import ctypes
import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import dotenv
import yaml

CI = Path(__file__).parents[2] / ".ci"
# Set in the environment of each reader: a reader that substitutes variables would use these.
AMBIENT_VARIABLES = {"A": "from outside", "E": "from outside"}

# The names of objects in Kubernetes, by RFC 1123, and the values of labels.
_DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
OBJECT_NAME = re.compile(rf"(?=.{{1,253}}\Z){_DNS_LABEL}(\.{_DNS_LABEL})*")
LABEL_VALUE = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

EnvVariables = dict[str, str]
Reader = Callable[[bytes, Path], EnvVariables]


class RejectedError(Exception):
    """A reader rejects the file as a whole."""


@cache
def node_modules() -> str:
    """Return the folder of npm packages; install them from the lock file if they are missing."""
    # Tests run in several processes at once.
    with (CI / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((CI / "node_modules" / name).exists() for name in ("dotenv", "yaml")):
            subprocess.run([program("npm"), "ci", "--silent", "--prefix", str(CI)], check=True)
    return str(CI / "node_modules")


def program(name: str) -> str:
    """Return the path of a program; fail if it is missing, as the tests need it."""
    path = shutil.which(name)
    assert path, f"{name} is missing; .ci/run installs it"
    return path


def run(folder: Path, *command: str, **environ: str) -> bytes:
    """Run a program and return its stdout; `folder` is its home, and of our environment it has only PATH."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), **AMBIENT_VARIABLES, **environ}
    result = subprocess.run(
        [program(command[0]), *command[1:]], cwd=folder, env=variables, capture_output=True, check=False
    )
    if result.returncode:
        raise RejectedError(result.stderr.decode(errors="replace")[-2000:])
    return result.stdout


def _write_input(data: bytes, folder: Path, name: str = "given.env") -> str:
    (folder / name).write_bytes(data)
    return name


def _parse_environment(block: bytes) -> EnvVariables:
    pairs = [pair.decode(errors="surrogateescape").partition("=") for pair in block.split(b"\0") if pair]
    return {name: value for name, _, value in pairs}


def compose(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    (folder / "compose.yaml").write_text(f"services: {{s: {{image: i, env_file: {file}}}}}\n")
    command = ("docker-compose", "--project-directory", ".", "-f", "compose.yaml", "config", "--format", "json")
    variables = json.loads(run(folder, *command))["services"]["s"]["environment"] or {}
    # `config` prints a valid compose file, in which `$` is `$$`.
    return {name: value.replace("$$", "$") for name, value in variables.items()}


def docker(data: bytes, folder: Path) -> EnvVariables:
    """Return the variables that the real docker sends to its daemon."""
    file = _write_input(data, folder)
    with _fake_docker_daemon(folder) as (address, requests):
        run(folder, "docker", "create", "--env-file", file, "image", DOCKER_HOST=address)
    return dict(pair.split("=", 1) for pair in requests[0]["Env"] or ())


class _QuietServer(ThreadingUnixStreamServer):
    """A server that ignores disconnected clients."""

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def _fake_docker_daemon(folder: Path) -> Iterator[tuple[str, list[Any]]]:
    """Run as much of a daemon as `docker create` needs; yield its address and the bodies of requests."""
    requests: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, b"OK")

        def do_HEAD(self) -> None:
            self._answer(200, b"")

        def do_POST(self) -> None:
            requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(201, b'{"Id": "1", "Warnings": []}')

        def _answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def address_string(self) -> str:
            return ""

    # The length of socket paths is limited.
    socket_folder = tempfile.mkdtemp(prefix="docker")
    socket = f"{socket_folder}/socket"
    server = _QuietServer(socket, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"unix://{socket}", requests
    finally:
        server.shutdown()
        server.server_close()
        shutil.rmtree(socket_folder)


def kubectl(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    command = ("kubectl", "create", "configmap", "c", f"--from-env-file={file}", "--dry-run=client", "-o", "json")
    variables: EnvVariables = json.loads(run(folder, *command)).get("data", {})
    return variables


def _shell_reader(shell: str, script: str) -> Reader:
    def read(data: bytes, folder: Path) -> EnvVariables:
        _write_input(data, folder, "env.sh")
        return _parse_environment(run(folder, shell, "-c", f"{script} && exec env -0"))

    return read


bash = _shell_reader("bash", ". ./env.sh")
dash = _shell_reader("dash", ". ./env.sh")
bash_eval = _shell_reader("bash", 'eval "$(cat env.sh)"')
dash_eval = _shell_reader("dash", 'eval "$(cat env.sh)"')
# For files whose lines do not begin with `export`.
bash_plain = _shell_reader("bash", "set -a && . ./env.sh")
dash_plain = _shell_reader("dash", "set -a && . ./env.sh")


def direnv(data: bytes, folder: Path) -> EnvVariables:
    _write_input(data, folder, "env.sh")
    return direnv_folder(folder, ". ./env.sh\n")


def direnv_folder(folder: Path, envrc: str) -> EnvVariables:
    """Return the variables that direnv sets in a folder with this `.envrc`."""
    (folder / ".envrc").write_text(envrc)
    environ = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "DIRENV_LOG_FORMAT": ""}
    run(folder, "direnv", "allow", ".", **environ)
    variables = json.loads(run(folder, "direnv", "export", "json", **environ) or b"{}")
    return {name: value for name, value in variables.items() if not name.startswith("DIRENV_")}


def systemd(data: bytes, folder: Path) -> EnvVariables:
    """Read an `EnvironmentFile=` with the library of systemd, without the variables that its service manager drops."""
    library, libc = _libsystemd(), ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.fopen(os.fsencode(folder / _write_input(data, folder)), b"r"))
    entries = ctypes.POINTER(ctypes.c_char_p)()
    status = library.load_env_file(stream, b"given.env", ctypes.byref(entries))
    libc.fclose(stream)
    if status < 0:
        raise RejectedError(os.strerror(-status))
    pairs: list[bytes] = []
    while entries and (pair := entries[len(pairs)]) is not None:
        pairs.append(pair)
    valid = [pair for pair in pairs if library.env_assignment_is_valid(pair)]
    return _parse_environment(b"\0".join(valid))


def _libsystemd() -> ctypes.CDLL:
    folders = ("lib/systemd", "lib/*/systemd", "lib64/systemd")
    libraries = [file for folder in folders for file in Path("/usr").glob(f"{folder}/libsystemd-shared-*.so")]
    assert libraries, "systemd is missing; .ci/run installs it"
    return ctypes.CDLL(str(libraries[0]))


def python_dotenv(data: bytes, folder: Path) -> EnvVariables:
    file = folder / _write_input(data, folder)
    before = {name: os.environ.get(name) for name in AMBIENT_VARIABLES}
    os.environ.update(AMBIENT_VARIABLES)
    try:
        return {name: value or "" for name, value in dotenv.dotenv_values(file).items()}
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def node(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    script = "process.stdout.write(JSON.stringify(util.parseEnv(fs.readFileSync(process.argv[1], 'utf8'))))"
    variables: EnvVariables = json.loads(run(folder, "node", "-e", script, file))
    return variables


def node_env_file(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    script = "process.stdout.write(JSON.stringify(process.env))"
    variables: EnvVariables = json.loads(run(folder, "node", f"--env-file={file}", "-e", script))
    return variables


def npm_dotenv(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    script = "process.stdout.write(JSON.stringify(require('dotenv').parse(fs.readFileSync(process.argv[1]))))"
    variables: EnvVariables = json.loads(run(folder, "node", "-e", script, file, NODE_PATH=node_modules()))
    return variables


def json_text(data: bytes, _: Path) -> EnvVariables:
    variables: EnvVariables = json.loads(data)
    return variables


def py_yaml(data: bytes, _: Path) -> EnvVariables:
    variables: EnvVariables = yaml.safe_load(data)
    return variables


def npm_yaml(data: bytes, folder: Path) -> EnvVariables:
    variables: EnvVariables = npm_yaml_documents(data, folder)[0]
    return variables


def npm_yaml_documents(data: bytes, folder: Path, version: str = "1.2") -> list[Any]:
    """Return every document of a file, as the npm package yaml reads it."""
    file = _write_input(data, folder)
    script = (
        "const text = fs.readFileSync(process.argv[1], 'utf8');"
        "const all = require('yaml').parseAllDocuments(text, {version: process.argv[2]});"
        "for (const each of all) for (const wrong of [...each.errors, ...each.warnings]) throw wrong;"
        "process.stdout.write(JSON.stringify(all.map(each => each.toJS())))"
    )
    documents: list[Any] = json.loads(run(folder, "node", "-e", script, file, version, NODE_PATH=node_modules()))
    return documents


def kubectl_yaml(data: bytes, folder: Path) -> EnvVariables:
    """Read a YAML map as the data of a ConfigMap."""
    head = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n"
    variables: EnvVariables = kubectl_objects(
        head + b"".join(b"  " + line for line in data.splitlines(keepends=True)), folder
    )[0]["data"]
    return variables


def kubectl_objects(data: bytes, folder: Path) -> list[Any]:
    """Return the objects in a file, as the real kubectl reads them."""
    file = _write_input(data, folder, "given.yaml")
    output = run(folder, "kubectl", "label", "--local", "-f", file, "-o", "json", "seen=yes").decode()
    decoder, objects, position = json.JSONDecoder(), [], 0
    while position < len(output):
        value, position = decoder.raw_decode(output, position)
        objects.append(value)
        position += len(output[position:]) - len(output[position:].lstrip())
    return objects


def k8s(data: bytes, folder: Path) -> EnvVariables:
    """Return the variables of a container with the ConfigMap and the Secret as `envFrom`."""
    variables: EnvVariables = {}
    for manifest in kubectl_objects(data, folder):
        is_secret = manifest["kind"] == "Secret"
        for name, value in manifest.get("data", {}).items():
            variables[name] = base64.b64decode(value).decode() if is_secret else value
    return variables


def github(data: bytes, _: Path) -> EnvVariables:
    return github_pairs(data.decode())


def github_pairs(text: str, *, windows: bool = False) -> EnvVariables:
    """Read a file of a GitHub runner; lines end in LF, on Windows also in CR LF."""
    end = re.compile(r"\r?\n" if windows else r"\n")
    variables: EnvVariables = {}
    position = 0
    while position < len(text):
        line, position = _line(text, position, end)[0:2]
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            variables[line[:equals]] = line[equals + 1 :]
        elif heredoc > 0 and line[heredoc + 2 :]:
            variables[line[:heredoc]], position = _heredoc(text, position, line[heredoc + 2 :], end)
        else:
            raise RejectedError(line)
    return variables


def _line(text: str, position: int, end: re.Pattern[str]) -> tuple[str, int, int]:
    match = end.search(text, position)
    return (text[position : match.start()], match.end(), len(match[0])) if match else (text[position:], len(text), 0)


def _heredoc(text: str, start: int, delimiter: str, end: re.Pattern[str]) -> tuple[str, int]:
    position, value_end = start, start
    while True:
        if position >= len(text):
            raise RejectedError("the delimiter is missing")
        line, position, ending = _line(text, position, end)
        if line == delimiter:
            return text[start:value_end], position
        value_end = position - ending


def gitlab(data: bytes, _: Path) -> EnvVariables:
    """Read a dotenv report as GitLab does, then expand variables as its runner does."""
    variables: EnvVariables = {}
    for line in data.decode().removeprefix("\ufeff").split("\n")[:-1]:
        match = re.fullmatch(r"(.*?)=(.*)", line, re.DOTALL)
        if match is None:
            raise RejectedError(line)
        variables[match[1].strip("\t\n\v\f\r ")] = match[2].strip("\t\n\v\f\r ")
    return {name: _expanded(value) for name, value in variables.items()}


def _expanded(value: str) -> str:
    pattern = r"\$\$|%%|\$([A-Za-z_][A-Za-z0-9_]*)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|%([A-Za-z_][A-Za-z0-9_]*)%|\$"
    return re.sub(pattern, "", value)


READERS: Mapping[str, tuple[Reader, ...]] = {
    "compose": (compose,),
    "docker": (docker, kubectl),
    "bash": (bash, dash, bash_eval, dash_eval, direnv),
    "systemd": (systemd,),
    "python-dotenv": (python_dotenv,),
    "node": (node, node_env_file),
    "npm-dotenv": (npm_dotenv,),
    "github-env": (github,),
    "github-output": (github,),
    "gitlab": (gitlab,),
    "portable": (
        *(compose, docker, kubectl, bash_plain, dash_plain, systemd, python_dotenv),
        *(node, node_env_file, npm_dotenv, github, gitlab),
    ),
    "json-env": (json_text,),
    "yaml": (py_yaml, npm_yaml, kubectl_yaml),
    "k8s": (k8s,),
}
