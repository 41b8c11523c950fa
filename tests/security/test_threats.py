"""Each threat of .github/THREATS.md has tests named after its id; this file has those that belong to no module."""

import ast
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envtree.diagnostics.codes import CODES
from tests.support.command_line import RunCommand
from tests.support.trees import check, layers
from tests.support.vault import ID, Vault, vault

__all__ = ["vault"]

ROOT = Path(__file__).parents[2]
TABLE = ROOT / ".github" / "THREATS.md"
ROW = re.compile(r"^\| (T\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"^ *def test_((?:t\d{2,3}_)+)", re.MULTILINE)


def files_by_threat() -> dict[str, set[str]]:
    """Return the test files with tests for each threat id."""
    files: dict[str, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for ids in NAMED.findall(path.read_text("utf-8")):
            for threat in ids.upper().strip("_").split("_"):
                files.setdefault(threat, set()).add(path.relative_to(ROOT / "tests").as_posix())
    return files


def test_every_threat_has_the_tests_that_the_table_names() -> None:
    table = ROW.findall(TABLE.read_text())
    rows = {threat: set(re.findall(r"`(\S+?)`", tests)) for threat, _, _, tests, _ in table}
    assert list(rows) == [f"T{number:02}" for number in range(1, 109)]
    assert rows == files_by_threat()
    assert len(table) == TABLE.read_text().count("\n| T"), "a row has another form"


def test_every_threat_has_a_promise_tests_and_a_residual_risk() -> None:
    for threat, *cells in ROW.findall(TABLE.read_text()):
        for cell in cells:
            assert len(cell.strip().strip("-–.?").split()) > 1 or "`" in cell, (threat, cell)
            assert "TODO" not in cell


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Texts that are nearly names, which random texts rarely are.
ALMOST = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_\-.=\n \u0410\u0660\uff21$]{0,6}", fullmatch=True)


@given(ALMOST | st.text(max_size=8), st.sampled_from(["env_vars: {%s: x}", "secrets: {%s: db}", "secrets: [%s]"]))
def test_t18_t72_what_is_no_name_is_no_variable(name: str, section: str) -> None:
    result = check(layers("", f"{{{section % json.dumps(name)}}}", secrets={0: {"db": "p", "A": "p"}}))
    codes = {code for code in result.codes if CODES[code].severity == "error"} - {"ET601"}
    assert bool(codes) == (NAME.fullmatch(name) is None), result.findings


def modules() -> Iterator[tuple[str, ast.Module]]:
    package = ROOT / "compiler" / "envtree"
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).as_posix(), ast.parse(path.read_text("utf-8"))


