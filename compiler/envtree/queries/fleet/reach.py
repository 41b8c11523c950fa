"""What the files of a tree supply to its bundles: where each value counts, and what stands over it elsewhere."""

from collections.abc import Container, Iterator
from typing import NamedTuple

from envtree.engine.run import Result
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.merged import COMBINING, Branch, Merged, span_of
from envtree.model.nodes import Node
from envtree.model.span import Span
from envtree.model.value_path import Place
from envtree.output.bundle_cells import leaves_read, sealed_leaves
from envtree.queries.fleet.written import WrittenValue, sealed, written
from envtree.queries.layer_statements import sayings


class Supply(NamedTuple):
    """A value that a file writes, and what becomes of it; bundles are told by their numbers, in the order of the run.

    It counts in the bundles of `wins`; `lost` has others that could have it, by the place of what they have instead.
    One from a secrets file counts where it is read, and nothing is said of bundles that do not read it.
    """

    key: str
    span: Span
    written: WrittenValue
    wins: list[int]
    lost: dict[Span, list[int]]


class _Layer(NamedTuple):
    """What a layer writes, in its file and in its secrets file."""

    files: tuple[str, ...]
    plain: tuple[Supply, ...]
    secrets: tuple[Supply, ...]
    model: Supply | None


class Reach:
    """Built bundle by bundle; with `files` only they are looked at.

    `ids` are the bundles so far, and `stands` the numbers of those whose layers have a file.
    """

    def __init__(self, files: Container[str] | None = None) -> None:
        self.ids: list[str] = []
        self.stands: dict[str, list[int]] = {}
        self._files = files
        self._layers: dict[Layer, _Layer] = {}

    def add(self, result: Result) -> None:
        """Take in one more bundle."""
        number = len(self.ids)
        self.ids.append(result.bundle.target.id)
        bundle = _Bundle(result)
        for layer in result.resolved.merged.stack.layers:
            known = self._layers.get(layer)
            if known is None:
                known = self._layers[layer] = self._look_into(layer)
            for file in known.files:
                standing = self.stands.setdefault(file, [])
                if not standing or standing[-1] != number:
                    standing.append(number)
            for supply in known.plain:
                _tally(supply, bundle.plain(supply, layer), number)
            for supply in known.secrets:
                _tally(supply, bundle.secret(supply.written), number)
            if known.model:
                _tally(known.model, bundle.model(known.model.written.node), number)

    def layers(self) -> Iterator[tuple[Layer, tuple[Supply, ...], tuple[Supply, ...]]]:
        """Each layer with the values of its section, and those of its secrets file."""
        for layer, known in self._layers.items():
            yield layer, known.plain, known.secrets

    def of(self, path: str) -> list[Supply]:
        """The values of one file, models included."""
        every = (one for known in self._layers.values() for one in (*known.plain, *known.secrets, known.model))
        return [one for one in every if one and one.span.path == path]

    def _look_into(self, layer: Layer) -> _Layer:
        files = (layer.path, layer.secrets.path if layer.secrets else "")
        own, beside = (file if file and (self._files is None or file in self._files) else "" for file in files)
        plain = written(layer.section) if own and layer.section else ()
        secrets = sealed(layer.secrets.content) if beside and layer.secrets else ()
        model = None
        if own and layer.model:
            name = "default_model" if layer.kind in ("organization", "project") else "model_id"
            model = _supply(own, (name,), WrittenValue((name,), layer.model, True))
        return _Layer(
            tuple(filter(None, (own, beside))),
            tuple(_supply(own, one.path, one) for one in plain),
            tuple(_supply(beside, ("secrets", *one.path), one) for one in secrets),
            model,
        )


def _supply(file: str, key: KeyPath, one: WrittenValue) -> Supply:
    return Supply(format_path(key), Span(file, *one.node.at), one, [], {})


def _tally(supply: Supply, answer: "Span | bool | None", number: int) -> None:
    if answer is True:
        supply.wins.append(number)
    elif isinstance(answer, Span):
        supply.lost.setdefault(answer, []).append(number)


class _Bundle:
    """One bundle, asked what becomes of a value: True if it counts, what stands over it, or None for neither."""

    def __init__(self, result: Result) -> None:
        self._resolved = result.resolved
        self._merged = result.resolved.merged
        self._read: frozenset[int] | None = None

    def plain(self, supply: Supply, layer: Layer) -> Span | bool | None:
        """A value of a section."""
        one = supply.written
        path = one.path
        rival = self._rival(path) if len(path) == 2 and path[0] in ("env_vars", "secrets") else None
        if rival is not None:
            return span_of(rival)
        value, whole = follow(self._merged.sections.get(path[0]), path)
        if value is None:
            return one.removes or self._remover(path, layer)
        if whole and counts(value, one.node):
            return True
        # What this layer only locks, or says again, is a layer's below.
        layers = self._merged.stack.layers
        return span_of(value) if layers.index(value.layer) > layers.index(layer) else None

    def secret(self, one: WrittenValue) -> Span | bool | None:
        """A value of a secrets file."""
        value, whole = follow(self._merged.secrets.get(one.path[0]), one.path)
        if value is None or not any(id(leaf.node) in self._leaves_read() for leaf in sealed_leaves(value)):
            return None
        return (whole and counts(value, one.node)) or span_of(value)

    def model(self, node: Node) -> Span | bool | None:
        """A model."""
        if self._merged.model is None:
            return None
        scalar, layer = self._merged.model
        return scalar is node or Span(layer.path, *scalar.at)

    def _rival(self, path: KeyPath) -> Merged | None:
        """A variable and an injected secret of one name: the other one, if it wins."""
        section, name = path
        if section == "env_vars":
            injection = self._resolved.injected.get(name)
            return injection.chosen if injection else None
        overridden = name not in self._resolved.injected and name in self._merged.entries("secrets")
        return self._merged.entries("env_vars").get(name) if overridden else None

    def _remover(self, path: KeyPath, layer: Layer) -> Span | None:
        """Where the last layer that speaks of a value took it away."""
        last = sayings(self._merged.stack, Place("sections", path))[-1:]
        return last[0].span if last and last[0].layer is not layer else None

    def _leaves_read(self) -> frozenset[int]:
        """The leaves of secrets files that this bundle reads, by their nodes."""
        if self._read is None:
            self._read = frozenset(id(leaf.node) for leaf in leaves_read(self._resolved))
        return self._read


def counts(value: Merged, node: Node) -> bool:
    """Whether what a node says is in a merged value: as its last word, or below others that combine with it."""
    found: Merged | None = value
    while found is not None:
        if found.node is node:
            return True
        found = found.below if found.rule in COMBINING else None
    return False


def follow(value: Merged | None, path: KeyPath) -> tuple[Merged | None, bool]:
    """What is merged at a path, or else the last value on the way there that is no map; and whether it is all of it."""
    for step in path[1:]:
        if type(value) is not Branch:
            return value, False
        value = value.entries.get(step)
    return value, True
