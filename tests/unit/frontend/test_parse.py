"""The stage `parse`: every case is read by both parsers, and in plain block form if possible, with one result."""

import hashlib
import inspect
import json
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from envtree.diagnostics.codes import CODES
from envtree.frontend.parse import parse as public_parse
from envtree.frontend.parse.backend import Backend
from envtree.frontend.parse.document import parse
from envtree.frontend.parse.yaml_events import fastest_backend, libyaml_events, pure_events
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.source import Kind, Location, Source
from tests.support.effort import count_steps, peak_memory
from tests.support.rounds import rounds

BACKENDS: dict[str, Backend | None] = {"lines": None, "pure": pure_events}
if yaml.__with_libyaml__:
    BACKENDS["libyaml"] = libyaml_events

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
CANARY = "hunter2"


class Outcome(NamedTuple):
    document: Document | None
    findings: list[Diagnostic]

    @property
    def value(self) -> object:
        return self.document.root.value if self.document else None

    @property
    def codes(self) -> list[str]:
        return [finding.code for finding in self.findings]

    @property
    def places(self) -> list[str]:
        return [f"{finding.code} {finding.span.line}:{finding.span.column}" for finding in self.findings]

    @property
    def errors(self) -> list[str]:
        return [code for code in self.codes if CODES[code].severity == "error"]


def read_bytes(data: bytes, backend: Backend | None, path: str = "a.yaml") -> Outcome:
    diags = Diagnostics()
    source = Source(path, Location(Kind.AGENT, "p", "t", "a"), data, hashlib.sha256(data).hexdigest())
    return Outcome(parse(source, diags, backend=backend), list(diags))


def read(text: str, backend: Backend | None, path: str = "a.yaml") -> Outcome:
    return read_bytes(text.encode(), backend, path)


def every_node(node: Node) -> Iterator[Node]:
    yield node
    children = (
        node.entries.values() if isinstance(node, MappingNode) else node.items if isinstance(node, SequenceNode) else ()
    )
    for child in children:
        yield from every_node(child)


