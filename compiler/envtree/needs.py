"""Which secrets the bundles may read, told from what their layers write, before anything is decrypted."""

import re
from collections.abc import Iterator

from envtree.diagnostic import Diagnostic
from envtree.keypath import KeyPath, format_path, parse_path
from envtree.node import Mapping, Node, Scalar, Sequence
from envtree.secret import SealedFile
from envtree.span import Span
from envtree.stack import Layer, Stack

# A secret's path in an expression: `secrets.db.password`, `secrets['db'].password`.
_STEP = r"""\s*(?:\.\s*\w+|\[\s*(?:'[^'\\]*'|"[^"\\]*"|\d+)\s*\])"""
_READ = re.compile(rf"\bsecrets((?:{_STEP})+)")
_PART = re.compile(r"""\.\s*(\w+)|\[\s*'([^'\\]*)'|\[\s*"([^"\\]*)"|\[\s*(\d+)""")

# The path of everything, for what is not understood.
_ALL: KeyPath = ()


class Needs:
    """The reads of many stacks, whose layers are looked at once."""

    def __init__(self) -> None:
        self._known: dict[Layer, frozenset[KeyPath]] = {}
        self._reads: dict[str, tuple[SealedFile, set[KeyPath]]] = {}

    def of(self, stack: Stack) -> Iterator[SealedFile]:
        """The secrets files of a stack that hold a secret which one of its layers may read."""
        wanted = frozenset().union(*map(self._read_by, stack.layers))
        for layer in stack.layers:
            file = layer.secrets
            if file:
                self._reads.setdefault(file.path, (file, set()))[1].update(wanted)
                if any(_touches(path, read) for path, _ in _leaves(file.content, ()) for read in wanted):
                    yield file

    def unread(self) -> Iterator[Diagnostic]:
        """The secrets that no stack so far may read."""
        for file, reads in self._reads.values():
            for path, node in _leaves(file.content, ()):
                if not any(_touches(path, read) for read in reads):
                    message = f"no bundle reads the secret '{format_path(path)}'"
                    hint = "remove it, or read it: what is not there cannot leak"
                    yield Diagnostic(Span(file.path, *node.at), "ET651", message, hint, key=format_path(path))

    def _read_by(self, layer: Layer) -> frozenset[KeyPath]:
        found = self._known.get(layer)
        if found is None:
            found = self._known[layer] = frozenset(_reads(layer.section)) if layer.section else frozenset()
        return found


def _touches(path: KeyPath, read: KeyPath) -> bool:
    """Whether a read is of a secret, of something around it, or of a part of it."""
    return all(one == other for one, other in zip(path, read, strict=False))


def _reads(section: Mapping) -> Iterator[KeyPath]:
    """The paths of secrets that a section mentions."""
    for name, node in section.entries.items():
        for scalar in _scalars(node):
            if name == "secrets":
                yield _written(scalar.text)
            elif "${{" in scalar.text and "secrets" in scalar.text:
                found = _READ.findall(scalar.text)
                yield from map(_path, found) if len(found) == scalar.text.count("secrets") else (_ALL,)


def _written(path: str) -> KeyPath:
    try:
        return parse_path(path)
    except ValueError:
        return _ALL


def _path(steps: str) -> KeyPath:
    return tuple(next(filter(None, match.groups()), "") for match in _PART.finditer(steps))


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    else:
        for part in node.items if isinstance(node, Sequence) else node.entries.values():
            yield from _scalars(part)


def _leaves(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, Scalar]]:
    """The secrets of a file by the paths that others read them by; a list is read as a whole."""
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _leaves(item, path)
    else:
        for key, child in node.entries.items():
            if key in ("$lock", "$expect", "$delete"):
                continue
            step = () if key.startswith("$") and not key.startswith("$$") else (key[1:] if key[:1] == "$" else key,)
            yield from _leaves(child, (*path, *step))
