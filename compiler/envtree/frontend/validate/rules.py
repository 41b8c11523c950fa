"""What no schema can say: names equal paths, expressions stay where they are evaluated, secret paths are paths."""

from collections.abc import Iterator
from typing import Any

from envtree import EDITION
from envtree.frontend.validate.reserved import reserved
from envtree.frontend.validate.sections import (
    SECTION,
    is_directive,
    is_dollar,
    operand,
    outside,
    sections,
    unwrap,
    walk,
)
from envtree.frontend.validate.wording import cut, name, quoted
from envtree.model.diagnostic import Diagnostic
from envtree.model.expression import holds_expression
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.nodes import Document, Mapping, Node, Scalar, Sequence
from envtree.model.source import Kind
from envtree.model.span import Mark, Span

_NAMED_BY_PATH = frozenset({Kind.ENVIRONMENT, Kind.POLICY, Kind.SKILL, Kind.WORKER_QUEUE, Kind.JOB})
_WHERE = f"write the value itself: expressions work in values inside '{SECTION}' of a layer"


def check_name(document: Document) -> Iterator[Diagnostic]:
    """A name that others refer to is the one in the path."""
    node = document.root.entries.get("name")
    path_name = document.location.name
    if document.location.kind not in _NAMED_BY_PATH or not isinstance(node, Scalar):
        return
    if isinstance(node.value, str) and node.value != path_name:
        message = f"'name' is {quoted(node.value)}, expected '{path_name}', the name in the path"
        hint = "remove the line, for the path gives the name, or move the file"
        yield Diagnostic(document.span(node), "ET208", message, hint, key="name")


def named(document: Document, data: dict[str, Any]) -> dict[str, Any]:
    """The data of a file with its name, the one in the path where it is left out: that one has rules to keep, too."""
    if document.location.kind not in _NAMED_BY_PATH or "name" in data:
        return data
    return {**data, "name": document.location.name}


def check_edition(document: Document) -> Iterator[Diagnostic]:
    """The edition is an integer: to JSON Schema `2026.0` is one as well."""
    node = document.root.entries.get("edition")
    if document.location.kind is Kind.ORGANIZATION and isinstance(node, Scalar) and isinstance(node.value, float):
        message = f"'edition' is {cut(node.text)}, expected {EDITION}"
        yield Diagnostic(document.span(node), "ET204", message, "write it without a fraction", key="edition")


def check_expressions(document: Document) -> Iterator[Diagnostic]:
    """`${{` stands in values of an `execution_environment` only."""
    for path, node in outside(document):
        if isinstance(node, Scalar) and isinstance(node.value, str) and holds_expression(node.value):
            message = f"{name(path)} holds an expression where none is evaluated"
            yield _finding(document.span(node), "ET210", path, message, _WHERE)


def check_keys(document: Document) -> Iterator[Diagnostic]:
    """`${{` never stands in a key."""
    maps = ((path, node) for path, node in walk(document.root) if isinstance(node, Mapping))
    for path, node in maps:
        for key in node.entries:
            if holds_expression(key):
                message = f"the key {quoted(key)} holds an expression, but none is evaluated in a key"
                yield _finding(document.key_span(node, key), "ET210", (*path, key), message, "write the key itself")


def check_secret_paths(document: Document) -> Iterator[Diagnostic]:
    """The values of `secrets` are dotted paths."""
    for path, section in sections(document):
        node = unwrap(section.entries["secrets"]) if "secrets" in section.entries else None
        for key, child in node.entries.items() if isinstance(node, Mapping) else ():
            value = unwrap(child)
            if isinstance(value, Scalar) and isinstance(value.value, str) and value.value and not _is_path(value.value):
                where = (*path, "secrets", key)
                # The value is not shown: somebody may have written the secret itself.
                message = f"{name(where)} is not the path of a secret, expected segments with '.' between them"
                yield _finding(
                    document.span(value), "ET205", where, message, "double-quote a segment that has a dot in it"
                )


def check_rounded(document: Document) -> Iterator[Diagnostic]:
    """Numbers that end in zeros which nobody sees any more, outside of variables, which are text as written."""
    for path, node in walk(document.root) if document.rounded else ():
        if isinstance(node, Scalar) and node.at in document.rounded and not _is_text(path):
            message = f"{name(path)} is the number {node.value}: its last zeros are gone"
            hint = f'write "{node.text}" if it is text, such as a version, or {node.value} if it is not'
            yield _finding(document.span(node), "ET153", path, message, hint)


def _is_text(path: KeyPath) -> bool:
    """Whether what stands there is text as written: a variable, or what a variable may be."""
    return "env_vars" in path or path[:1] == ("variables",)


def check_reserved(document: Document) -> Iterator[Diagnostic]:
    """Variables whose names mean something to others."""
    for path, section in sections(document):
        for part in ("env_vars", "secrets"):
            node = section.entries.get(part)
            for variable, at in _variables(unwrap(node)) if node is not None else ():
                why = reserved(variable)
                if why:
                    message = f"{quoted(variable)} is a reserved name: {why}"
                    yield _finding(
                        Span(document.path, *at), "ET751", (*path, part, variable), message, "use another name"
                    )


def _variables(node: Node) -> Iterator[tuple[str, Mark]]:
    """The names that a section sets, with their places."""
    if isinstance(node, Sequence):
        yield from ((str(item.value), item.at) for item in node.items if isinstance(item, Scalar))
    elif isinstance(node, Mapping):
        for key, child in node.entries.items():
            if not is_dollar(key) and (type(child) is Scalar or not _removes(child)):
                yield key, node.keys[key]


def _removes(node: Node) -> bool:
    return is_directive(node) and operand(node) is None


def _is_path(text: str) -> bool:
    try:
        parse_path(text)
    except ValueError:
        return False
    return True


def _finding(span: Span, code: str, path: KeyPath, message: str, hint: str) -> Diagnostic:
    return Diagnostic(span, code, message, hint, key=format_path(path))