@pytest.fixture(params=BACKENDS.values(), ids=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend | None:
    chosen: Backend | None = request.param
    return chosen


# Files without a finding, and their values.
CLEAN = {
    "empty file": ("", {}),
    "only comments": ("# a\n\n  # b\n", {}),
    "explicit empty document": ("---\n", {}),
    "one explicit document": ("---\na: x\n...\n", {"a": "x"}),
    "no final newline": ("a: x", {"a": "x"}),
    "CR LF": ("a: x\r\nb: |\r\n  y\r\n", {"a": "x", "b": "y\n"}),
    "json": ('{"a": [1, 2.5, true, null, "x"], "b": {}}', {"a": [1, 2.5, True, None, "x"], "b": {}}),
    "json scalars": (
        "a: [true, false, null, 0, -0, -1, 1.10, 1e3, -2E-2]",
        {"a": [True, False, None, 0, 0, -1, 1.1, 1e3, -2e-2]},
    ),
    "largest integers": ("a: [9007199254740992, -9007199254740992]", {"a": [2**53, -(2**53)]}),
    "empty values are null": ("a:\nb: [x, {y1: }]\nc:\n-\n", {"a": None, "b": ["x", {"y1": None}], "c": [None]}),
    "words are text": (
        "a: [nope, yesterday, online, nullable, truer, x~]",
        {"a": ["nope", "yesterday", "online", "nullable", "truer", "x~"]},
    ),
    "not quite numbers": (
        "a: [1.2.3, 10.0.0.1, 512Mi, 80:80, -, --x, +, ., e3, 0xZZ, v1, '1-2', 1-2, 5s]",
        {"a": ["1.2.3", "10.0.0.1", "512Mi", "80:80", "-", "--x", "+", ".", "e3", "0xZZ", "v1", "1-2", "1-2", "5s"]},
    ),
    "quotes make text": ("a: ['no', \"1\", '~', '0755', \"true\", '']", {"a": ["no", "1", "~", "0755", "true", ""]}),
    "block scalars": (
        "a: |\n  x\n  y\nb: >-\n  x\n  y\nc: |+\n  x\n\nd: z\n",
        {"a": "x\ny\n", "b": "x y", "c": "x\n\n", "d": "z"},
    ),
    "block scalar at the end": ("a: |\n  x", {"a": "x"}),
    "block scalar with a comment": ("a: | # why\n  x\n", {"a": "x\n"}),
    "multi-line plain": ("a: x\n  y\nb: z\n", {"a": "x y", "b": "z"}),
    "urls": (
        "a: [http://x/?q=1&r=2#f, 'b?']\nb: http://x:80/?q\n",
        {"a": ["http://x/?q=1&r=2#f", "b?"], "b": "http://x:80/?q"},
    ),
    "question marks in brackets": ("a: [b ?c, d ? e, f?, g??h]", {"a": ["b ?c", "d ? e", "f?", "g??h"]}),
    "explicit keys": ("? a\n? b\n: c\n", {"a": None, "b": "c"}),
    "expressions": (
        "a: ${{ project.key | lower }}-x\nb: '{{ t }}'\n",
        {"a": "${{ project.key | lower }}-x", "b": "{{ t }}"},
    ),
    "anchor and alias": (
        "a: &x {p: 1}\nb: *x\nc: &s t\nd: [*s, *s]\n",
        {"a": {"p": 1}, "b": {"p": 1}, "c": "t", "d": ["t", "t"]},
    ),
    "anchored null": ("a: &x\nb: *x\n", {"a": None, "b": None}),
    "anchored key": ("&k a: 1\nb: *k\n", {"a": 1, "b": "a"}),
    "merge key": ("a: &a {p: 1, q: 2}\nb:\n  q: 3\n  <<: *a\n", {"a": {"p": 1, "q": 2}, "b": {"q": 3, "p": 1}}),
    "merge before own keys": (
        "a: &a {p: 1, q: 2}\nb: {<<: *a, q: 3}\n",
        {"a": {"p": 1, "q": 2}, "b": {"q": 3, "p": 1}},
    ),
    "merge a list, the earlier wins": (
        "a: &a {p: 1}\nb: &b {p: 2, q: 2}\nc: {<<: [*a, *b]}\n",
        {"a": {"p": 1}, "b": {"p": 2, "q": 2}, "c": {"p": 1, "q": 2}},
    ),
    "merge of a merge": (
        "a: &a {p: 1}\nb: &b {<<: *a, q: 2}\nc: {<<: *b}\n",
        {"a": {"p": 1}, "b": {"p": 1, "q": 2}, "c": {"p": 1, "q": 2}},
    ),
    "merge an inline map": ("c: {<<: {p: 1}}\n", {"c": {"p": 1}}),
    "merge with the tag of go-yaml": ("a: &a {p: 1}\nb:\n  !!merge <<: *a\n", {"a": {"p": 1}, "b": {"p": 1}}),
    "quoted << is a key": ("a: {'<<': {p: 1}}\n", {"a": {"<<": {"p": 1}}}),
    "<< as a value": ("a: <<\n", {"a": "<<"}),
    "core tags": (
        '!!map\na: [!!str 1, !!int "2", !!float 3, !!bool true, !!null "", !!str no]\nb: !!seq []\n!!str 1: x\n',
        {"a": ["1", 2, 3.0, True, None, "no"], "b": [], "1": "x"},
    ),
    "verbatim core tag": ("a: !<tag:yaml.org,2002:str> 1\n", {"a": "1"}),
    "escapes": (r'a: "\x41\u00e9\U0001F600\t\n\e\\\/\"\_\N\L"', {"a": 'A\u00e9\U0001f600\t\n\x1b\\/"\xa0\x85\u2028'}),
    "backslashes elsewhere": (
        "a: 'C:\\u202e'\nb: \\ud800\nc: |\n  \\0\n",
        {"a": "C:\\u202e", "b": "\\ud800", "c": "\\0\n"},
    ),
    "escaped backslash": (r'a: "\\u202e"', {"a": "\\u202e"}),
    "tabs in texts": ("a: \"x\ty\"\nb: |\n  all:\n  \tcc\nc: '\t'\n", {"a": "x\ty", "b": "all:\n\tcc\n", "c": "\t"}),
    "tab after an indentation indicator": ("a: |2\n  \tx\n", {"a": "\tx\n"}),
    "unicode": ("ключ: значение ✓ 日本\nb: \U0001f600\ufe0f\n", {"ключ": "значение ✓ 日本", "b": "\U0001f600\ufe0f"}),
    "percent inside": ("a: 5%\nb: |\n  %x\nc: 'x\n  %y'\n", {"a": "5%", "b": "%x\n", "c": "x %y"}),
    "depth 64": (f"a: {'[' * 63}{']' * 63}", None),
}


@pytest.mark.parametrize("row", CLEAN.values(), ids=CLEAN)
def test_clean_files_are_read_as_written(row: tuple[str, object], backend: Backend | None) -> None:
    text, value = row
    outcome = read(text, backend)
    assert outcome.places == []
    assert outcome.document is not None
    if value is not None:
        assert json.dumps(outcome.value, sort_keys=True) == json.dumps(value, sort_keys=True)


# Text, the code and position of every finding, and the value that is read nevertheless (None: nothing usable).
FINDINGS = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", ["ET102 3:1"], {"a": 1, "b": 2}),
    "two merge keys": ("a: {<<: {p: 1}, <<: {q: 1}}", ["ET102 1:17"], {"a": {"p": 1}}),
    "duplicate anchor": ("a: &x 1\nb: &x 2\nc: *x\n", ["ET111 2:4"], {"a": 1, "b": 2, "c": 1}),
    "number key": ("1: a\n2.5: b\n", ["ET103 1:1", "ET103 2:1"], {}),
    "boolean and null keys": ("true: a\nnull: b\n", ["ET103 1:1", "ET103 2:1"], {}),
    "empty key": ("?\n: a\nb: c\n", ["ET103 1:2"], {"b": "c"}),
    "list as a key": ("? [a]\n: b\nc: d\n", ["ET103 1:3"], {"c": "d"}),
    "map as a key": ("{{a: b}: c, d: e}\n", ["ET103 1:2"], {"d": "e"}),
    "alias as a key": ("a: &x t\n*x : b\n", ["ET103 2:1"], {"a": "t"}),
    "core key": ("~: a\n0x1F: b\n", ["ET106 1:1", "ET106 2:1"], {"~": "a", "0x1F": "b"}),
    "old key": ("on: a\n", ["ET150 1:1"], {"on": "a"}),
    "unknown tag": ("a: !x b\n", ["ET104 1:4"], {"a": "b"}),
    "non-specific tag": ("a: ! b\n", ["ET104 1:4"], {"a": "b"}),
    "tag that disagrees": ("a: !!int x\nb: !!bool 1\n", ["ET104 1:4", "ET104 2:4"], {"a": "x", "b": "1"}),
    "tag of another kind": (
        "a: !!map [b]\nc: !!str {d: e}\n",
        ["ET104 1:4", "ET104 2:4"],
        {"a": ["b"], "c": {"d": "e"}},
    ),
    "merge tag on a value": ("a: !!merge <<\n", ["ET104 1:4"], {"a": "<<"}),
    "unknown tag handle": ("a: !e!x b\n", ["ET104 1:4"], None),
    "two documents": ("a: 1\n---\nb: 2\n", ["ET105 2:1"], {"a": 1}),
    "two empty documents": ("---\n---\n", ["ET105 2:1"], {}),
    "text behind the end": ("a: 1\n...\nb: 2\n", ["ET101 3:1"], None),
    "yaml directive": ("# c\n%YAML 1.2\n---\na: 1\n", ["ET115 2:1"], {"a": 1}),
    "tag directive": ("%TAG !e! tag:e,2000:\n---\na: 1\n", ["ET115 1:1"], {"a": 1}),
    "unknown directive": ("%FOO\n%YAML 9.9\n---\na: 1\n", ["ET115 1:1", "ET115 2:1"], {"a": 1}),
    "unknown alias": ("a: *x\n", ["ET111 1:4"], {"a": None}),
    "merge a scalar": ("a: {<<: b, c: d}\n", ["ET113 1:9"], {"a": {"c": "d"}}),
    "merge null": ("a:\n  <<:\n  c: d\n", ["ET113 2:3"], {"a": {"c": "d"}}),
    "merge a list with a scalar": ("a: {<<: [{b: 1}, c]}\n", ["ET113 1:18"], {"a": {"b": 1}}),
    "list as the file": ("- a\n", ["ET203 1:1"], None),
    "scalar as the file": ("null\n", ["ET203 1:1"], None),
    "quoted nothing as the file": ("''\n", ["ET203 1:1"], None),
    "tab as indentation": ("a:\n\tb: c\n", ["ET114 2:1"], None),
    "tab after an indentation": ("a: 1\n \tb: 2\n", ["ET114 2:2"], None),
    "tabs as separators": ("a:\tb\nc: d\t# e\n", ["ET114 1:3", "ET114 2:5"], None),
    "tab in a comment": ("a: b\n# \tc\n", ["ET114 2:3"], None),
    "tab in a plain scalar": ("a: b\tc\n", ["ET114 1:5"], None),
    "tab before a block text": ("a: |\n\tx\n", ["ET114 2:1"], None),
    "tab first in a block text": ("a: |\n  \tx\n", ["ET114 2:3"], None),
    "bare CR": ("a: 1\rb: 2\n", ["ET108 1:5"], None),
    "hash in a block header": ("a: |#\n  x\n", ["ET101 1:5"], None),
    "control in a value by escape is fine, in a key not": ('"a\\e": "b\\e"\n', ["ET108 1:1"], {"a\x1b": "b\x1b"}),
    "line break in a key": ("? |\n  a\n: b\n", ["ET108 1:3"], {"a\n": "b"}),
    "all findings at once": (
        "a: no\nb: ~\nc: *x\na: 1\n",
        ["ET150 1:4", "ET106 2:4", "ET111 3:4", "ET102 4:1"],
        {"a": "no", "b": "~", "c": None},
    ),
    "alias with a bad name": ("a: *.b\n", ["ET111 1:4"], None),
    "anchor with a bad name": ("a: &.b c\n", ["ET111 1:4"], None),
    "merge an alias of a scalar": ("a: &x 1\nb: {<<: *x, c: d}\n", ["ET113 2:9"], {"a": 1, "b": {"c": "d"}}),
    "merge an alias of a list with a scalar": (
        "a: &x [{b: 1}, 2]\nc: {<<: *x}\n",
        ["ET113 2:9"],
        {"a": [{"b": 1}, 2], "c": {"b": 1}},
    ),
    "merge an unknown alias": ("a: {<<: *x}\n", ["ET111 1:9"], {"a": {}}),
    "a template without quotes": ("a: {{ b }}\n", ["ET103 1:4"], {"a": {}}),
    "a template with a map in it": ("a: {{ b: c }}\n", ["ET103 1:4"], {"a": {}}),
    "a text that begins with a template": ("a: {{ b }} c\nd: e\n", ["ET103 1:4"], None),
    "a text that begins like an alias": ("a: *b c\n", ["ET111 1:4"], None),
    "a line at the end of the file": ("a: 1\n---\n# b\n\n", ["ET105 2:1"], {"a": 1}),
    "columns count code points": ("\U0001f600\u00e9: {a: no}\n", ["ET150 1:9"], {"\U0001f600\u00e9": {"a": "no"}}),
}


