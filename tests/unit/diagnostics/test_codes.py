"""The registry of codes against source and tests: every code is registered, raised, and shown in a case or page."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import envtree
from envtree.diagnostics.codes import CODES

SOURCE = Path(envtree.__file__).parent
TESTS = Path(__file__).parents[2]
REGISTRY = "diagnostics/codes.py"
_CODE = re.compile(r"\bET\d{3}\b")
_PAGE = re.compile(r"ET[1-9]\d\d")


@cache
def _raised_codes() -> frozenset[str]:
    files = (path for path in SOURCE.rglob("*.py") if path != SOURCE / REGISTRY)
    return frozenset(code for path in files for code in _code_constants(path))


def _code_constants(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
            yield node.value


@cache
def _shown_codes() -> frozenset[str]:
    """Return the codes that a case expects or that have a page; `test_pages.py` runs the example of each page."""
    expected = (path.read_text(encoding="utf-8") for path in (TESTS / "cases").glob("*/*/expect/*.txt"))
    cases = {code for text in expected for code in _CODE.findall(text)}
    return frozenset(cases | {path.stem for path in (SOURCE / "diagnostics/pages").glob("*.md")})


def test_every_raised_code_is_registered() -> None:
    assert _raised_codes() <= CODES.keys()


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_raised_and_shown(code: str) -> None:
    assert _PAGE.fullmatch(code)
    assert code in _raised_codes(), "nothing raises it: remove it from the registry"
    assert code in _shown_codes(), "no case and no page shows it"


def test_a_consequence_follows_from_a_code() -> None:
    assert {code.follows_from for code in CODES.values()} <= {"", *CODES}


def test_titles_are_sentences_without_a_stop() -> None:
    titles = [code.title for code in CODES.values()]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if title.endswith(".") or not title[:1].isascii()]
