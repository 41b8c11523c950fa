"""The register of codes against the source and the tests: none is missing, none is left over, each is shown."""

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
REGISTER = "diagnostics/codes.py"
_CODE = re.compile(r"\bET\d{3}\b")
_PAGE = re.compile(r"ET[1-9]\d\d")


@cache
def _raised() -> frozenset[str]:
    files = (path for path in SOURCE.rglob("*.py") if path != SOURCE / REGISTER)
    return frozenset(code for path in files for code in _constants(path))


def _constants(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
            yield node.value


@cache
def _shown() -> frozenset[str]:
    """What a case expects, or a page gives: `test_pages.py` runs each, and it gives the code of its name alone."""
    expected = (path.read_text(encoding="utf-8") for path in (TESTS / "cases").glob("*/*/expect/*.txt"))
    cases = {code for text in expected for code in _CODE.findall(text)}
    return frozenset(cases | {path.stem for path in (SOURCE / "diagnostics/pages").glob("*.md")})


def test_every_raised_code_is_registered() -> None:
    assert _raised() <= CODES.keys()


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_raised_and_shown(code: str) -> None:
    assert _PAGE.fullmatch(code)
    assert code in _raised(), "nothing raises it: remove it from the register"
    assert code in _shown(), "no case and no page shows it"


def test_titles_are_sentences_without_a_stop() -> None:
    titles = [code.title for code in CODES.values()]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if title.endswith(".") or not title[:1].isascii()]