@pytest.mark.parametrize("row", FINDINGS.values(), ids=FINDINGS)
def test_findings_are_at_the_faulty_token(row: tuple[str, list[str], object], backend: Backend | None) -> None:
    text, places, value = row
    outcome = read(text, backend)
    assert outcome.places == places
    assert outcome.value == value


EXPRESSION_HINT = (
    "quote the whole value: inside {…} and […], and with ': ', ' #' or quotes in it, an expression cannot stand bare"
)

SYNTAX = {
    "colon in a value": ("a: b: c\n", "1:5", "found a ':' where no value can begin"),
    "open double quote": ('a: 1\nb: "x\nc: 2\n', "2:4", "a quoted text is not closed"),
    "open single quote": ("a: 'x\n---\n", "1:4", "a quoted text is not closed"),
    "open bracket": ("a: [b\n", "1:5", "a list in brackets lacks a ',' or its ']'"),
    "open brace": ("a: {b", "1:5", "a map in braces lacks a ',' or its '}'"),
    "list beside a map": ("a: 1\n- b\n", "2:1", "found something that is not a key of this map"),
    "map beside a list": ("b:\n  - a\n  c: 1\n", "3:3", "found something that is not an entry of this list"),
    "list behind a key": ("a: - b\n", "1:4", "found a '- ' where no list can begin"),
    "key behind a key": ("a: ? b\n", "1:4", "found a '? ' where no key can begin"),
    "no colon": ("a: 1\nb\nc: 2\n", "2:1", "found a key without ':'"),
    "reserved": ("a: @b\n", "1:4", "found a value that begins with '@', '`' or '%'"),
    "escape": ('a: "b\\qc"\n', "1:6", "found an unknown escape in double quotes"),
    "hexadecimal escape": ('a: "b\\xZZ"\n', "1:6", "found an escape without its hexadecimal digits"),
    "colon without a blank": ("a: [b:, c]\n", "1:6", "found a ':' without a blank after it"),
    "header": ("a: |x\n  b\n", "1:5", "found a malformed header of a block text"),
    "open brace at the end": ("a: {b:\n", "1:6", "a map in braces or a list in brackets is not closed"),
    "open bracket at the end": ("a: [b,\n", "1:6", "a map in braces or a list in brackets is not closed"),
    "indicator": ("a: ]\n", "1:4", "found an indicator where a value is expected"),
    "text behind a quote": ('a: "b" c\n', "1:8", "found something that is not a key of this map"),
}


@pytest.mark.parametrize("row", SYNTAX.values(), ids=SYNTAX)
def test_syntax_errors_speak_our_words(row: tuple[str, str, str], backend: Backend | None) -> None:
    text, place, message = row
    outcome = read(text, backend)
    assert outcome.document is None
    assert outcome.places == [f"ET101 {place}"]
    assert outcome.findings[0].message == message
    assert outcome.findings[0].hint


