"""Which secrets the bundles may read, told from what their layers write, before anything is decrypted."""

import re
from collections.abc import Iterator

import orjson

from envtree.model.diagnostic import Diagnostic
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.layers import Layer, Stack
from envtree.model.nodes import Mapping, Node, Scalar, Sequence, scalars
from envtree.model.secrets_file import SealedFile
from envtree.model.span import Span

# A secret's path in an expression: `secrets.db.password`, `secrets['db'].password`.
_STEP = r"""\s*(?:\.\s*\w+|\[\s*(?:'[^'\\]*'|"[^"\\]*"|\d+)\s*\])"""
_READ = re.compile(rf"\bsecrets((?:{_STEP})+)")
_PART = re.compile(r"""\.\s*(\w+)|\[\s*'([^'\\]*)'|\[\s*"([^"\\]*)"|\[\s*(\d+)""")

# The path of everything, for what is not understood.
_ALL: KeyPath = ()


class Needs:
    """The reads of many stacks; each layer is held against each file of its stacks once."""

    def __init__(self) -> None:
        self._reads: dict[Layer, frozenset[KeyPath]] = {}
        self._files: dict[str, _File] = {}

    def of(self, stack: Stack) -> Iterator[SealedFile]:
        """The secrets files of a stack that hold a secret which one of its layers may read."""
        for file in [layer.secrets for layer in stack.layers if layer.secrets]:
            if file.path not in self._files:
                self._files[file.path] = _File(file)
            asked = self._files[file.path]
            # All layers are asked, for each may read another secret of the file.
            for layer in stack.layers:
                if layer not in asked.readers:
                    asked.readers[layer] = asked.mark(self._read_by(layer))
            if any(map(asked.readers.__getitem__, stack.layers)):
                yield file

    @property
    def files(self) -> list[str]:
        """The paths of the secrets files of the stacks so far."""
        return list(self._files)

    def unread(self) -> Iterator[Diagnostic]:
        """The secrets that no stack so far may read."""
        for path, file in self._files.items():
            # A list has one finding, at its first element.
            for key, node in dict(reversed(file.unread)).items():
                message = f"no bundle reads the secret '{format_path(key)}'"
                hint = "remove it, or read it: what is not there cannot leak"
                yield Diagnostic(Span(path, *node.at), "ET651", message, hint, key=format_path(key))

    def _read_by(self, layer: Layer) -> frozenset[KeyPath]:
        found = self._reads.get(layer)
        if found is None:
            section = layer.section
            # As JSON, a section shows at once whether it mentions any; few do.
            mentions = section is not None and b"secrets" in orjson.dumps(section.value)
            found = self._reads[layer] = frozenset(_reads(section)) if section and mentions else frozenset()
        return found


class _File:
    """The secrets of a file, those of them that nobody has read yet, and whether layers read any."""

    def __init__(self, sealed: SealedFile) -> None:
        self._all = tuple(_leaves(sealed.content, ()))
        self.unread = self._all
        self.readers: dict[Layer, bool] = {}

    def mark(self, reads: frozenset[KeyPath]) -> bool:
        """Note what is read; whether any of it is here."""
        self.unread = tuple(leaf for leaf in self.unread if not _touched(leaf, reads))
        return any(_touched(leaf, reads) for leaf in self._all)


def _touched(leaf: tuple[KeyPath, Scalar], reads: frozenset[KeyPath]) -> bool:
    """Whether a secret, something around it, or a part of it is read."""
    return any(all(one == other for one, other in zip(leaf[0], read, strict=False)) for read in reads)


def _reads(section: Mapping) -> Iterator[KeyPath]:
    """The paths of secrets that a section mentions."""
    for name, node in section.entries.items():
        for scalar in scalars(node):
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


def _leaves(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, Scalar]]:
    """The secrets of a file by the paths that others read them by; a list is read as a whole."""
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Sequence):
        yield from ((path, scalar) for scalar in scalars(node))
    else:
        for key, child in node.entries.items():
            if key in ("$lock", "$expect", "$delete"):
                continue
            step = () if key.startswith("$") and not key.startswith("$$") else (key[1:] if key[:1] == "$" else key,)
            yield from _leaves(child, (*path, *step))
