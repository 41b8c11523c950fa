"""The real readers of what is written: each is given the bytes of a file, and gives the variables that it found.

Where no program can be had (the runner of GitHub, a GitLab), a small reader is written out, by the rules of its source.
"""

import base64
import ctypes
import fcntl
import json
import os
import re
import shutil
import subprocess
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
# Set where each reader runs: who substitutes would find these.
AMBIENT_VARIABLES = {"A": "from outside", "E": "from outside"}

# What Kubernetes takes as the name of an object, by RFC 1123, and as the value of a label.
_PART = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
OBJECT_NAME = re.compile(rf"(?=.{{1,253}}\Z){_PART}(\.{_PART})*")
LABEL_VALUE = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

EnvVariables = dict[str, str]
Reader = Callable[[bytes, Path], EnvVariables]


class RejectedError(Exception):
    """A reader does not take the file at all."""


@cache
def node_modules() -> str:
    """Where the packages of npm are, installed as their lock says if nobody has done so."""
    # Several processes run tests at once.
    with (CI / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((CI / "node_modules" / name).exists() for name in ("dotenv", "yaml")):
            subprocess.run([program("npm"), "ci", "--silent", "--prefix", str(CI)], check=True)
    return str(CI / "node_modules")


def program(name: str) -> str:
    """Where a program is; these tests are worth nothing without it."""
    found = shutil.which(name)
    assert found, f"{name} is missing; .ci/run installs it"
    return found


def run(folder: Path, *command: str, **environ: str) -> bytes:
    """What a program writes; it sees a folder as its home, and of our environment only PATH."""
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(folder), **AMBIENT_VARIABLES, **environ}
    done = subprocess.run(
        [program(command[0]), *command[1:]], cwd=folder, env=surroundings, capture_output=True, check=False
    )
    if done.returncode:
        raise RejectedError(done.stderr.decode(errors="replace")[-2000:])
    return done.stdout


def _write_input(data: bytes, folder: Path, name: str = "given.env") -> str:
    (folder / name).write_bytes(data)
    return name


def _parse_environment(zeros: bytes) -> EnvVariables:
    pairs = [each.decode(errors="surrogateescape").partition("=") for each in zeros.split(b"\0") if each]
    return {name: value for name, _, value in pairs}


def compose(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    (folder / "compose.yaml").write_text(f"services: {{s: {{image: i, env_file: {file}}}}}\n")
    command = ("docker-compose", "--project-directory", ".", "-f", "compose.yaml", "config", "--format", "json")
    found = json.loads(run(folder, *command))["services"]["s"]["environment"] or {}
    # `config` shows a form that could be read again, where `$` is `$$`.
    return {name: value.replace("$$", "$") for name, value in found.items()}


def docker(data: bytes, folder: Path) -> EnvVariables:
    """What the real docker asks its daemon for."""
    file = _write_input(data, folder)
    with _fake_docker_daemon(folder) as (address, asked):
        run(folder, "docker", "create", "--env-file", file, "image", DOCKER_HOST=address)
    return dict(pair.split("=", 1) for pair in asked[0]["Env"] or ())


class _QuietServer(ThreadingUnixStreamServer):
    """A server whose client may hang up."""

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def _fake_docker_daemon(folder: Path) -> Iterator[tuple[str, list[Any]]]:
    """As much of a daemon as `docker create` needs: it notes what is asked for."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, b"OK")

        def do_HEAD(self) -> None:
            self._answer(200, b"")

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
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

    # The path of a socket has to be short.
    socket = f"/tmp/envtree-docker-{os.getpid()}-{threading.get_ident()}.sock"
    server = _QuietServer(socket, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"unix://{socket}", asked
    finally:
        server.shutdown()
        server.server_close()
        Path(socket).unlink()


def kubectl(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    command = ("kubectl", "create", "configmap", "c", f"--from-env-file={file}", "--dry-run=client", "-o", "json")
    found: EnvVariables = json.loads(run(folder, *command)).get("data", {})
    return found


def _shell_reader(shell: str, script: str) -> Reader:
    def read(data: bytes, folder: Path) -> EnvVariables:
        _write_input(data, folder, "env.sh")
        return _parse_environment(run(folder, shell, "-c", f"{script} && exec env -0"))

    return read


bash = _shell_reader("bash", ". ./env.sh")
dash = _shell_reader("dash", ". ./env.sh")
bash_eval = _shell_reader("bash", 'eval "$(cat env.sh)"')
dash_eval = _shell_reader("dash", 'eval "$(cat env.sh)"')
# For files whose lines do not say `export`.
bash_plain = _shell_reader("bash", "set -a && . ./env.sh")
dash_plain = _shell_reader("dash", "set -a && . ./env.sh")


def direnv(data: bytes, folder: Path) -> EnvVariables:
    _write_input(data, folder, "env.sh")
    return direnv_folder(folder, ". ./env.sh\n")


def direnv_folder(folder: Path, envrc: str) -> EnvVariables:
    """What direnv sets in a folder with this `.envrc`."""
    (folder / ".envrc").write_text(envrc)
    environ = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "DIRENV_LOG_FORMAT": ""}
    run(folder, "direnv", "allow", ".", **environ)
    found = json.loads(run(folder, "direnv", "export", "json", **environ) or b"{}")
    return {name: value for name, value in found.items() if not name.startswith("DIRENV_")}


def systemd(data: bytes, folder: Path) -> EnvVariables:
    """What `EnvironmentFile=` reads, by systemd's own library, less what its service manager would drop."""
    library, libc = _libsystemd(), ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.fopen(os.fsencode(folder / _write_input(data, folder)), b"r"))
    found = ctypes.POINTER(ctypes.c_char_p)()
    failed = library.load_env_file(stream, b"given.env", ctypes.byref(found))
    libc.fclose(stream)
    if failed < 0:
        raise RejectedError(os.strerror(-failed))
    pairs: list[bytes] = []
    while found and (pair := found[len(pairs)]) is not None:
        pairs.append(pair)
    valid = [pair for pair in pairs if library.env_assignment_is_valid(pair)]
    return _parse_environment(b"\0".join(valid))


