"""Damaged files cause no traceback, and each finding has a place inside a file."""

import random
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from envtree.model.diagnostic import Diagnostic
from envtree.model.span import Span
from tests.support.trees import CheckResult, check

EXAMPLES = Path(__file__).parents[2] / "examples"
TREES = ("acme", "minimal", "kubiya-api", "broken")
DAMAGED_AT_ONCE = 6
SEEDS = range(4800)
# Texts with a meaning in YAML, sops, expressions or terminals.
BITS = """
    : - ? , [ ] { } # & * ! | > ' " % @ ` $ ${{ }} {{ ~ << .. / // ... --- ENC[ [] {} !!binary *a &a $delete $value
    $replace $append null yes 0o7 1_0 .inf 1e999 0x 2001-01-01 \\t \\0 \\r \\x1b \\x85 \\ufeff \\u202e \\u2028 \\ud800
    99999999999999999999999999 inherits targets execution_environment env_vars secrets name sops _scope
"""
BYTES = [bit.encode().decode("unicode_escape").encode("utf-8", "surrogatepass") for bit in BITS.split()]

Damage = Callable[[bytes, random.Random], bytes]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(BYTES) + data[at:]


def _cut(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.randrange(1, 30) :]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(max(1, len(data)))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _repeat_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b"a: b\n"]
    return b"".join([*lines, rng.choice(lines)])


def _swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines)


def _indent(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b"\n"]
    at = rng.randrange(len(lines))
    lines[at] = b" " * rng.randrange(1, 5) + lines[at].lstrip(b" ")
    return b"".join(lines)


def _replace_word(data: bytes, rng: random.Random) -> bytes:
    words = data.split(b" ")
    words[rng.randrange(len(words))] = rng.choice(BYTES)
    return b" ".join(words)


DAMAGES: tuple[Damage, ...] = (
    _insert,
    _insert,
    _cut,
    _truncate,
    _flip,
    _repeat_line,
    _swap_lines,
    _indent,
    _replace_word,
    _replace_word,
)


@cache
def _example(name: str) -> dict[str, bytes]:
    files = (path for ending in ("yaml", "yml") for path in (EXAMPLES / name).rglob(f"*.{ending}"))
    return {path.relative_to(EXAMPLES / name).as_posix(): path.read_bytes() for path in sorted(files)}


def damage_example(seed: int) -> tuple[dict[str, bytes], set[str]]:
    """Return the files of an example, some of them damaged, and the paths of the damaged ones."""
    rng = random.Random(seed)
    original = _example(TREES[seed % len(TREES)])
    files = dict(original)
    for path in rng.sample(sorted(files), min(DAMAGED_AT_ONCE, len(files))):
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            files[path] = rng.choice(DAMAGES)(files[path], rng)
    return files, {path for path, content in files.items() if content != original[path]}


def _all_spans(finding: Diagnostic) -> list[Span]:
    return [finding.span, *(related.span for related in finding.related)]


def assert_inside(span: Span, files: dict[str, bytes]) -> None:
    """Require that a span is a token of an existing file, or else names a folder of the tree, or the tree."""
    if span.path not in files:
        assert span.line <= 1, span
        assert not span.path or any(path.startswith(f"{span.path}/") for path in files), span
        return
    lines = files[span.path].decode("utf-8", "replace").split("\n")
    assert 1 <= span.line <= span.end_line <= len(lines), span
    assert 1 <= span.column <= len(lines[span.line - 1]) + 1, span
    # The span of something missing at the end of a line is one character wide.
    assert 1 <= span.end_column <= max(len(lines[span.end_line - 1]), span.column) + 1, span


def assert_findings_inside(result: CheckResult, files: dict[str, bytes]) -> None:
    for finding in result.outcome.findings:
        assert finding.diagnostic.message
        for span in _all_spans(finding.diagnostic):
            assert_inside(span, files)


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(SEEDS[at : at + 40], marks=pytest.mark.full if at else ()) for at in SEEDS[::40]],
    ids=str,
)
def test_t28_damaged_files_are_told_with_their_places(seeds: range) -> None:
    for seed in seeds:
        files, _ = damage_example(seed)
        try:
            assert_findings_inside(check(files), files)
        except Exception as trouble:
            raise AssertionError(f"seed {seed}") from trouble


@pytest.mark.full
def test_the_damage_is_twenty_thousand_files_of_every_example() -> None:
    distinct = {
        (TREES[seed % len(TREES)], path, sha256(files[path]).digest())
        for seed in SEEDS
        for files, paths in [damage_example(seed)]
        for path in paths
    }
    assert len(distinct) >= 20_000
    # Every file of every example was damaged.
    assert {damaged_file[:2] for damaged_file in distinct} == {
        (name, path) for name in TREES for path in _example(name)
    }
