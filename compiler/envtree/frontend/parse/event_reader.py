"""Compose YAML events to nodes in one pass: nodes, marks and plain data are built side by side."""

import re
from typing import Any

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from envtree.frontend.parse.anchors import MAX_DEPTH, Anchors
from envtree.frontend.parse.backend import NextEvent
from envtree.frontend.parse.characters import (
    MAX_SCALAR,
    check_length,
    forbidden_escape_message,
    forbidden_key_message,
)
from envtree.frontend.parse.merge_keys import (
    DROPPED_KEY,
    MERGE_KEY,
    TEMPLATE_KEY,
    report_non_scalar_key,
    resolve_merge_keys,
)
from envtree.frontend.parse.parse_report import FatalParseError, ParseReport, displayable_key, mark_at
from envtree.frontend.parse.plain_scalars import (
    NUMBER_STARTS,
    RESERVED_WORDS,
    ROUNDED,
    ScalarProblem,
    read_plain_scalar,
)
from envtree.frontend.parse.tags import check_collection, is_merge_tag, read_tagged
from envtree.model.nodes import MappingNode, Node, PlainValue, ScalarNode, SequenceNode
from envtree.model.span import FILE_START, Mark

# Comments, document markers and blank lines.
_BLANK_TEXT = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n|(?:---|\.\.\.)[ \t]*\r?\n)*[ \t]*(?:#[^\n]*|---|\.\.\.)?")

# The first characters of anchors, aliases and tags, which never directly follow a letter or a digit.
_NODE_PROPERTY = re.compile(r"[&!*](?<!\w.)")
# A '?' that may directly precede a key in brackets; to YAML 1.2, it is the beginning of a text there.
_QUESTION = re.compile(r"(?<![^\s\[{,])\?\S")
# A tag as the pure parser reads it; libyaml ends it at the first of these brackets and commas.
_TAG = re.compile(r"(?:&\S+\s+)?!(?!<)\S*[,\[\]{}]")
_AFTER_ANCHOR = re.compile(r"[\s,\[\]{}]|\Z")


def compose(text: str, next_event: NextEvent, report: ParseReport) -> MappingNode | None:
    """Return the root of a document; report a root that is not a map, and return None.

    Raises FatalParseError, and YAMLError of the parser.
    """
    root = _compose_node(text, next_event, report)
    if isinstance(root, MappingNode):
        return root
    if root is None or (
        root.__class__ is ScalarNode and root.is_plain and not root.text and root.mark[:2] == root.mark[2:]
    ):
        return MappingNode({}, {}, {}, FILE_START)
    kind = "a list" if isinstance(root, SequenceNode) else "a single value"
    report.add(root.mark, "ET203", f"found {kind} as the whole file, expected a map", "write 'key: value' lines")
    return None


def _compose_node(text: str, next_event: NextEvent, report: ParseReport) -> Node | None:  # noqa: C901, PLR0912, PLR0915
    """Return the root node of the first document, or None if there is none.

    This is one function on purpose: most of the time of a compile is spent in this loop, and calls would double it.
    Names are locals, nodes are created by tuple's own constructor, and rare features (anchors, tags, long scalars) are
    checked only if a character of the file shows that they may occur.
    """
    new = tuple.__new__
    reserved_words = RESERVED_WORDS
    number_starts = NUMBER_STARTS
    escapes = "\\" in text
    rare = len(text) > MAX_SCALAR or _has_properties(text) or ("?" in text and _QUESTION.search(text) is not None)
    anchors = Anchors(report)
    keys_are_final = True  # no map so far contains a '<<' or a key to be dropped

    # The collection being filled: `keys` is None in a list, `key` is None where a key is expected.
    value: Any = []
    nodes: Any = []
    keys: dict[str, Mark] | None = None
    key: str | None = None
    key_at = begin = at = FILE_START
    flow = False
    node: Any
    stack: list[tuple[Any, ...]] = []

    for event in iter(next_event, None):
        kind = event.__class__

        if kind is ScalarEvent:
            start = event.start_mark
            end = event.end_mark
            at = (start.line + 1, start.column + 1, end.line + 1, end.column + 1)
            data = written = event.value
            style = event.style
            if rare and event.tag is not None:
                data = _read_tagged_scalar(event, at, report, is_key=keys is not None and key is None)
            elif not style:
                if written in reserved_words or written[0] in number_starts:
                    data, problem = read_plain_scalar(written)
                    if problem is not None:
                        _report_scalar_problem(problem, at, report)
                    if not written and key is not None and event.anchor is None:
                        at = key_at  # there is no value to point at, so point at the key
            elif style in "|>":
                _check_block_header(text, event.start_mark.index)
            elif escapes and style == '"' and (message := forbidden_escape_message(written)):
                report.add(at, "ET108", message, "remove it")
            if rare:
                check_length(written, at)
                _check_indicators(text, event, at, flow=flow)
                anchors.count_nodes(1, at)
                if event.anchor is not None:
                    anchors.add_scalar(event.anchor, ScalarNode(data, written, not style, at))

            if keys is not None and key is None:
                if style and not written.isprintable() and (message := forbidden_key_message(written)):
                    report.add(at, "ET108", message, "use printable characters in keys")
                    written = written.replace("\0", "\ufffd")  # so that no key equals a placeholder
                key = written
                if key == "<<" and not style:
                    key = MERGE_KEY
                    keys_are_final = False
                if data.__class__ is not str:
                    _report_non_text_key(data, at, report)
                    key = DROPPED_KEY
                    keys_are_final = False
                elif key in nodes:
                    _report_duplicate_key(written, at, keys[key], report)
                    key = DROPPED_KEY
                    keys_are_final = False
                else:
                    keys[key] = at
                key_at = at
                continue
            node = new(ScalarNode, (data, written, not style, at))

        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            is_map = kind is MappingStartEvent
            start = event.start_mark
            if len(stack) >= MAX_DEPTH:
                _raise_too_deep((start.line + 1, start.column + 1))
            stack.append((begin, flow, key, key_at, value, nodes, keys))
            begin = at = (start.line + 1, start.column + 1, start.line + 1, start.column + 2)
            flow = event.flow_style
            key = None
            value, nodes, keys = ({}, {}, {}) if is_map else ([], [], None)
            if rare:
                _check_indicators(text, event, begin, flow=False)
                if event.tag is not None:
                    check_collection(event.tag, "map" if is_map else "seq", begin, report)
                anchors.begin_collection(event.anchor, begin)
            continue

        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            end = event.end_mark
            # A block collection ends with its last child, as does the map in '[a: b]'.
            if flow and end.index > event.start_mark.index:
                at = (begin[0], begin[1], end.line + 1, end.column + 1)
            else:
                at = (begin[0], begin[1], at[2], at[3])
            if keys is None:
                node = new(SequenceNode, (value, tuple(nodes), at))
            else:
                if not keys_are_final:
                    resolve_merge_keys(value, nodes, keys, at, report)
                node = new(MappingNode, (value, nodes, keys, at))
            begin, flow, key, key_at, value, nodes, keys = stack.pop()
            if rare:
                anchors.end_collection(node)

        elif kind is AliasEvent:
            start = event.start_mark
            end = event.end_mark
            at = (start.line + 1, start.column + 1, end.line + 1, end.column + 1)
            node = anchors.resolve_alias(event.anchor, at)

        elif kind is DocumentStartEvent:
            if not nodes:
                continue
            start = event.start_mark
            at = (start.line + 1, start.column + 1, start.line + 1, start.column + 4)
            _report_second_document(text, start.index, at, report)
            break

        else:
            continue

        if keys is None:
            value.append(node.value)
            nodes.append(node)
        elif key is None:
            key = DROPPED_KEY
            if flow and node.__class__ is MappingNode and at[:2] == (begin[0], begin[1] + 1):
                key = TEMPLATE_KEY
                keys[key] = at  # the rest of the map decides which mistake it is
            else:
                report_non_scalar_key(at, report)
            key_at = at
            keys_are_final = False
        else:
            value[key] = node.value
            nodes[key] = node
            key = None

    root: Node | None = nodes[0] if nodes else None
    return root


def _has_properties(text: str) -> bool:
    return ("&" in text or "!" in text or "*" in text) and _NODE_PROPERTY.search(text) is not None


def _check_indicators(text: str, event: Any, at: Mark, *, flow: bool) -> None:
    """Refuse syntax that parsers read differently: a '?' or a tag without a blank after it, a ':' in an anchor."""
    start = event.start_mark.index
    is_question = flow and start < len(text) and text[start] in "&!" and not event.style and event.value.startswith("?")
    if is_question or (start and text[start - 1] == "?"):
        hint = "quote a text that begins with '?'; a '?' before a key needs a blank behind it"
        raise FatalParseError(at, "ET101", "found a '?' without a blank behind it", hint)
    if event.tag is not None and _TAG.match(text, start):
        raise FatalParseError(
            at, "ET104", "found a tag without a blank behind it", "remove the tag, or put a blank behind it"
        )
    if event.anchor is not None and text.startswith(("&", "!"), start):
        end = text.index(f"&{event.anchor}", start) + 1 + len(event.anchor)
        if not _AFTER_ANCHOR.match(text, end):
            hint = "use letters, digits, '-' and '_', or quote a text that begins with '&'"
            raise FatalParseError(at, "ET111", "found an anchor with a bad name", hint)


def _read_tagged_scalar(event: Any, at: Mark, report: ParseReport, *, is_key: bool) -> PlainValue:
    if is_key and not event.value and not event.style:
        raise FatalParseError(at, "ET104", "found a tag on a key that is empty", "remove the tag, or write the key")
    if is_key and is_merge_tag(event.tag) and event.value == "<<" and not event.style:
        return "<<"
    return read_tagged(event.value, event.tag, at, report)


def _report_scalar_problem(problem: ScalarProblem, at: Mark, report: ParseReport) -> None:
    if problem is ROUNDED:
        report.rounded_marks.append(at)
    else:
        report.add(at, problem.code, problem.message, problem.hint)


def _check_block_header(text: str, header: int) -> None:
    """Refuse a '#' right after '|' or '>', which libyaml takes for a comment, as the pure parser does."""
    hash_at = text.find("#", header, max(text.find("\n", header), header))
    if hash_at > 0 and text[hash_at - 1] not in " \t":
        raise FatalParseError(
            mark_at(text, hash_at), "ET101", "found a '#' right behind '|' or '>'", "put a blank before a comment"
        )


def _raise_too_deep(start: tuple[int, int]) -> None:
    line, column = start
    at = (line, column, line, column + 1)
    raise FatalParseError(at, "ET110", f"the file is nested more than {MAX_DEPTH} levels deep", "flatten it")


def _report_duplicate_key(key: str, at: Mark, first: Mark, report: ParseReport) -> None:
    hint = "merge a list of maps: '<<: [*one, *other]'" if key == "<<" else "remove one of them, or rename it"
    report.add(at, "ET102", f"the key '{displayable_key(key)}' stands twice", hint, (first, "the first is here"))


def _report_second_document(text: str, index: int, at: Mark, report: ParseReport) -> None:
    """Report a second '---'; if nothing follows it, it was meant to end the file."""
    if _BLANK_TEXT.fullmatch(text, index + len("---")):
        report.add(at, "ET105", "found the beginning of a second document, expected one", "remove the line")
    else:
        hint = "make it a file of its own, or remove the line if both are one"
        report.add(at, "ET105", "found a second document, expected one", hint)


def _report_non_text_key(data: PlainValue, at: Mark, report: ParseReport) -> None:
    kind = "null" if data is None else "a boolean" if isinstance(data, bool) else "a number"
    report.add(at, "ET103", f"found {kind} as a key, expected text", "quote it")
