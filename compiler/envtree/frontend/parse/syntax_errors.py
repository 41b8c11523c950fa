"""Word syntax errors by the kind and the marks of a problem only; messages never quote the text of the file."""

import re
from typing import Any, NamedTuple

from yaml.error import MarkedYAMLError, YAMLError

from envtree.frontend.parse.parse_report import FatalParseError, RelatedMark, mark_at
from envtree.model.span import FILE_START


class _SyntaxProblem(NamedTuple):
    """The finding for a kind of syntax error.

    `needle` occurs in the problem or the context that either parser gives. With `at_context`, the finding is at the
    context mark, where the construct begins. `opening_note` is the note for that mark as a related location.
    """

    needle: str
    message: str
    hint: str
    code: str = "ET101"
    at_context: bool = False
    opening_note: str = ""


TAB_HINT = "indent and separate with blanks; a text with a tab in it needs quotes"

_TABBED_INDENT = re.compile(r" *\t")

_UNCLOSED_HINT = "close the quotes; double a ' inside single quotes, write \\\" inside double quotes"
_ESCAPE_HINT = "write \\\\ for a backslash, or use single quotes"
_TAG_HINT = "remove the tag, or quote a text that begins with '!'"
_ANCHOR_HINT = "use letters, digits, '-' and '_', or quote a text that begins with '&'"
_ALIAS_HINT = "use letters, digits, '-' and '_', or quote a text that begins with '*'"
_EXPRESSION_HINT = (
    "quote the whole value: inside {…} and […], and with ': ', ' #' or quotes in it, an expression cannot stand bare"
)
_CONFLICT_HINT = "settle the merge conflict, and take out the lines that git has put in"

# The markers of git around the two sides of a merge conflict.
_CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)

_MISSING_NODE = "node content"

# The first match is used.
_SYNTAX_PROBLEMS = (
    _SyntaxProblem("nesting depth", "the file is nested too deeply", "flatten it", "ET110"),
    _SyntaxProblem("a tag", "found a malformed tag", _TAG_HINT, "ET104"),
    _SyntaxProblem("tag handle", "found an unknown tag", _TAG_HINT, "ET104"),
    _SyntaxProblem(
        "mapping values are not allowed",
        "found a ':' where no value can begin",
        "quote the text if it holds ': '; else check the indentation, and that the line above ends with ':'",
    ),
    _SyntaxProblem(
        "sequence entries are not allowed", "found a '- ' where no list can begin", "put the list on lines of its own"
    ),
    _SyntaxProblem(
        "mapping keys are not allowed", "found a '? ' where no key can begin", "quote the text if it begins with '?'"
    ),
    _SyntaxProblem("unexpected end of stream", "a quoted text is not closed", _UNCLOSED_HINT, at_context=True),
    _SyntaxProblem("unexpected document", "a quoted text is not closed", _UNCLOSED_HINT, at_context=True),
    _SyntaxProblem(
        "could not find expected ':'", "found a key without ':'", "write 'key: value' on one line", at_context=True
    ),
    _SyntaxProblem("unexpected ':'", "found a ':' without a blank after it", "put a blank after it, or quote the text"),
    _SyntaxProblem("cannot start any token", "found a value that begins with '@', '`' or '%'", "quote it"),
    _SyntaxProblem(
        "expected ',' or ']'",
        "a list in brackets lacks a ',' or its ']'",
        "close the bracket, or put a ',' between the elements",
        opening_note="the list begins here",
    ),
    _SyntaxProblem(
        "expected ',' or '}'",
        "a map in braces lacks a ',' or its '}'",
        "close the brace, or put a ',' between the entries; quote a text with '{{ … }}'",
        opening_note="the map begins here",
    ),
    _SyntaxProblem("unknown escape character", "found an unknown escape in double quotes", _ESCAPE_HINT),
    # The spelling of libyaml; the next is that of PyYAML.
    _SyntaxProblem("hexdecimal number", "found an escape without its hexadecimal digits", _ESCAPE_HINT),
    _SyntaxProblem("hexadecimal numbers", "found an escape without its hexadecimal digits", _ESCAPE_HINT),
    _SyntaxProblem(
        "Unicode character escape",
        "found an escape for half a character",
        "write the character itself or \\U and eight digits",
        "ET108",
    ),
    _SyntaxProblem("an anchor", "found an anchor with a bad name", _ANCHOR_HINT, "ET111", at_context=True),
    _SyntaxProblem("an alias", "found an alias with a bad name", _ALIAS_HINT, "ET111", at_context=True),
    _SyntaxProblem("directive", "found a line that begins with '%'", "quote the text", "ET115"),
    _SyntaxProblem(
        "block scalar", "found a malformed header of a block text", "write only '+', '-' or a digit after '|' or '>'"
    ),
    _SyntaxProblem("<document start>", "found text behind the end of the document", "remove it"),
    _SyntaxProblem(
        _MISSING_NODE,
        "found an indicator where a value is expected",
        "quote the text if it begins with a special character",
    ),
    _SyntaxProblem(
        "block mapping", "found something that is not a key of this map", "check the indentation and the quotes"
    ),
    _SyntaxProblem(
        "block collection",
        "found something that is not an entry of this list",
        "begin every entry with '- ' in the same column",
    ),
)
_UNFINISHED = _SyntaxProblem("", "a map in braces or a list in brackets is not closed", "close it, or quote the text")
_FALLBACK = _SyntaxProblem("", "found text that is not YAML", "check the indentation and the quotes")


def syntax_error(error: YAMLError, text: str) -> FatalParseError:
    """Return the finding for an error of a parser."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return FatalParseError(FILE_START, _FALLBACK.code, _FALLBACK.message, _FALLBACK.hint)
    index = error.problem_mark.index
    tab = _find_tab(text, index)
    if tab is not None:
        return FatalParseError(mark_at(text, tab), "ET114", "found a tab", TAB_HINT)
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        return FatalParseError(
            mark_at(text, conflict.start()), "ET101", "found the mark of a merge conflict", _CONFLICT_HINT
        )
    problem = _classify(error)
    if problem.needle == _MISSING_NODE and not text[index:].strip():
        problem = _UNFINISHED
    related: list[RelatedMark] = []
    if error.context_mark is not None and problem.opening_note:
        related = [(mark_at(text, error.context_mark.index), problem.opening_note)]
    elif error.context_mark is not None and problem.at_context:
        index = error.context_mark.index
    elif "escape" in problem.message:
        index = max(text.rfind("\\", 0, index + 1), 0)
    if not text[index:].strip():
        # An omission at the end of the file is reported at the last character that is not blank.
        index = max(len(text.rstrip()) - 1, 0)
    hint = _EXPRESSION_HINT if problem.code == "ET101" and _is_in_expression(text, index) else problem.hint
    return FatalParseError(mark_at(text, index), problem.code, problem.message, hint, *related)


def _is_in_expression(text: str, index: int) -> bool:
    """Report whether an expression begins on the line, before or at `index`."""
    return text.find("${{", text.rfind("\n", 0, index) + 1, index + 2) >= 0


def _classify(error: Any) -> _SyntaxProblem:
    description = f"{error.problem} {error.context}"
    return next((problem for problem in _SYNTAX_PROBLEMS if problem.needle in description), _FALLBACK)


def _find_tab(text: str, index: int) -> int | None:
    """Return the index of the tab at `index`, or in the indentation of its line."""
    if text[index : index + 1] == "\t":
        return index
    indent = _TABBED_INDENT.match(text, text.rfind("\n", 0, index) + 1)
    return indent.end() - 1 if indent is not None and indent.end() <= index else None