# Text, the hint, and the related locations with their notes.
EXPLAINED = {
    "duplicate key": ("a: 1\na: 2\n", "remove one of them, or rename it", ["1:1 the first is here"]),
    "two merge keys": (
        "a: {<<: {p: 1}, <<: {q: 1}}",
        "merge a list of maps: '<<: [*one, *other]'",
        ["1:5 the first is here"],
    ),
    "a template": ("a: {{ b }}\n", "quote the whole text that the '{{ … }}' is in", []),
    "two documents": ("a: 1\n---\nb: 2\n", "make it a file of its own, or remove the line if both are one", []),
    "a line at the end": ("a: 1\n---", "remove the line", []),
    "a directive": ("%x: 1\n", "remove the line, or quote a text that begins with '%'", []),
    "capitals": ("a: TRUE\n", "write true, or quote it if it is text", []),
    "a tilde": ("a: ~\n", "write null, or quote it if it is text", []),
    "a number": ("a: 0x1F\n", "write it as JSON does, or quote it if it is text", []),
    "duplicate anchor": ("a: &x 1\nb: &x 2\n", "give each anchor a name of its own", ["1:4 the first is here"]),
    "an alias in itself": (
        "a: &x\n  b: *x\n",
        "write out what is meant, for a value cannot hold itself",
        ["1:4 its anchor is here"],
    ),
    "an alias that cannot be merged": (
        "a: &x 1\nb: {<<: *x}\n",
        "merge a map, or a list of maps",
        ["1:4 what the alias stands for"],
    ),
    "a part of an alias that cannot be merged": (
        "a: &x [{b: 1}, 2]\nc: {<<: *x}\n",
        "merge a map, or a list of maps",
        ["1:16 what the alias stands for"],
    ),
    "open bracket": (
        "a: [b\nc: d\n",
        "close the bracket, or put a ',' between the elements",
        ["1:4 the list begins here"],
    ),
    "open brace": (
        "a:\n  {b: c\n",
        "close the brace, or put a ',' between the entries; quote a text with '{{ … }}'",
        ["2:3 the map begins here"],
    ),
    "an expression": (
        "a: ${{ b ? 'c' : 'd' }}\n",
        EXPRESSION_HINT,
        [],
    ),
    "an expression in braces": (
        "a: {b: ${{ c }}}\n",
        EXPRESSION_HINT,
        ["1:4 the map begins here"],
    ),
    "a colon that the line above lacks": (
        "a\n  b: c\n",
        "quote the text if it holds ': '; else check the indentation, and that the line above ends with ':'",
        [],
    ),
    "a merge conflict": (
        "a: b\n<<<<<<< HEAD\nc: d\n=======\nc: e\n>>>>>>> topic\n",
        "settle the merge conflict, and take out the lines that git has put in",
        [],
    ),
}


@pytest.mark.parametrize("row", EXPLAINED.values(), ids=EXPLAINED)
def test_findings_say_what_to_do_and_name_the_other_place(
    row: tuple[str, str, list[str]], backend: Backend | None
) -> None:
    text, hint, related_notes = row
    (finding,) = read(text, backend).findings
    assert finding.hint == hint
    assert [
        f"{related.span.line}:{related.span.column} {related.message}" for related in finding.related
    ] == related_notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: !vault b",
            "the tag '!vault' on a scalar, expected none or '!!str', '!!int', '!!float', '!!bool' or '!!null'",
        ),
        ("a: !!set {b}", "the tag '!!set' on a map, expected none or '!!map'"),
        ("a: !!str [b]", "the tag '!!str' on a list, expected none or '!!seq'"),
        ("a: !hunter2 [b]", "a tag on a list, expected none or '!!seq'"),
        ("a: !!int b", "the tag '!!int' on text, expected an integer"),
        ("a: !!bool 1", "the tag '!!bool' on an integer, expected true or false"),
        ("a: !!null 1.5", "the tag '!!null' on a number, expected null"),
    ],
)
def test_a_tag_is_named_where_it_is_no_secret(text: str, message: str, backend: Backend | None) -> None:
    (finding,) = read(text, backend).findings
    assert finding.message == f"found {message}"