def _libsystemd() -> ctypes.CDLL:
    places = ("lib/systemd", "lib/*/systemd", "lib64/systemd")
    found = [file for place in places for file in Path("/usr").glob(f"{place}/libsystemd-shared-*.so")]
    assert found, "systemd is missing; .ci/run installs it"
    return ctypes.CDLL(str(found[0]))


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
    found: EnvVariables = json.loads(run(folder, "node", "-e", script, file))
    return found


def node_env_file(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    script = "process.stdout.write(JSON.stringify(process.env))"
    found: EnvVariables = json.loads(run(folder, "node", f"--env-file={file}", "-e", script))
    return found


def npm_dotenv(data: bytes, folder: Path) -> EnvVariables:
    file = _write_input(data, folder)
    script = "process.stdout.write(JSON.stringify(require('dotenv').parse(fs.readFileSync(process.argv[1]))))"
    found: EnvVariables = json.loads(run(folder, "node", "-e", script, file, NODE_PATH=node_modules()))
    return found


def json_text(data: bytes, _: Path) -> EnvVariables:
    found: EnvVariables = json.loads(data)
    return found


def py_yaml(data: bytes, _: Path) -> EnvVariables:
    found: EnvVariables = yaml.safe_load(data)
    return found


def npm_yaml(data: bytes, folder: Path) -> EnvVariables:
    found: EnvVariables = npm_yaml_documents(data, folder)[0]
    return found


def npm_yaml_documents(data: bytes, folder: Path, version: str = "1.2") -> list[Any]:
    """Every document of a file, as the npm package yaml reads it."""
    file = _write_input(data, folder)
    script = (
        "const text = fs.readFileSync(process.argv[1], 'utf8');"
        "const all = require('yaml').parseAllDocuments(text, {version: process.argv[2]});"
        "for (const each of all) for (const wrong of [...each.errors, ...each.warnings]) throw wrong;"
        "process.stdout.write(JSON.stringify(all.map(each => each.toJS())))"
    )
    found: list[Any] = json.loads(run(folder, "node", "-e", script, file, version, NODE_PATH=node_modules()))
    return found


def kubectl_yaml(data: bytes, folder: Path) -> EnvVariables:
    """A YAML map as the data of a ConfigMap."""
    head = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n"
    found: EnvVariables = kubectl_objects(
        head + b"".join(b"  " + line for line in data.splitlines(keepends=True)), folder
    )[0]["data"]
    return found


def kubectl_objects(data: bytes, folder: Path) -> list[Any]:
    """The objects in a file, as the real kubectl understands them."""
    file = _write_input(data, folder, "given.yaml")
    shown = run(folder, "kubectl", "label", "--local", "-f", file, "-o", "json", "seen=yes").decode()
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(shown):
        value, at = decoder.raw_decode(shown, at)
        found.append(value)
        at += len(shown[at:]) - len(shown[at:].lstrip())
    return found


def k8s(data: bytes, folder: Path) -> EnvVariables:
    """The variables of a container that takes all of the ConfigMap and of the Secret into its environment."""
    found: EnvVariables = {}
    for one in kubectl_objects(data, folder):
        coded = one["kind"] == "Secret"
        found |= {name: base64.b64decode(v).decode() if coded else v for name, v in one.get("data", {}).items()}
    return found


def github(data: bytes, _: Path) -> EnvVariables:
    return github_pairs(data.decode())


def github_pairs(text: str, *, windows: bool = False) -> EnvVariables:
    """What a runner reads in one of its files: lines are ended by LF alone, on Windows by CR LF, too."""
    end = re.compile(r"\r?\n" if windows else r"\n")
    found: EnvVariables = {}
    at = 0
    while at < len(text):
        line, at = _line(text, at, end)[0:2]
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            found[line[:equals]] = line[equals + 1 :]
        elif heredoc > 0 and line[heredoc + 2 :]:
            found[line[:heredoc]], at = _heredoc(text, at, line[heredoc + 2 :], end)
        else:
            raise RejectedError(line)
    return found


def _line(text: str, at: int, end: re.Pattern[str]) -> tuple[str, int, int]:
    match = end.search(text, at)
    return (text[at : match.start()], match.end(), len(match[0])) if match else (text[at:], len(text), 0)


def _heredoc(text: str, start: int, delimiter: str, end: re.Pattern[str]) -> tuple[str, int]:
    at, last = start, start
    while True:
        if at >= len(text):
            raise RejectedError("the delimiter is missing")
        line, at, ending = _line(text, at, end)
        if line == delimiter:
            return text[start:last], at
        last = at - ending


def gitlab(data: bytes, _: Path) -> EnvVariables:
    """What GitLab reads in the report of a job, and what its runner then puts in for variables."""
    found: EnvVariables = {}
    for line in data.decode().removeprefix("\ufeff").split("\n")[:-1]:
        match = re.fullmatch(r"(.*?)=(.*)", line, re.DOTALL)
        if match is None:
            raise RejectedError(line)
        found[match[1].strip("\t\n\v\f\r ")] = match[2].strip("\t\n\v\f\r ")
    return {name: _expanded(value) for name, value in found.items()}


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
