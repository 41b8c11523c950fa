"""Parse SOPS dotenv files: `NAME=value` lines, with the `sops` map flattened into names that begin with `sops_`."""

import re
from typing import Any

from envtree.frontend.parse.anchors import MAX_DEPTH
from envtree.frontend.parse.characters import check_length
from envtree.frontend.parse.parse_report import FatalParseError, ParseReport, displayable_key
from envtree.model.nodes import MappingNode, Node, PlainValue, ScalarNode, SequenceNode
from envtree.model.span import FILE_START, Mark

_SOPS = "sops"
_PREFIX = "sops_"
_STEP_PATTERN = re.compile(r"__list_([0-9]{1,6})|__map_")
# The only values of the `sops` map that are not text in the other formats.
_BOOLEAN = f"{_PREFIX}mac_only_encrypted"
_INTEGER = f"{_PREFIX}shamir_threshold"

_PathStep = str | int
# Names or list positions, each with its mark and its value.
_Entries = dict[_PathStep, tuple[Mark, "_Entries | ScalarNode"]]


def read_dotenv(text: str, report: ParseReport) -> MappingNode:
    """Return the map that the YAML form of the same file would give."""
    root: _Entries = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not name or not equals:
            at = (number, 1, number, len(line) + 1)
            report.add(
                at, "ET101", "found a line that is not 'NAME=value'", "write one variable on each line, as sops does"
            )
            continue
        at, value_at = (number, 1, number, len(name) + 1), (number, len(name) + 2, number, len(line) + 1)
        check_length(name, at)
        check_length(value, value_at)
        leaf = _read_leaf(name, value, value_at)
        first_at = _insert(root, _split_name(name, at), at, leaf)
        if first_at is not None:
            message, hint = f"the key '{displayable_key(name)}' stands twice", "remove one of the lines"
            report.add(at, "ET102", message, hint, (first_at, "the first is here"))
    return _build_mapping(root)


def _read_leaf(name: str, value: str, at: Mark) -> ScalarNode:
    data: PlainValue = value.replace("\\n", "\n")
    if name == _BOOLEAN and value in ("true", "false"):
        data = value == "true"
    elif name == _INTEGER and re.fullmatch(r"[0-9]{1,9}", value):
        data = int(value)
    return ScalarNode(data, value, is_plain=True, mark=at)


def _split_name(name: str, at: Mark) -> list[_PathStep]:
    """Return the path of a name: `sops_age__list_0__map_enc` is `sops`, `age`, 0, `enc`."""
    if not name.startswith(_PREFIX):
        return [name]
    first, *rest = _STEP_PATTERN.split(name.removeprefix(_PREFIX))
    if len(rest) > 2 * MAX_DEPTH:
        raise FatalParseError(
            at, "ET110", f"the name stands for more than {MAX_DEPTH} levels", "let sops write the file"
        )
    steps: list[_PathStep] = [_SOPS, first]
    for index, key in zip(rest[::2], rest[1::2], strict=True):
        steps += [key] if index is None else [int(index), key] if key else [int(index)]
    return steps


def _insert(branch: _Entries, steps: list[_PathStep], at: Mark, leaf: ScalarNode) -> Mark | None:
    """Put a leaf at its path; return the mark of the entry that occupies it, if there is one."""
    *parents, last = steps
    for depth, step in enumerate(parents):
        first_at, child = branch.setdefault(step, (at, {}))
        if isinstance(child, ScalarNode) or (
            child and isinstance(next(iter(child)), int) != isinstance(steps[depth + 1], int)
        ):
            return first_at
        branch = child
    first_at, child = branch.setdefault(last, (at, leaf))
    return None if child is leaf else first_at


def _build_node(branch: "_Entries | ScalarNode") -> Node:
    if isinstance(branch, ScalarNode):
        return branch
    if not branch or isinstance(next(iter(branch)), str):
        return _build_mapping(branch)
    items = tuple(_build_node(branch[index][1]) for index in sorted(branch))
    return SequenceNode([item.value for item in items], items, _extent(branch, items))


def _build_mapping(branch: Any) -> MappingNode:
    entries = {name: _build_node(child) for name, (_, child) in branch.items()}
    keys = {name: at for name, (at, _) in branch.items()}
    value = {name: node.value for name, node in entries.items()}
    return MappingNode(value, entries, keys, _extent(branch, tuple(entries.values())))


def _extent(branch: Any, nodes: tuple[Node, ...]) -> Mark:
    marks = [mark for mark, _ in branch.values()]
    if not marks:
        return FILE_START
    return (*min(marks)[:2], *max(node.mark[2:] for node in nodes))
