"""Inputs shaped like those of public YAML corpora: each is read, or refused at a place inside it."""

from collections.abc import Iterator
from itertools import product

import pytest

from tests.security.test_hostile import assert_findings_inside
from tests.support.trees import check

ORGANIZATION = b"name: acme\nedition: 2026\ndefault_model: m\n"
ENCODINGS = (
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "latin-1",
    "cp1252",
    "utf-7",
)
TEXTS = (
    "description: plain",
    "a: \u00e9\n",
    "{a: [1, 2]}",
    "# \u20ac\na: b\n",
    "a: |\n  \u00fc\n",
    "'\u00f1': \"\u00df\"\n",
    "",
)
TAGS = """
    !!str !!int !!float !!bool !!null !!map !!seq !!set !!omap !!pairs !!binary !!timestamp !!merge !!value !!yaml
    !local ! !<tag:yaml.org,2002:str> !<x> !e!x !!python/object/apply:os.system !!python/name:os.system
    !ruby/object:X !Ref !Sub
"""
VALUES = ("x", "1", "", "[a, b]", "{a: b}", '"x"', "|\n    x", "2001-01-01", "{? a}", "*a")
PLACES = (
    "description: {0}\n",
    "execution_environment:\n  config:\n    a: {0}\n",
    "{0}\n",
    "- {0}\n",
    "? {0}\n: x\n",
    "a:\n- {0}\n",
)
BREAKS = ("\n", "\r\n", "\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\0", "\t")
SCALARS = """
    yes No ON ~ null 0o14 014 0b1 0x1F 1_000 1:30 190:20:30 .inf -.Inf .NaN 1e3 1. .5 +1 -0 1.10
    2001-12-14t21:59:43.10-05:00 = << a:b a:: :a - -- --- ... ? : , & * ! | > ' " % @ ` # [ ] { } a#b a,b [] {}
    \\ \\u0041 \ud7ff \U0001f600 \u202e \ufeff
"""
INDICATORS = ("|", ">", "|-", ">+", "|2", ">1-", "|0", "|10", "|-+", "> x", "|#", "|\t", "| # c")


def aliases() -> Iterator[str]:
    for levels, width, form in product((1, 2, 5, 9, 30), (1, 2, 9, 40), ("[{0}]", "{{k: [{0}]}}", "{{<<: [{0}]}}")):
        lines = [f"a0: &a0 {form.format('x')}" if "<<" not in form else "a0: &a0 {x: 1}"]
        for n in range(1, levels):
            lines.append(f"a{n}: &a{n} {form.format(', '.join([f'*a{n - 1}'] * width))}")
        yield "\n".join(lines) + "\n"
    for name in ("a", "a-b", "a.b", "", "*", "\u00e9", "[x", "a b", "a" * 300):
        for text in (
            "x: &{0} 1\ny: *{0}\n",
            "x: *{0}\n",
            "x: &{0} *{0}\n",
            "&{0} x: *{0}\n",
            "x: &{0} [*{0}]\n",
            "*{0} : x\n",
        ):
            yield text.format(name)


def tags() -> Iterator[str]:
    for tag, value, place in product(TAGS.split(), VALUES[:7], PLACES[:4]):
        yield place.format(f"{tag} {value}")
    for directive in ("%YAML 1.1", "%YAML 1.2", "%YAML 3.0", "%TAG ! tag:x,2000:", "%TAG !e! tag:x:", "%FOO bar", "%"):
        for text in ("{0}\n---\na: b\n", "{0}\na: b\n", "a: b\n...\n{0}\n---\nb: c\n"):
            yield text.format(directive)


def depths() -> Iterator[str]:
    for depth, (opening, closing) in product(
        (1, 19, 20, 21, 64, 99, 100, 101, 400, 3000), ("[]", "{}", ("[{a: ", "}]"), ("- ", ""))
    ):
        yield f"a: {opening * depth}{closing * depth}\n" if opening != "- " else opening * depth + "x\n"
        yield f"a: {opening * depth}\n"
    for depth in (5, 50, 101, 500):
        yield "".join("  " * n + f"k{n}:\n" for n in range(depth))
        yield "? " * depth + "x\n"


def scalars() -> Iterator[str]:
    for scalar, place in product(SCALARS.split(), PLACES):
        yield place.format(scalar)
    for scalar, quote in product(SCALARS.split(), "'\""):
        yield f"description: {quote}{scalar}{quote}\n{quote}{scalar}{quote}: x\n"
    for indicator, indent, ending in product(
        INDICATORS, ("", " ", "  ", "      ", "\t"), ("", "\n", "\n\n", "\n...\n")
    ):
        yield f"description: {indicator}\n{indent}text\n{indent} more{ending}"
    for escape in (
        "x41",
        "u00e9",
        "U0001F600",
        "ud800",
        "U00110000",
        "xZZ",
        "u12",
        "0",
        "a",
        "e",
        " ",
        "_",
        "N",
        "L",
        "P",
        "q",
        "\n",
    ):
        yield f'description: "\\{escape}"\n'


def breaks() -> Iterator[str]:
    for separator, text in product(
        BREAKS, ("a: b{0}c: d{0}", "a: 'x{0}y'\n", "a: x{0}y\n", "a: |\n  x{0}  y\n", "#{0}a: b\n", "a:{0}  - b\n")
    ):
        yield text.format(separator)
    yield from (
        "---\na: b\n",
        "a: b\n---\nc: d\n",
        "--- a: b\n",
        "...\n",
        "---\n...\n---\n",
        "--- |\n x\n",
        "a: b\n...\nc\n",
        "---",
    )


def encoded() -> Iterator[bytes]:
    for text, encoding in product(TEXTS, ENCODINGS):
        data = text.encode(encoding, "replace")
        yield from (
            data,
            data + b"\n",
            b"\xef\xbb\xbf" + data,
            data[:-1],
            data + b"\x00",
            data + b"\xff",
            b"\x80" + data,
        )


def inputs() -> list[bytes]:
    texts = [text for shape in (aliases, tags, depths, scalars, breaks) for text in shape()]
    return list(dict.fromkeys([*encoded(), *(text.encode("utf-8", "surrogatepass") for text in texts)]))


INPUTS = inputs()
STEP = 100


def test_there_are_many_of_them() -> None:
    assert len(INPUTS) >= 2000


@pytest.mark.parametrize("first", range(0, len(INPUTS), STEP))
def test_t28_every_shape_is_read_or_refused(first: int) -> None:
    for number, data in enumerate(INPUTS[first : first + STEP], first):
        files = {
            "organization.yaml": ORGANIZATION,
            "environments/dev.yaml": b"type: development\n",
            "agents/clerk.yaml": data,
        }
        try:
            assert_findings_inside(check(files), files)
        except Exception as trouble:
            raise AssertionError(f"input {number}: {data[:200]!r}") from trouble
