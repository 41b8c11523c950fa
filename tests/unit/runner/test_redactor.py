"""Secrets are redacted in a stream as in the whole text at once, in every encoding (T64, T65)."""

import base64
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from envtree.model.secret_entries import NamedSecret
from envtree.runner.launch.redactor import HEAD_LENGTH, REDACTION_MARK, RedactionPatterns, Redactor
from envtree.runner.launch.secret_encodings import build_redaction_patterns, find_unmaskable
from tests.support.effort import count_steps
from tests.support.rounds import rounds

SECRET = "quokka7-\"Ünique\"/+&?=$x\\y\nsecond-line-of-it\n  third: 'it'\nab"


def exact(*texts: bytes) -> RedactionPatterns:
    return RedactionPatterns(frozenset(texts))


def redacted(pieces: Iterable[bytes], patterns: RedactionPatterns) -> bytes:
    redactor = Redactor(patterns)
    return b"".join([*map(redactor.feed, pieces), redactor.finish()])


def patterns_of(secret: str) -> RedactionPatterns:
    return build_redaction_patterns([NamedSecret("X", secret)])


# The naive model: every occurrence marks its bytes, and each run of marked bytes becomes one mark.


def naive(text: bytes, patterns: RedactionPatterns) -> bytes:
    covered = bytearray(len(text))
    for pattern in map(expression, sorted(patterns.exact), [False] * len(patterns.exact)):
        cover(text, pattern, covered)
    for pattern in map(expression, sorted(patterns.breakable), [True] * len(patterns.breakable)):
        cover(text, pattern, covered)
    runs = re.finditer(b"(\1+)|(\0+)", bytes(covered))
    return b"".join(REDACTION_MARK if run[1] else text[run.start() : run.end()] for run in runs)


def expression(pattern: bytes, breakable: bool) -> re.Pattern[bytes]:
    literal = [re.escape(pattern[at : at + 1]) for at in range(len(pattern))]
    between = rb"(?:[\r\n][\r\n\t ]*+)?" if breakable else b""
    return re.compile(
        b"(?=("
        + b"".join(literal[:HEAD_LENGTH])
        + b"".join(between + character for character in literal[HEAD_LENGTH:])
        + b"))"
    )


def cover(text: bytes, pattern: re.Pattern[bytes], covered: bytearray) -> None:
    for match in pattern.finditer(text):
        covered[match.start(1) : match.end(1)] = b"\1" * (match.end(1) - match.start(1))


# Few letters, so that patterns overlap, repeat, and begin within each other.
LETTERS = st.sampled_from([b"a", b"b", b"a", b"b", b"\xff", b"\n", b" "])
EXACT_PATTERNS = st.frozensets(st.lists(LETTERS, min_size=HEAD_LENGTH, max_size=9).map(b"".join), max_size=3)
# Encodings contain no whitespace.
BREAKABLE_PATTERNS = st.frozensets(st.text("ab", min_size=HEAD_LENGTH, max_size=9).map(str.encode), max_size=3)


@st.composite
def streams(draw: st.DrawFn) -> tuple[RedactionPatterns, list[bytes]]:
    patterns = RedactionPatterns(draw(EXACT_PATTERNS), draw(BREAKABLE_PATTERNS))
    parts = st.one_of(LETTERS, *(st.sampled_from(sorted(group)) for group in patterns if group))
    text = b"".join(draw(st.lists(parts, max_size=40)))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=len(text))))
    return patterns, [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@settings(max_examples=rounds(gate=150, full=600))
@given(streams())
@example((exact(b"aaab", b"abaaaaaa"), [bytes([byte]) for byte in b"ababaaabaa"]))
@example((exact(b"abab", b"baba"), [b"ab", b"ab", b"a"]))
def test_a_stream_gives_what_the_whole_text_gives(drawn: tuple[RedactionPatterns, list[bytes]]) -> None:
    patterns, pieces = drawn
    assert redacted(pieces, patterns) == naive(b"".join(pieces), patterns)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=4, max_size=30)


@settings(max_examples=rounds(gate=40, full=80))
@given(st.lists(TEXTS, min_size=1, max_size=3), st.data())
def test_random_secrets_in_random_pieces(secrets: list[str], data: st.DataObject) -> None:
    patterns = build_redaction_patterns(NamedSecret("X", secret) for secret in secrets)
    forms = [*patterns.exact, *patterns.breakable]
    parts = st.one_of(st.binary(max_size=5), *([st.sampled_from(sorted(forms))] if forms else []))
    text = b"".join(data.draw(st.lists(parts, max_size=8)))
    size = data.draw(st.integers(1, 7))
    output = redacted((text[at : at + size] for at in range(0, len(text), size)), patterns)
    assert output == naive(text, patterns)


# Only a possible beginning of a secret is held back.


def test_what_is_no_beginning_comes_out_at_once() -> None:
    redactor = Redactor(exact(b"secret", b"other!"))
    assert redactor.feed(b"hello\n") == b"hello\n"
    assert redactor.feed(b"a prompt> ") == b"a prompt> "
    assert redactor.feed(b"is") == b"i"
    assert redactor.feed(b"ec") == b""
    assert redactor.feed(b"tor") == b"sector"


