"""A cache folder with entries that another program has put there: no code runs, and nothing ends in a crash."""

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import CommandResult, write_files
from tests.support.secrets_tree import SecretsTree, make_secrets_tree

HEADER = b"envtree cache 2\n"


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    tree = make_secrets_tree(tmp_path)
    write_files(tree.root, {"agents/more.yaml": "execution_environment: {env_vars: {A: no}}\n"})
    return tree


class Runs:
    """A pickle that runs a program when it is restored."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def deep(_: Path) -> bytes:
    return b"\x80\x04" + b"(" * 100_000 + b"t" * 100_000 + b"."


PAYLOADS: dict[str, Callable[[Path], bytes]] = {
    "code": lambda marker: pickle.dumps(Runs(marker)),
    "a global": lambda _: b"cos\nsystem\n(S'true'\ntR.",
    "another type": lambda _: pickle.dumps({"a": [1, None]}),
    "nothing": lambda _: b"",
    "noise": lambda _: bytes(range(256)) * 10,
    "a huge length": lambda _: b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
    "deep": deep,
    "a text that refers to itself": lambda _: b"\x80\x04]\x94h\x00a.",
}


def entries(tree: SecretsTree) -> list[Path]:
    return [path for path in sorted((tree.home / ".cache/envtree").rglob("*")) if path.is_file()]


def run_commands(tree: SecretsTree) -> list[CommandResult]:
    commands = (("check",), ("compile", "--secrets", "ref", "-o", str(tree.home / "out")), ("tree",))
    return [tree.run(*command) for command in commands]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_t97_no_entry_runs_code_or_ends_a_run(tree: SecretsTree, payload: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    body = PAYLOADS[payload](marker)
    run_commands(tree)
    expected = run_commands(tree)
    assert len(entries(tree)) > 1
    for path in entries(tree):
        path.write_bytes(HEADER + hashlib.sha256(body).digest() + body)
    assert run_commands(tree) == expected
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "of another mode"])
def test_t97_an_entry_that_is_no_private_file_is_ignored(tree: SecretsTree, kind: str, tmp_path: Path) -> None:
    run_commands(tree)
    expected = run_commands(tree)
    for path in entries(tree):
        data = path.read_bytes()
        if kind == "of another mode":
            path.chmod(0o666)
            continue
        path.unlink()
        if kind == "link":
            (tmp_path / path.name).write_bytes(data)
            path.symlink_to(tmp_path / path.name)
        elif kind == "folder":
            path.mkdir()
        else:
            os.mkfifo(path, 0o600)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert run_commands(tree) == expected
    assert {path: path.read_bytes() for path in before} == before