def imported_modules(tree: ast.Module) -> set[str]:
    """Return the names of the imported modules and of their parent packages."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name[: at.start()] for name in names for at in re.finditer(r"\.|$", name)}


def called_functions(tree: ast.Module) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


CODE = {"__import__", "compile", "eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
LOADERS = {"code", "imp", "importlib.machinery", "importlib.metadata", "importlib.util", "marshal", "pickle", "runpy"}
# The cache unpickles only listed classes, which test_cache.py attacks.
UNPICKLES = {"engine/cache/object_store.py"}
# These import modules by constant names: subcommands, and libraries that may be missing.
IMPORT_LATER = {
    *("cli/support/group.py", "cli/support/options.py", "secrets/access/own_key.py"),
    *("secrets/sops/select_decrypter.py", "system/file_watcher.py"),
}


def test_t97_the_program_runs_no_code_but_its_own() -> None:
    for path, tree in modules():
        assert not imported_modules(tree) & (LOADERS - ({"pickle"} if path in UNPICKLES else set())), path
        assert not called_functions(tree) & CODE, path
        assert ("import_module" in called_functions(tree)) == (path in IMPORT_LATER), path


PLANTED = {
    "sitecustomize.py": "",
    "conftest.py": "",
    "envtree.py": "",
    "click.py": "",
    "filters/shout.py": "",
    "agents/plugin.py": "",
    "agents/b.yaml": "a: !include ../agents/plugin.py\n",
    "agents/c.yaml": "a: !!python/object/apply:os.system ['touch ran']\n",
    "agents/d.yaml": "execution_environment:\n  env_vars: {A: '${{ 1 | shout }}', B: '${{ __import__(1) }}'}\n",
}


def test_t14_t97_no_code_of_a_tree_runs(vault: Vault, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n"
    vault.write({path: text or code for path, text in PLANTED.items()})
    for command in (["check"], ["tree"], ["compile", "-o", "out"], ["show", ID], ["secrets", "audit"]):
        # With -P Python does not import from the working directory, like the installed program.
        words = [sys.executable, "-P", *vault.command(*command)[1:]]
        result = subprocess.run(words, cwd=vault.root, env=vault.environ, check=False, capture_output=True)
        assert result.returncode in (0, 1), result.stderr
        assert not marker.exists(), command


NETWORK = {"asyncio", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "socketserver", "ssl", "urllib3"}


# The modules that connect to the control plane.
CONNECTS = {"controlplane/api/client.py"}


def test_t98_the_program_imports_nothing_that_could_connect() -> None:
    for path, tree in modules():
        network_modules = imported_modules(tree) & (NETWORK | {"urllib.request", "urllib.error", "xmlrpc", "telnetlib"})
        assert network_modules == ({"httpx"} if path in CONNECTS else set()), path


COMMANDS = [
    ["check"],
    ["tree"],
    ["explain", ID],
    ["secrets", "audit", "--decrypt"],
    ["compile", "-o", "plain"],
    ["compile", "-o", "ref", "--secrets", "ref"],
    ["unseal", "ref", "-o", "unsealed"],
    ["run", ID, "--", "true"],
    ["report", "-o", "page.html"],
    ["schema", "agent"],
]


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["process", "native"])
def test_t98_no_command_opens_a_connection_nor_does_what_it_starts(reader: str, vault: Vault) -> None:
    """strace reports all sockets, including those of sops and of the Rust libraries."""
    trace = vault.folder / "trace"
    watch = ["strace", "--follow-forks", "--quiet=all", "--trace=socket,connect,bind,sendto", f"--output={trace}"]
    for command in COMMANDS:
        environ = {**vault.environ, "ENVTREE_SOPS": reader}
        result = subprocess.run(
            [*watch, *vault.command(*command)], cwd=vault.folder, env=environ, check=False, capture_output=True
        )
        assert result.returncode == 0, (command, result.stderr)
        assert "AF_INET" not in trace.read_text(), command
    control_command = [*watch, sys.executable, "-c", "import socket; socket.create_server(('127.0.0.1', 0))"]
    subprocess.run(control_command, check=True)
    assert "AF_INET" in trace.read_text()


def test_t98_no_test_reaches_beyond_this_machine() -> None:
    for address in (("192.0.2.1", 443), ("2001:db8::1", 443), ("example.invalid", 443)):
        with pytest.raises(AssertionError, match="beyond this machine"):
            socket.create_connection(address, timeout=1)


NOTHING = [
    ("check",),
    ("check", "shop/nobody@*"),
    ("compile", "-o", "out"),
    ("compile", "-o", "out", "shop/nobody@*"),
    ("compile", "-o", "out", "--secrets", "ref"),
]


@pytest.mark.parametrize("arguments", NOTHING)
def test_t100_nothing_is_no_success(arguments: tuple[str, ...], tree: Path, envtree: RunCommand) -> None:
    if "shop/nobody@*" not in arguments:
        shutil.rmtree(tree / "projects")
    assert envtree(*arguments).code == 1
    assert not (tree / "out").exists()
    assert envtree(*arguments, "--allow-empty").code == 0


def test_t100_nor_is_a_folder_without_a_tree(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "envtree", "check"]
    environ = {"PYTHONPATH": str(ROOT / "compiler"), "ENVTREE_CEILING_DIRECTORIES": str(tmp_path.parent)}
    result = subprocess.run(command, cwd=tmp_path, env=environ, check=False, capture_output=True)
    assert result.returncode in (1, 2)
    assert b"organization.yaml" in result.stderr
