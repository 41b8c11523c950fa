"""Insert a value into the text of a YAML file, and leave every other byte as it is.

The result is parsed again, and must have exactly the new data. So a form that is not understood is never damaged: there
is no place in it.
"""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import yaml

from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics
from envtree.model.keypath import KeyPath, format_path
from envtree.model.source import Kind, Location, Source

_ANY_LOCATION = Location(Kind.ORGANIZATION, "", "", "")
_INDENT = 2
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
# Words that a reader of YAML 1.1 or 1.2 would not take for text.
_NO_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


class NoPlaceError(Exception):
    """The text has no place for a value at a path; the message is the path."""


def insert_value(text: str, path: KeyPath, value: Any) -> str:
    """Return the text with a new value at the end of the map that `path` leads to; missing maps are created."""

    def insert(data: Any) -> None:
        for key in path[:-1]:
            if data.get(key) is None:
                data[key] = {}
            data = data[key]
        if path[-1] in data:
            raise NoPlaceError(format_path(path))
        data[path[-1]] = value

    return _checked(text, path, insert, lambda: _insert(text, path, value))


def append_item(text: str, path: KeyPath, item: Any) -> str:
    """Return the text with a new item at the end of the list at `path`."""

    def append(data: Any) -> None:
        for key in path:
            data = data[key]
        data.append(item)

    return _checked(text, path, append, lambda: _append(text, path, item))


def read_data(text: str) -> dict[str, Any] | None:
    """Return the data of a YAML file; None if it is no valid map."""
    document = parse(Source("", _ANY_LOCATION, text.encode(), ""), Diagnostics())
    return document.root.value if document else None


def flow_text(value: Any) -> str:
    """Return a value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow_text(key)}: {flow_text(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow_text, value))}]"
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXT
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def _checked(text: str, path: KeyPath, change: Callable[[Any], None], edit: Callable[[], str]) -> str:
    """Return the edited text if its data is the changed data; NoPlaceError otherwise."""
    expected = copy.deepcopy(read_data(text))
    try:
        change(expected)
        result = edit()
    except (AttributeError, KeyError, TypeError, yaml.YAMLError):
        raise NoPlaceError(format_path(path)) from None
    if read_data(result) != expected:
        raise NoPlaceError(format_path(path))
    return result


def _insert(text: str, path: KeyPath, value: Any) -> str:
    node = _compose(text)
    if node is None:
        return _insert_lines(text, len(text), _block_lines(path, value, 0))
    for depth, key in enumerate(path):
        entry = _find_entry(node, key)
        if entry is None:
            return _insert_into(text, node, path[depth:], value, is_root=depth == 0)
        key_node, child = entry
        if isinstance(child, yaml.ScalarNode) and child.value == "":
            indent = key_node.start_mark.column + _INDENT
            lines = _block_lines(path[depth + 1 :], value, indent)
            return _insert_lines(text, key_node.end_mark.index, lines)
        node = child
    raise NoPlaceError(format_path(path))


def _compose(text: str) -> yaml.Node | None:
    """Return the root node of a text, with the marks of PyYAML: ours have no end of a collection."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    return node


def _append(text: str, path: KeyPath, item: Any) -> str:
    node = _compose(text)
    for key in path:
        entry = _find_entry(node, key) if node else None
        node = entry[1] if entry else None
    if not isinstance(node, yaml.CollectionNode):
        raise NoPlaceError(format_path(path))
    if node.flow_style:
        return _insert_before_end(text, node, flow_text(item))
    line = f"{' ' * node.start_mark.column}- {flow_text(item)}"
    return _insert_lines(text, _end_index(node), [line])


def _insert_into(text: str, node: yaml.Node, path: KeyPath, value: Any, *, is_root: bool) -> str:
    """Return the text with a new key in a map."""
    if not isinstance(node, yaml.MappingNode):
        raise NoPlaceError(format_path(path))
    if not node.flow_style:
        indent = node.value[0][0].start_mark.column
        return _insert_lines(text, _end_index(node), _block_lines(path, value, indent))
    if is_root and not node.value:
        start, end = node.start_mark.index, node.end_mark.index
        return text[:start] + "\n".join(_block_lines(path, value, 0)) + text[end:]
    for key in reversed(path[1:]):
        value = {key: value}
    return _insert_before_end(text, node, f"{flow_text(path[0])}: {flow_text(value)}")


def _insert_before_end(text: str, node: yaml.CollectionNode, item: str) -> str:
    """Return the text with a new item before the closing bracket of a collection in one line."""
    end = node.end_mark.index - 1
    content_end = len(text[:end].rstrip())
    separator = ", " if node.value and text[content_end - 1] != "," else ""
    return f"{text[:content_end]}{separator}{item}{text[content_end:]}"


def _find_entry(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    entries = node.value if isinstance(node, yaml.MappingNode) else ()
    return next(((name, child) for name, child in entries if name.value == key), None)


def _end_index(node: yaml.Node) -> int:
    """Return where the last value of a collection in block form ends."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    if isinstance(node, yaml.SequenceNode):
        return max(_end_index(node.value[-1]), int(node.start_mark.index))
    key, child = node.value[-1]
    # The place of an alias is that of its anchor.
    return max(_end_index(child), int(key.end_mark.index))


def _insert_lines(text: str, index: int, lines: list[str]) -> str:
    """Return the text with new lines below the line of the last character before `index`."""
    line_ending = "\r\n" if "\r\n" in text else "\n"
    content_end = len(text[:index].rstrip())
    newline = text.find("\n", content_end)
    at = len(text) if newline < 0 else newline + 1
    block = "".join(f"{line}{line_ending}" for line in lines)
    if index >= len(text):
        at = len(text)
    gap = line_ending if at and not text[:at].endswith("\n") else ""
    return f"{text[:at]}{gap}{block}{text[at:]}"


def _block_lines(path: KeyPath, value: Any, indent: int) -> list[str]:
    *parents, last = path
    lines = [f"{' ' * (indent + _INDENT * depth)}{flow_text(key)}:" for depth, key in enumerate(parents)]
    return [*lines, f"{' ' * (indent + _INDENT * len(parents))}{flow_text(last)}: {flow_text(value)}"]
