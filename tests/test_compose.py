"""The `.env` dialect of Docker Compose: what is written is what its readers get."""

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envtree.emit.compose import compose

HOSTILE = [
    *("'", '"', "$", "${A}", "$$", "$(id)", "`id`", "\\", "\\n", "\\$", "#", " # c", " ", "\t", "\n", "\r", "\r\n"),
    *(
        "=",
        ";",
        "&",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
        "\x1b",
        "\x7f",
        "export ",
        "EOF",
        "::",
        "é",
        "日本",
        "😀",
        "a",
    ),
]
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
VALUES = st.one_of(
    st.lists(st.sampled_from(HOSTILE), max_size=12).map("".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
_LINE = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\$]|\\.)*)"\n', re.DOTALL)
_UNESCAPED = {"n": "\n", "r": "\r"}


def parse(data: bytes) -> dict[str, str]:
    """The rules of the dialect, read the other way round; a bare `$` would be a substitution and does not match."""
    text = data.decode()
    found: dict[str, str] = {}
    at = text.index("\n") + 1 if text.startswith("#") else 0
    while at < len(text):
        match = _LINE.match(text, at)
        assert match, text[at:]
        found[match[1]] = re.sub(r"\\(.)", lambda pair: _UNESCAPED.get(pair[1], pair[1]), match[2], flags=re.DOTALL)
        at = match.end()
    return found


@given(st.dictionaries(NAMES, VALUES), st.lists(NAMES, unique=True))
def test_round_trip(env_vars: dict[str, str], left_out: list[str]) -> None:
    data = compose(env_vars, left_out)
    assert parse(data) == env_vars
    assert data.count(b"\n") == len(env_vars) + bool(left_out)


def test_form() -> None:
    data = compose({"B": 'two "words"', "A": "1", "C": "a\\b$c\nd\r"}, ["Z", "TOKEN"])
    assert data == (
        b"# sensitive, left out: TOKEN, Z\n"
        b'A="1"\n'
        b'B="two \\"words\\""\n'
        b'C="a\\\\b\\$c\\nd\\r"\n'
    )  # fmt: skip


def test_nothing() -> None:
    assert compose({}, []) == b""


@given(st.sampled_from("\0\ud800\udfff"), VALUES)
def test_what_cannot_be_written_is_refused_without_its_value(bad: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"^'NAME' holds a character that \.env cannot carry$") as caught:
        compose({"A": "1", "NAME": f"canary{bad}{value}"}, [])
    assert type(caught.value) is ValueError


def _hostile_values(count: int) -> dict[str, str]:
    chance = random.Random(136)
    return {f"V{i}": "".join(chance.choices(HOSTILE, k=chance.randrange(9))) for i in range(count)}


def test_the_real_docker_compose_reads_it(tmp_path: Path) -> None:
    program = shutil.which("docker-compose")
    if program is None and "CI" not in os.environ:
        pytest.skip("docker-compose is not installed here; in CI it must be")
    assert program, "docker-compose is missing"
    env_vars = _hostile_values(1500) | {"A": "not for substitution"}
    (tmp_path / "bundle.env").write_bytes(compose(env_vars, ["TOKEN"]))
    (tmp_path / "compose.yaml").write_text("services: {s: {image: i, env_file: bundle.env}}\n")
    shown = subprocess.run(
        [program, "--project-directory", ".", "-f", "compose.yaml", "config", "--format", "json"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "A": "from outside"},
    )
    read = json.loads(shown.stdout)["services"]["s"]["environment"]
    # `config` shows a form that could be read again, where `$` is `$$`.
    assert {name: value.replace("$$", "$") for name, value in read.items()} == env_vars