def test_a_mark_comes_out_as_soon_as_it_is_certain() -> None:
    redactor = Redactor(exact(b"secret"))
    assert [redactor.feed(bytes([byte])) for byte in b"secret!"] == [b"", b"", b"", b"", b"", REDACTION_MARK, b"!"]


def test_the_end_tells_what_was_held() -> None:
    redactor = Redactor(exact(b"secret"))
    assert (redactor.feed(b"a secr"), redactor.finish()) == (b"a ", b"secr")


def test_overlapping_secrets_leave_nothing() -> None:
    both = exact(b"hello-world", b"world-peace")
    assert redacted([b"<hello-wor", b"ld-peace>"], both) == b"<" + REDACTION_MARK + b">"
    assert redacted([b"<hello-world", b"world-peace>"], both) == b"<" + REDACTION_MARK + b">"
    assert redacted([b"<hello-world world-peace>"], both) == b"<" + REDACTION_MARK + b" " + REDACTION_MARK + b">"


def test_without_secrets_nothing_changes() -> None:
    assert redacted([b"a", b"\0\xff\n"], RedactionPatterns(frozenset())) == b"a\0\xff\n"


def test_t64_a_wrapped_encoding_is_found_wherever_its_lines_end() -> None:
    secret = "hunter2-and-some-more-of-it-so-that-it-takes-two-lines"
    for before in range(60):
        encoded = base64.encodebytes(b"x" * before + secret.encode() + b"y" * 9)
        output = redacted([encoded], patterns_of(secret))
        assert output.count(REDACTION_MARK) == 1
        # Digits shared with neighbours are left, and up to three characters at the end of a line.
        remaining = len(b"".join(output.replace(REDACTION_MARK, b"").split()).rstrip(b"="))
        assert remaining <= (before + 9) * 4 / 3 + 3 + 3


def spellings(text: str) -> dict[str, str]:
    raw = text.encode()
    return {
        "raw": text,
        "json": json.dumps(text),
        "json without ASCII only": json.dumps(text, ensure_ascii=False),
        "json in json": json.dumps(json.dumps(text)),
        "url": quote(text),
        "url, all": quote(text, safe=""),
        "hex": raw.hex(),
        "hex in capitals": raw.hex().upper(),
        "shell": shlex.quote(text),
        "python": repr(text),
        **{f"base64 at {n}": base64.b64encode(b"x" * n + raw + b"z" * 3).decode() for n in range(3)},
        **{f"base64url at {n}": base64.urlsafe_b64encode(b"x" * n + raw + b"z" * 3).decode() for n in range(3)},
    }


@pytest.mark.parametrize("form", spellings(SECRET))
@pytest.mark.parametrize("piece", [SECRET, *SECRET.split("\n")[:2], "third: 'it'"])
def test_t64_every_spelling_is_found_byte_by_byte(piece: str, form: str) -> None:
    spelt = spellings(piece)[form].encode()
    output = redacted((spelt[at : at + 1] for at in range(len(spelt))), patterns_of(SECRET))
    assert REDACTION_MARK in output
    # In base64, digits shared with neighbours are left, and those of the neighbours.
    assert len(output.replace(REDACTION_MARK, b"").rstrip(b"=")) <= 9


CASES = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))


@pytest.mark.parametrize("program", CASES["written"])
def test_t64_what_programs_write_is_found(program: str) -> None:
    spelt = CASES["written"][program].encode()
    output = redacted((spelt[at : at + 1] for at in range(len(spelt))), patterns_of(CASES["secret"]))
    assert output == REDACTION_MARK


def test_the_lines_of_a_secret_are_secret_and_so_is_it_where_a_terminal_ends_them() -> None:
    for text in ("second-line-of-it", "    third: 'it'\n", SECRET.replace("\n", "\r\n")):
        assert redacted([b"<", text.encode(), b">"], patterns_of(SECRET)).strip(b"< \n>") == REDACTION_MARK
    # Such a short line is only found together with the others.
    assert redacted([b"ab"], patterns_of(SECRET)) == b"ab"


def test_t65_what_is_too_short_is_told_by_name_and_not_masked() -> None:
    secrets = [
        NamedSecret("PIN", "123"),
        NamedSecret("FLAG", "true"),
        NamedSecret("EMPTY", ""),
        NamedSecret("LONG", "1234"),
    ]
    secrets += [NamedSecret("a.yaml#pin", "123"), NamedSecret("a.yaml#salt", "x")]
    assert find_unmaskable(secrets) == ["FLAG", "PIN", "a.yaml#salt"]
    assert redacted([b"123 true 1234"], build_redaction_patterns(secrets)) == b"123 true " + REDACTION_MARK


def test_it_keeps_up_with_a_program_that_says_much() -> None:
    key = "-----BEGIN KEY-----\n" + "\n".join(f"{n:064x}" for n in range(50))
    secrets = [NamedSecret("KEY", key), *(NamedSecret(f"S{n}", f"token-{n}-of-many") for n in range(20))]
    redactor = Redactor(build_redaction_patterns(secrets))
    line = b"127.0.0.1 - - [01/Jan/2026:00:00:00] GET /index.html 200\n"
    # One search finds that there is nothing, however long the output, and nothing of it is kept.
    for _ in range(3):
        assert redactor.feed(line * 1000) == line * 1000
        assert count_steps(lambda: redactor.feed(line * 10_000)) < 100
