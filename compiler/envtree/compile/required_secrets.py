"""Find the secrets that bundles may read from the text of their layers, before anything is decrypted."""

import re
from collections.abc import Iterator

import orjson

from envtree.model.diagnostic import Diagnostic
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.layers import Layer, Stack
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode, iter_scalars
from envtree.model.secrets_file import SecretsFile
from envtree.model.span import Span

# A secret's path in an expression: `secrets.db.password`, `secrets['db'].password`.
_STEP = r"""\s*(?:\.\s*\w+|\[\s*(?:'[^'\\]*'|"[^"\\]*"|\d+)\s*\])"""
_SECRET_READ = re.compile(rf"\bsecrets((?:{_STEP})+)")
_PATH_STEP = re.compile(r"""\.\s*(\w+)|\[\s*'([^'\\]*)'|\[\s*"([^"\\]*)"|\[\s*(\d+)""")

# The path of every secret, for a read that is not understood.
_ANY_SECRET: KeyPath = ()


class RequiredSecrets:
    """The secrets read by many stacks; each layer is compared with each secrets file of its stacks once."""

    def __init__(self) -> None:
        self._reads: dict[Layer, frozenset[KeyPath]] = {}
        self._files: dict[str, _SecretsFileReads] = {}

    def required_files(self, stack: Stack) -> Iterator[SecretsFile]:
        """Yield the secrets files of a stack that contain a secret which one of its layers may read."""
        for file in [layer.secrets for layer in stack.layers if layer.secrets]:
            if file.path not in self._files:
                self._files[file.path] = _SecretsFileReads(file)
            file_reads = self._files[file.path]
            # All layers are examined, since each may read a different secret of the file.
            for layer in stack.layers:
                if layer not in file_reads.readers:
                    file_reads.readers[layer] = file_reads.mark_read(self._read_paths(layer))
            if any(map(file_reads.readers.__getitem__, stack.layers)):
                yield file

    @property
    def file_paths(self) -> list[str]:
        """The paths of the secrets files of all stacks so far."""
        return list(self._files)

    def unread_findings(self) -> Iterator[Diagnostic]:
        """Yield a finding for each secret that no stack so far may read."""
        for path, file_reads in self._files.items():
            # A list has one finding, at its first element.
            for key, node in dict(reversed(file_reads.unread)).items():
                message = f"no bundle reads the secret '{format_path(key)}'"
                hint = "remove it, or read it: what is not there cannot leak"
                yield Diagnostic(Span(path, *node.mark), "ET651", message, hint, key=format_path(key))

    def _read_paths(self, layer: Layer) -> frozenset[KeyPath]:
        paths = self._reads.get(layer)
        if paths is None:
            section = layer.section
            # A search of the section's JSON shows quickly whether it mentions secrets; few sections do.
            mentions_secrets = section is not None and b"secrets" in orjson.dumps(section.value)
            paths = self._reads[layer] = (
                frozenset(_secrets_read(section)) if section and mentions_secrets else frozenset()
            )
        return paths


class _SecretsFileReads:
    """The secrets of one file: those that are still unread, and for each layer whether it reads any."""

    def __init__(self, file: SecretsFile) -> None:
        self._secrets = tuple(_secret_leaves(file.content, ()))
        self.unread = self._secrets
        self.readers: dict[Layer, bool] = {}

    def mark_read(self, reads: frozenset[KeyPath]) -> bool:
        """Mark secrets as read, and report whether any of the reads concerns this file."""
        self.unread = tuple(leaf for leaf in self.unread if not _is_read(leaf, reads))
        return any(_is_read(leaf, reads) for leaf in self._secrets)


def _is_read(secret: tuple[KeyPath, ScalarNode], reads: frozenset[KeyPath]) -> bool:
    """Report whether a secret, a map or list around it, or a part of it is read."""
    return any(all(secret_step == step for secret_step, step in zip(secret[0], read, strict=False)) for read in reads)


def _secrets_read(section: MappingNode) -> Iterator[KeyPath]:
    """Yield the paths of the secrets that a section mentions."""
    for name, node in section.entries.items():
        for scalar in iter_scalars(node):
            if name == "secrets":
                yield _parse_secret_path(scalar.text)
            elif "${{" in scalar.text and "secrets" in scalar.text:
                reads = _SECRET_READ.findall(scalar.text)
                is_understood = len(reads) == scalar.text.count("secrets")
                yield from map(_expression_path, reads) if is_understood else (_ANY_SECRET,)


def _parse_secret_path(path: str) -> KeyPath:
    try:
        return parse_path(path)
    except ValueError:
        return _ANY_SECRET


def _expression_path(steps: str) -> KeyPath:
    return tuple(next(filter(None, match.groups()), "") for match in _PATH_STEP.finditer(steps))


def _secret_leaves(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode]]:
    """Yield the secrets of a file with the paths by which they are read; elements of a list have the list's path."""
    if isinstance(node, ScalarNode):
        yield path, node
    elif isinstance(node, SequenceNode):
        yield from ((path, scalar) for scalar in iter_scalars(node))
    else:
        for key, child in node.entries.items():
            if key in ("$lock", "$expect", "$delete"):
                continue
            step = () if key.startswith("$") and not key.startswith("$$") else (key[1:] if key[:1] == "$" else key,)
            yield from _secret_leaves(child, (*path, *step))