@pytest.mark.parametrize(
    ("char", "name"),
    [
        ("\u200b", "U+200B (ZERO WIDTH SPACE)"),
        ("\u202e", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("\x1b", "U+001B (ESCAPE)"),
        ("\x01", "U+0001"),
    ],
)
def test_a_character_that_is_refused_has_its_name(char: str, name: str, backend: Backend | None) -> None:
    assert read(f"a: b{char}\n", backend).findings[0].message == f"found the character {name}"


def test_an_alias_stands_in_its_own_place(backend: Backend | None) -> None:
    document = read("a: &x [p]\nb: *x\nc: {<<: {d: *x}}\n", backend).document
    assert document is not None
    repeated, original = document.root.entries["b"], document.root.entries["a"]
    assert repeated.mark == (2, 4, 2, 6)
    assert repeated.value is original.value
    assert document.aliases == {(2, 4, 2, 6): original.mark, (3, 13, 3, 15): original.mark}


def test_errors_make_their_marks_invalid(backend: Backend | None) -> None:
    document = read("a: True\nb: no\nc: *x\n~: d\n", backend).document
    assert document is not None
    assert document.invalid_marks == {(1, 4, 1, 8), (3, 4, 3, 6), (4, 1, 4, 2)}


def test_public_verb_takes_a_source_and_a_sink() -> None:
    diags = Diagnostics()
    location = Location(Kind.TEAM, "p", "t", "")
    document = public_parse(Source("p/team.yaml", location, b"a: no\n", "digest"), diags)
    assert document is not None
    assert document[:3] == ("p/team.yaml", location, "digest")
    assert [finding.span.path for finding in diags] == ["p/team.yaml"]
    assert list(inspect.signature(public_parse).parameters)[:2] == ["source", "diags"]


def test_nodes_keep_text_places_and_plain_data(backend: Backend | None) -> None:
    document = read('a: 1.10\nb: [x, "é"]\nc:\n  d: |\n    t\n  e:\nf: {g: h}\n', backend).document
    assert document is not None
    root = document.root
    assert root.entries["a"] == ScalarNode(1.1, "1.10", True, (1, 4, 1, 8))
    assert root.entries["b"] == SequenceNode(
        ["x", "é"],
        (ScalarNode("x", "x", True, (2, 5, 2, 6)), ScalarNode("é", "é", False, (2, 8, 2, 11))),
        (2, 4, 2, 12),
    )
    inner = root.entries["c"]
    assert isinstance(inner, MappingNode)
    assert inner.entries["d"] == ScalarNode("t\n", "t\n", False, (4, 6, 6, 1))
    assert inner.entries["e"] == ScalarNode(None, "", True, inner.key_marks["e"])
    assert inner.mark == (4, 3, 6, 4)
    assert root.entries["f"].mark == (7, 4, 7, 10)
    assert root.key_marks == {"a": (1, 1, 1, 2), "b": (2, 1, 2, 2), "c": (3, 1, 3, 2), "f": (7, 1, 7, 2)}
    assert root.mark == (1, 1, 7, 10)
    assert root.value == {"a": 1.1, "b": ["x", "é"], "c": {"d": "t\n", "e": None}, "f": {"g": "h"}}
    assert root.value["f"] is root.entries["f"].value


def test_merged_keys_keep_their_own_places(backend: Backend | None) -> None:
    document = read("a: &a {p: 1}\nb:\n  <<: *a\n  q: 2\n", backend).document
    assert document is not None
    merged = document.root.entries["b"]
    assert isinstance(merged, MappingNode)
    assert merged.key_marks == {"q": (4, 3, 4, 4), "p": (1, 8, 1, 9)}
    assert merged.entries["p"].mark == (1, 11, 1, 12)


CORE = (
    "~ Null NULL True TRUE False FALSE 0x1F 0xff 0o17 .inf .Inf .INF -.inf +.inf .nan .NaN .NAN +1 .5 -.5 1. 1.e3 +012"
)
OLD = (
    "no No NO yes Yes YES on On ON off Off OFF y Y n N = 0755 -0755 007 08 00 00.5 0o_7 0b101 -0x1F 0x_1F "
    "12:30 1:30:00 -1:30 190:20:30.15 1_000 1_000.5 2026-11-24 2026-99-99 2026-11-24T10:00:00Z 2001-1-1T1:00:00"
)


@pytest.mark.parametrize("text", CORE.split())
def test_core_schema_scalars_are_errors(text: str, backend: Backend | None) -> None:
    outcome = read(f"a: {text}\nb: '{text}'\n", backend)
    assert outcome.places == ["ET106 1:4"]
    assert "quote it" in outcome.findings[0].hint
    assert outcome.value == {"a": text, "b": text}


@pytest.mark.parametrize("text", OLD.split())
def test_t05_norway_and_friends_are_text_with_a_lint(text: str, backend: Backend | None) -> None:
    outcome = read(f"a: {text}\nb: '{text}'\n", backend)
    assert outcome.places == ["ET150 1:4"]
    replacement = "true" if text.lower() in ("y", "yes", "on") else "false"
    is_word = text.isalpha()
    assert outcome.findings[0].hint == (f"quote it, or write {replacement} if it is no text" if is_word else "quote it")
    assert outcome.value == {"a": text, "b": text}


# In YAML 1.2 a '?' begins a text here, and ':' and '?' are parts of an anchor's name, but not in PyYAML.
NOT_AS_IN_1_2 = {
    "{?a: b}": "ET101",
    "k: [?a]": "ET101",
    "k: [x, ?a, y]": "ET101",
    "k: [?'a']": "ET101",
    "k: [?&a b]": "ET101",
    "k: [&a ?b]": "ET101",
    "k: [?[a]]": "ET101",
    "k: &a:b c": "ET111",
    "k: !!str &a:b c": "ET111",
    "k: &a?b c": "ET111",
    "k: {!!str : b}": "ET104",
    "k: [!!str, b]": "ET104",
    "k: {a: &a !!str, b: c}": "ET104",
    "k: {? a :, b: c}": "ET101",
}


@pytest.mark.parametrize(("text", "code"), NOT_AS_IN_1_2.items())
def test_what_yaml_1_2_reads_in_another_way_is_refused(text: str, code: str, backend: Backend | None) -> None:
    assert read(text, backend).errors[:1] == [code]


@pytest.mark.parametrize(
    "text", ["k: ?a", "k: a?b", "k: [a?, b]", "k: 'x [?a]'", "k: &a b", "k: [&a b, *a]", "k: &a [b]"]
)
def test_what_only_resembles_it_is_read(text: str, backend: Backend | None) -> None:
    assert read(text, backend).codes == []


def bomb(levels: int, top: str) -> str:
    lines = ["a0: &a0 {k0: 1, k1: 2}"] + [
        f"a{level}: &a{level} {top % ', '.join([f'*a{level - 1}'] * 9)}" for level in range(1, levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [bomb(9, "[%s]"), bomb(9, "{<<: [%s]}")], ids=["t01_alias_bomb", "t02_merge_bomb"])
def test_t01_t02_bombs_stop_at_the_budget(text: str, backend: Backend | None) -> None:
    outcome = read(text, backend)
    assert outcome.codes == ["ET109"]
    assert outcome.document is None
    assert peak_memory(lambda: read(text, backend)) < 4 * 2**20
    # It grows with the text, and not with the 2 * 9**8 values that this stands for.
    assert count_steps(lambda: read(text, backend)) < 100_000


def test_wide_use_of_one_anchor_is_within_the_budget(backend: Backend | None) -> None:
    outcome = read("a: &a {p: 1}\nb:\n" + "- <<: *a\n  q: 2\n" * 200, backend)
    assert outcome.codes == []


@pytest.mark.parametrize("second", ["a", '"a"', "'a'", '"\\x61"', "? a\n", "!!str a", "&k a"])
def test_t03_duplicate_keys_in_any_spelling(second: str, backend: Backend | None) -> None:
    outcome = read(f"a: 1\nb: 0\n{second}: 2\n", backend)
    assert outcome.codes == ["ET102"]
    assert outcome.findings[0].span.line == 3
    assert [(related.span.line, related.span.column) for related in outcome.findings[0].related] == [(1, 1)]
    assert outcome.value == {"a": 1, "b": 0}


def test_a_merge_key_that_stands_twice_is_named_as_written(backend: Backend | None) -> None:
    (finding,) = read("a: {<<: {x: 1}, <<: {z: 2}}", backend).findings
    assert finding.message == "the key '<<' stands twice"


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none())
@example(2**53 + 1)
def test_t04_only_text_is_a_key(key: object) -> None:
    text = json.dumps(key)
    for backend in BACKENDS.values():
        assert read(f"{text}: a\n", backend).errors[0] in ("ET103", "ET107")


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029", "\x00", "\x07", "\x1b", "\x7f", "\x9b", "\ufffe"])
@pytest.mark.parametrize("place", ["a: x%sb: y\n", "a%s: x\n", "a: x # %s\n", "a: 'x%sy'\n", "a: |\n  x%s\n"])
def test_t07_raw_breaks_and_controls_are_refused(char: str, place: str, backend: Backend | None) -> None:
    text = place % char
    outcome = read(text, backend)
    assert outcome.codes == ["ET108"]
    assert f"U+{ord(char):04X}" in outcome.findings[0].message
    assert char not in outcome.findings[0].message
    assert outcome.document is None


def test_t08_escaped_controls_are_text_but_nul_never(backend: Backend | None) -> None:
    controls = [*range(1, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
    for code in controls:
        assert read(f'a: "\\u{code:04x}"', backend).value == {"a": chr(code)}
        assert read(f'"a\\u{code:04x}": b', backend).codes == ["ET108"]
    for nul in ("\\0", "\\x00", "\\u0000", "\\U00000000"):
        assert read(f'a: "{nul}"', backend).places == ["ET108 1:4"]
        assert read(f'"a{nul}": b', backend).errors[0] == "ET108"


@pytest.mark.parametrize("rest", ["", "<<", "{{"])
@pytest.mark.parametrize("first", ["a: 1\na: 2", "a: 1\n[a]: 1", "a: 1\n<<: {b: 1}", "a: 1\n{a: 1}: 2"])
def test_no_key_is_taken_for_a_placeholder(first: str, rest: str, backend: Backend) -> None:
    """While a map is read, dropped and merged values have placeholder keys that begin with NUL."""
    key = f'"\\0{rest}": {{c: 1}}'
    outcome = read(f"{first}\n{key}\n{key}\n", backend)
    assert [code for code, place in (finding.split() for finding in outcome.places) if place == "3:1"] == ["ET108"] * 2
    assert sorted(code for code, place in (finding.split() for finding in outcome.places) if place == "4:1") == [
        "ET102",
        "ET108",
        "ET108",
    ]


@pytest.mark.parametrize(
    "escape", ["\\ud800", "\\uDFFF", "\\ud83d\\ude00", "\\U0000D800", "\\U00110000", "\\UFFFFFFFF"]
)
def test_t09_half_characters_are_refused(escape: str, backend: Backend | None) -> None:
    outcome = read(f'a: "é\\\\ {escape}"\n', backend)
    assert outcome.places == ["ET108 1:9"]
    assert outcome.document is None


@pytest.mark.parametrize("levels", [65, 1_000, 200_000])
@pytest.mark.parametrize("nest", ["[", "- ", "{a: ", "? "], ids=["brackets", "dashes", "braces", "questions"])
def test_t10_deep_nesting_is_an_error_at_once(levels: int, nest: str, backend: Backend | None) -> None:
    outcome = read(nest * levels, backend)
    assert outcome.codes == ["ET110"]
    assert outcome.document is None


@pytest.mark.parametrize("nest", ["[", "- ", "{a: ", "? "], ids=["brackets", "dashes", "braces", "questions"])
def test_t10_what_is_nested_too_deep_is_not_read(nest: str, backend: Backend | None) -> None:
    # The parser in Python compares each of the first thousand brackets with all that are open.
    assert count_steps(lambda: read(nest * 200_000, backend)) < 20_000_000


def test_t10_aliases_count_as_the_depth_of_what_they_mean(backend: Backend | None) -> None:
    deep = "a: &a " + "[" * 40 + "]" * 40 + "\n"
    assert read(deep + "b: " + "[" * 23 + "*a" + "]" * 23, backend).codes == []
    assert read(deep + "b: " + "[" * 24 + "*a" + "]" * 24, backend).codes == ["ET110"]
    assert read(deep + "b: &b " + "[" * 20 + "*a" + "]" * 20 + "\nc: [[[[*b]]]]", backend).codes == ["ET110"]


@pytest.mark.parametrize(
    "text", ["9007199254740993", "-9007199254740993", "9" * 30, "9" * 5_000, "1e400", "-1.0e+400", "1" * 400 + ".0"]
)
def test_t11_numbers_out_of_range_need_quotes(text: str, backend: Backend | None) -> None:
    outcome = read(f"a: {text}\n", backend)
    assert outcome.places == ["ET107 1:4"]
    assert outcome.value == {"a": text}


@pytest.mark.parametrize("text", ["2026-99-99", "2026-02-30", "2026-11-24T25:61:61Z", "0000-00-00"])
def test_t12_a_date_that_does_not_exist_is_text(text: str, backend: Backend | None) -> None:
    outcome = read(f"a: {text}\n", backend)
    assert outcome.places == ["ET150 1:4"]
    assert outcome.value == {"a": text}


@pytest.mark.parametrize(
    "key", ["? [a]\n", "? {a: b}\n", "? - a\n", "[a]", "{a: b}", "? &a [*a]\n", "1", "!!null ''", "*x"]
)
def test_t13_a_key_that_is_no_text_has_a_place(key: str, backend: Backend | None) -> None:
    outcome = read(f"x: &x [1]\n{key}: b\n" if key != "*x" else "x: &x [1]\n*x : b\n", backend)
    assert outcome.errors
    assert all(finding.span.line == 2 for finding in outcome.findings)


@pytest.mark.parametrize(
    "text",
    [
        *["!!python/object/apply:os.system [id]", "!!python/name:os.system x", "!!set {a, b}", "!!binary aGk="],
        *["!!omap [a: 1]", "!!pairs [a: 1]", "!!timestamp 2026-01-01", "!local x", "!<x:y> z", "!!value ="],
    ],
)
def test_t14_t15_tags_outside_the_core_are_refused(text: str, backend: Backend | None) -> None:
    assert read(f"a: {text}\n", backend).errors == ["ET104"]


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {x: *a}", "&r\na: *r", "a: &a\n  b: {<<: *a}"])
def test_t16_self_reference_is_an_error(text: str, backend: Backend | None) -> None:
    outcome = read(text, backend)
    assert outcome.codes[0] == "ET111"
    assert "inside what it stands for" in outcome.findings[0].message


@pytest.mark.parametrize("char", BIDI + ZERO_WIDTH + "\U000e0041", ids=lambda char: f"U+{ord(char):04X}")
@pytest.mark.parametrize("place", ["a: 'x%s'\n", "a: x%sy\n", "x%s: a\n", "# %s\n", "a: |\n  x%sy\n"])
def test_t17_t18_hidden_characters_are_refused_raw(char: str, place: str, backend: Backend | None) -> None:
    outcome = read(place % char, backend)
    assert outcome.codes == ["ET108"]
    assert f"U+{ord(char):04X}" in outcome.findings[0].message
    assert char not in outcome.findings[0].message + outcome.findings[0].hint


@pytest.mark.parametrize("char", BIDI + ZERO_WIDTH, ids=lambda char: f"U+{ord(char):04X}")
def test_t17_t18_hidden_characters_are_refused_escaped(char: str, backend: Backend | None) -> None:
    assert read(f'a: "x\\u{ord(char):04x}"\n', backend).places == ["ET108 1:4"]
    assert read(f'"x\\u{ord(char):04x}": a\n', backend).errors[0] == "ET108"


def test_t19_sizes_have_budgets(backend: Backend | None) -> None:
    text = "a: 1\n"
    assert read(text + "#" * (2**20 - len(text)), backend).codes == []
    assert read(text + "#" * (2**20 - len(text) + 1), backend).places == ["ET109 1:1"]
    assert read_bytes(b"\xff" * (2**20 + 1), backend).codes == ["ET109"]
    assert read(f"a: {'x' * 65_536}\n", backend).codes == []
    assert read(f"a: {'x' * 65_537}\n", backend).places == ["ET109 1:4"]


def test_t19_nodes_have_a_budget() -> None:
    assert read("a: [" + "1," * 199_997 + "]", fastest_backend()).codes == []
    assert read("a: [" + "1," * 199_998 + "]", fastest_backend()).codes == ["ET109"]


@pytest.mark.parametrize("repeated", ["1", "1_", "1:", "0", "1."])
def test_hostile_numbers_and_headers_take_linear_effort(repeated: str, backend: Backend | None) -> None:
    def read_hostile(count: int) -> None:
        assert read(f"a: '{repeated * count}x'\nb: {repeated * count}x\n", backend).errors == []

    # A pattern that backtracks would not come to an end.
    read_hostile(60_000 // len(repeated))
    small, large = (count_steps(partial(read_hostile, count)) for count in (1_000, 2_000))
    assert large < 2.1 * small


NOT_UTF8 = {
    "latin-1": (b"a: 1\nb: caf\xe9\n", "2:7"),
    "after a wide character": ("é: ".encode() + b"\xff", "1:4"),
    "utf-16": ("a: 1".encode("utf-16"), "1:1"),
    "overlong": (b"a: \xc0\x80\n", "1:4"),
    "surrogate": (b"a: \xed\xa0\x80\n", "1:4"),
    "cut short": (b"a: \xe2\x82", "1:4"),
    "byte order mark": (b"\xef\xbb\xbfa: 1\n", "1:1"),
}


@pytest.mark.parametrize("row", NOT_UTF8.values(), ids=NOT_UTF8)
def test_files_are_utf8_without_a_byte_order_mark(row: tuple[bytes, str], backend: Backend | None) -> None:
    data, place = row
    outcome = read_bytes(data, backend)
    assert outcome.places == [f"ET112 {place}"]
    assert outcome.document is None


LEAKS = [
    *("p: {0}: x", 'p: "{0}', "p: '{0}\n---", "p: [{0}", "p: {{{0}", "p: @{0}", "p: `{0}", "p: %{0}", "p: !{0} x"),
    *(
        "p: !!{0} x",
        "p: !e!{0} x",
        "p: !<{0} x",
        "p: *{0}é x",
        "p: &{0}é x",
        "p: \\{0}: x",
        'p: "\\{0}"',
        'p: "\\x{0}"',
    ),
    *("p: - {0}", "p: ? {0}", "p: |{0}\n  x", "p: >{0}", "p: 1\n {0}: 2", "- p\n{0}: 1", "p: 1\n- {0}", "p: ]{0}"),
    *(
        "%YAML {0}\n---\np: 1",
        "%{0}\n---\np: 1",
        "p: 1\n...\n{0}",
        "p:\t{0}",
        "p:\n\t{0}: 1",
        "p: {0}\u202e",
        "p: {0}\x07",
    ),
    *(
        "p: '{0}' {0}",
        "{0}",
        "- {0}",
        "p: [{0}: , {0}]]",
        "p: !!int {0}",
        "p: !!float {0}",
        "? [{0}]\n: x",
        '"p": "{0}\\u202e"',
    ),
    *("p: *{0}", "p: *{0}-x", "p: &{0} x\nq: &{0} y", "p: &{0} [*{0}]", "*{0} : x", "<<: *{0}"),
    *("p: 1\n--- {0}", "p: [{0}:, x]", "p: {{<<: {0}}}", "p: |#{0}\n x", "p: 2026-01-01T00:00:00{0}", "\xff: {0}:"),
]


@pytest.mark.parametrize("form", LEAKS)
def test_t20_no_finding_repeats_the_file(form: str, backend: Backend | None) -> None:
    outcome = read_bytes(form.format(CANARY).encode("latin-1" if "\xff" in form else "utf-8"), backend)
    assert outcome.findings
    assert all(CANARY not in str(finding) for finding in outcome.findings)


SOPS_JSON = """{
\t"db": {
\t\t"password": "ENC[AES256_GCM,data:x\\ty]"
\t},
\t"list": [\t1,\t2]
}
"""


def test_json_of_sops_is_indented_with_tabs(backend: Backend | None) -> None:
    outcome = read(SOPS_JSON, backend, "a.secrets.json")
    assert outcome.codes == []
    assert outcome.value == {"db": {"password": "ENC[AES256_GCM,data:x\ty]"}, "list": [1, 2]}
    assert read(SOPS_JSON, backend, "a.secrets.yaml").errors == ["ET114"] * 6


SOPS_ENV = """# plain comment
DB_PASSWORD=ENC[AES256_GCM,data:x=,iv:y=,tag:z=,type:str]

EMPTY=
#ENC[AES256_GCM,data:c,iv:i,tag:t,type:comment]
sops_age__list_0__map_enc=-----BEGIN-----\\nabc\\n
sops_age__list_0__map_recipient=age1x
sops_age__list_1__map_recipient=age1y
sops_mac=ENC[x]
sops_mac_only_encrypted=true
sops_shamir_threshold=2
sops_version=3.11.0
"""


def test_dotenv_of_sops_has_the_shape_of_its_yaml(backend: Backend | None) -> None:
    outcome = read(SOPS_ENV, backend, "a.secrets.env")
    assert outcome.codes == []
    assert outcome.value == {
        "DB_PASSWORD": "ENC[AES256_GCM,data:x=,iv:y=,tag:z=,type:str]",
        "EMPTY": "",
        "sops": {
            "age": [{"enc": "-----BEGIN-----\nabc\n", "recipient": "age1x"}, {"recipient": "age1y"}],
            "mac": "ENC[x]",
            "mac_only_encrypted": True,
            "shamir_threshold": 2,
            "version": "3.11.0",
        },
    }
    assert outcome.document is not None
    root = outcome.document.root
    assert root.key_marks["DB_PASSWORD"] == (2, 1, 2, 12)
    assert root.entries["DB_PASSWORD"].mark == (2, 13, 2, 58)
    sops = root.entries["sops"]
    assert isinstance(sops, MappingNode)
    assert sops.key_marks["mac"] == (9, 1, 9, 9)
    assert sops.mark == (6, 1, 12, 20)


DOTENV = {
    "no equals sign": ("A=1\nB\n", ["ET101 2:1"], {"A": "1"}),
    "no name": ("=1\n", ["ET101 1:1"], {}),
    "duplicate": ("A=1\nA=2\n", ["ET102 2:1"], {"A": "1"}),
    "a map of its own": ("sops=1\nsops_mac=x\n", ["ET102 2:1"], {"sops": "1"}),
    "list and map": ("sops_a__list_0=1\nsops_a__map_b=2\n", ["ET102 2:1"], {"sops": {"a": ["1"]}}),
    "value and list": ("sops_a=1\nsops_a__list_0=2\n", ["ET102 2:1"], {"sops": {"a": "1"}}),
    "out of order": ("sops_a__list_1=y\nsops_a__list_0=x\n", [], {"sops": {"a": ["x", "y"]}}),
    "empty": ("", [], {}),
    "a text of 64 KiB": (f"A={'x' * 65536}\n", [], {"A": "x" * 65536}),
    "a text that is too long": (f"A={'x' * 65537}\n", ["ET109 1:3"], None),
    "a name that is too long": (f"{'A' * 65537}=1\n", ["ET109 1:1"], None),
    "too deep": ("sops_a" + "__map_b" * 9_000 + "=1\n", ["ET110 1:1"], None),
}


@pytest.mark.parametrize("row", DOTENV.values(), ids=DOTENV)
def test_dotenv_findings(row: tuple[str, list[str], object]) -> None:
    text, places, value = row
    outcome = read(text, pure_events, "a.secrets.env")
    assert outcome.places == places
    assert outcome.value == value


TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Cn"], exclude_characters="\u2028\u2029"), max_size=12
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
INDENTS = st.sampled_from([None, 2])


@settings(max_examples=100)
@given(st.dictionaries(TEXTS, JSON, max_size=4), INDENTS)
def test_any_json_is_read_back(data: dict[str, object], indent: int | None) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    outcomes = [read(text, backend) for backend in BACKENDS.values()]
    for outcome in outcomes:
        assert outcome.codes == []
        assert json.dumps(outcome.value) == json.dumps(data)
        assert outcome == outcomes[0]


SAMPLES = [
    "name: api\n\"key\": 'it''s'\nlist:\n- a\n- b: [x, \"y z\", {k: v}]\n  c: |\n    t\n    u\n"
    "d: &e {<<: {p: 1}}\nf: *e\n",
    '{"a": {"b": [1, 2.5, "x"], "c": null}, "d": "e\\nf"}\n',
    "a: >-\n  folded\n  text\n? q\n: r\nurl: http://x/?y=1#f\ntag: !!str 1 # note\n-1: no\n",
]
PIECES = [
    *":-#?&*!|>'\"%@`{}[], \n\t\\a0~<=é\r\u202e",
    "\n  ",
    "\n- ",
    ": ",
    " #",
    "---\n",
    "...\n",
    "!!int ",
    "*e",
    "&f ",
    "<<: ",
    "\\ud800",
]


def assert_inside(outcome: Outcome, text: str) -> None:
    lines = text.split("\n")
    marks = [finding.span[1:] for finding in outcome.findings]
    if outcome.document is not None:
        marks += [node.mark for node in every_node(outcome.document.root)]
    for line, column, end_line, end_column in marks:
        assert (1, 1) <= (line, column) <= (end_line, end_column)
        assert end_line <= len(lines)
        assert column <= len(lines[line - 1]) + 1
        assert end_column <= len(lines[end_line - 1]) + 1


@settings(max_examples=rounds(gate=100, full=300))
@given(st.data())
def test_any_mutation_has_one_verdict_and_no_traceback(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SAMPLES))
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(text)))
        piece = data.draw(st.sampled_from(["", *PIECES]))
        text = text[:index] + piece + text[index + data.draw(st.integers(0, 1)) :]
    outcomes = [read(text, backend) for backend in BACKENDS.values()]
    for outcome in outcomes:
        assert_inside(outcome, text)
        assert bool(outcome.errors) == bool(outcomes[0].errors)
        if not outcome.errors:
            assert outcome == outcomes[0]
