"""The Markdown of comment and summary, read by a CommonMark parser: text of files is in code spans only."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.end_to_end.test_github_action import HOSTILE, MARKER, check, hostile_report
from tests.support.github_runner import Runner
from tests.unit.report.test_report_runner import naughty


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a CommonMark parser, with GitHub's tables and strikethrough."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return (token for block in parser.parse(text) for token in (block, *(block.children or ())))


def shown(text: str) -> list[tuple[str, str]]:
    """Return the tokens of a text, without the contents of code spans."""
    spans = ("inline", "code_inline")
    return [(token.type, "" if token.type in spans else token.content) for token in tokens(text)]


# The line that identifies the comment, and the folded section.
OURS = {MARKER.strip(), "<details>", "</details>"}
LISTED = [text for text in naughty() if text.strip()] + [word for word in HOSTILE if word]


@pytest.mark.parametrize("first", range(0, len(LISTED), 20))
def test_t74_the_words_of_files_stand_in_code_spans_only(tmp_path: Path, first: int) -> None:
    runner, texts = Runner(tmp_path), LISTED[first : first + 20]
    hostile, tame = (check(runner, 1, hostile_report(some)) for some in (texts, ["x"] * len(texts)))
    assert_only_code(hostile.summary, tame.summary)
    assert_only_code(*(Path(step.outputs["comment-file"]).read_text() for step in (hostile, tame)))


def assert_only_code(text: str, tame: str) -> None:
    """Assert that a text differs in its code spans only from one about harmless text."""
    assert "Cut here" not in text
    text_tokens = shown(text)
    # Outside of code spans all text is ours: so there is no bare address, mathematics or emoji either.
    assert text_tokens == shown(tame)
    assert not {kind for kind, _ in text_tokens} & {"link_open", "image", "html_inline", "fence", "code_block"}
    assert not [content for kind, content in text_tokens if kind == "text" and re.search(r"@|://|#|www", content)]
    html = [line for kind, content in text_tokens if kind == "html_block" for line in content.splitlines()]
    assert {re.sub(r"<summary>[A-Z][a-z ,]+: \d+</summary>", "", line) for line in html} <= OURS


def test_the_parser_sees_what_a_word_would_do_without_a_code_span() -> None:
    text = "[a](http://x.example) ![a](b) <b>c</b>\n\n<img src=x>\n"
    assert {"link_open", "image", "html_inline", "html_block"} < {kind for kind, _ in shown(text)}
