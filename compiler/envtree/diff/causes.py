"""Which lines made a value differ: those that set it, those that it is computed from, those that order the layers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from envtree.cells import mark
from envtree.diff.edits import edits, in_documents
from envtree.diff.model import Cause
from envtree.explain.place import Place, pick
from envtree.keypath import KeyPath, parse_path
from envtree.merge.lift import is_expression
from envtree.node import Document
from envtree.pipeline import Result
from envtree.resolve.expression import Compiler
from envtree.resource import Resource
from envtree.sayings import Saying, sayings
from envtree.stack import Layer
from envtree.value import Branch, Leaf, Listing, Merged, MergedStack
from envtree.workspace import Workspace

Files = Mapping[str, Resource]
_LayerKey = tuple[str, str]

# The rules under which a value holds what is below it, too.
_COMBINING = frozenset({"merge", "append", "prepend", "union", "by_key", "$list"})
_ENTITIES = ("organization", "project", "environment", "team", "agent")


class Side(NamedTuple):
    """One of the two trees."""

    workspace: Workspace
    files: Files

    def document(self, path: str) -> Document | None:
        """A file of the tree, by its path."""
        resource = self.files.get(path)
        return resource.document if resource else None

    def digest(self, path: str) -> str:
        """What is in a file; empty without the file."""
        document = self.document(path)
        return document.digest if document else ""


class Pair(NamedTuple):
    """One bundle as it is on both sides."""

    base: Result
    head: Result

    @property
    def both(self) -> tuple[MergedStack, MergedStack]:
        """What the layers merge to, on both sides."""
        return self.base.resolved.merged, self.head.resolved.merged


class Tracer:
    """Finds the causes of differences between two trees."""

    def __init__(self, base: Side, head: Side) -> None:
        self._base, self._head = base, head
        self._compiler = Compiler()

    def causes(self, pair: Pair, path: KeyPath) -> tuple[Cause, ...]:
        """The lines that made the value at a path differ, each once."""
        found = dict.fromkeys(self._value(pair, path, set()))
        # What no layer says otherwise may be merged otherwise, or in another order.
        for more in (self._merging, self._order, self._files):
            found = found or dict.fromkeys(more(pair))
        return tuple(sorted(found))

    def _value(self, pair: Pair, path: KeyPath, seen: set[KeyPath]) -> Iterator[Cause]:
        if path in seen:
            return
        seen.add(path)
        if path == ("organization",):
            yield from self._fact(pair, ("organization", "name"))
            return
        places = _places(path)
        said = [cause for place in places for cause in self._said(pair, place)]
        yield from said
        if not said:
            for read in dict.fromkeys(self._reads(pair, places)):
                yield from self._read(pair, read, seen)

    def _read(self, pair: Pair, path: KeyPath, seen: set[KeyPath]) -> Iterator[Cause]:
        """The causes in what an expression reads."""
        if path[0] == "secrets":
            yield from self._said(pair, Place("sealed", path[1:]))
        elif path[0] == "inputs" or path[0] in _ENTITIES:
            yield from self._fact(pair, path)
        elif _differs(pair, path):
            yield from self._value(pair, path, seen)

    def _said(self, pair: Pair, place: Place) -> Iterator[Cause]:
        """Where the layers that decide say otherwise."""
        base, head = pair.both
        before = {_key(said.layer): said for said in sayings(base.stack, place)}
        after = {_key(said.layer): said for said in sayings(head.stack, place)}
        for key in dict.fromkeys((*_deciding(base, place, before), *_deciding(head, place, after))):
            one, other = before.get(key), after.get(key)
            if one and other:
                yield from edits(one.node, other.node, other.span.path)
            elif self._moved(one or other):
                yield from self._order(pair)
            elif other:
                yield Cause(other.span.path, other.span.line, "added")
            elif one:
                yield Cause(one.span.path, one.span.line, "removed")

    def _moved(self, said: Saying | None) -> bool:
        """Whether a file says the same on both sides, and only its layer is new or gone."""
        path = said.span.path if said else ""
        return self._base.digest(path) == self._head.digest(path)

    def _reads(self, pair: Pair, places: Iterable[Place]) -> Iterator[KeyPath]:
        for merged in pair.both:
            for place in places:
                trace = place.trace(merged)
                for text in _texts(trace[-1:]):
                    yield from (tuple(map(str, read.path)) for read in self._compiler.compile(text).reads)
                if place.path[0] == "secrets" and trace:
                    yield from (("secrets", *parse_path(name)) for name in _chosen(trace[-1]))

    def _fact(self, pair: Pair, path: KeyPath) -> Iterator[Cause]:
        """The causes in a field of an entity's file, or in the declaration of an input."""
        base, head = (_document(side.workspace, pair, path[0]) for side in (self._base, self._head))
        file = head or base
        if file:
            yield from in_documents(base, head, file.path, *(path if path[0] == "inputs" else path[1:]))

    def _merging(self, _: Pair) -> Iterator[Cause]:
        base, head = self._base.workspace.organization.document, self._head.workspace.organization.document
        yield from in_documents(base, head, head.path, "merge")

    def _order(self, pair: Pair) -> Iterator[Cause]:
        """Where the environments of a bundle inherit otherwise, or its layers have other files."""
        target = pair.head.bundle.target
        sides = [_environments(side.workspace, target.project) for side in (self._base, self._head)]
        layers = (layer for merged in pair.both for layer in merged.stack.layers if layer.kind == "environment")
        for name in dict.fromkeys(layer.scope for layer in layers):
            one, other = (documents.get(name) for documents in sides)
            if one and other:
                yield from in_documents(one, other, other.path, "inherits")

    def _files(self, pair: Pair) -> Iterator[Cause]:
        """All that differs in the files of a bundle: what is left when nothing better is known."""
        layers = [layer for merged in pair.both for layer in merged.stack.layers]
        paths = [layer.path for layer in layers] + [layer.secrets.path for layer in layers if layer.secrets]
        for path in dict.fromkeys(filter(None, paths)):
            yield from in_documents(self._base.document(path), self._head.document(path), path)


def _places(path: KeyPath) -> tuple[Place, ...]:
    """All places that have a say: a variable can be set, and injected."""
    if path == ("model_id",):
        return (Place("model", path),)
    if path[0] == "env_vars" and len(path) > 1:
        return Place("sections", path), Place("sections", ("secrets", path[1]))
    return (Place("sections", path),)


def _key(layer: Layer) -> _LayerKey:
    return layer.kind, layer.scope


def _deciding(merged: MergedStack, place: Place, said: Mapping[_LayerKey, Saying]) -> Iterator[_LayerKey]:
    """The layers that decide what a place holds: those that it is merged from, and the last one that speaks of it."""
    trace = place.trace(merged)
    value = trace[-1] if trace else None
    while value:
        yield _key(value.layer)
        value = value.below if value.rule in _COMBINING else None
    yield from list(said)[-1:]


def _texts(values: Iterable[Merged]) -> Iterator[str]:
    """The expressions in values."""
    for value in values:
        if isinstance(value, Leaf):
            if is_expression(value):
                yield str(value.node.value)
        else:
            yield from _texts(value.items if isinstance(value, Listing) else value.entries.values())


def _chosen(value: Merged) -> Iterator[str]:
    """The secrets that an entry of `secrets`, or all of them, name."""
    if isinstance(value, Branch):
        for inner in value.entries.values():
            yield from _chosen(inner)
    elif isinstance(value, Leaf) and isinstance(value.node.value, str):
        yield value.node.value


def _differs(pair: Pair, path: KeyPath) -> bool:
    base, head = (_picked(result, path) for result in pair)
    return base != head


def _picked(result: Result, path: KeyPath) -> bytes:
    try:
        return mark(pick(result.bundle.data, path))
    except KeyError:
        return b""


def _environments(workspace: Workspace, project: str) -> dict[str, Document]:
    for one in workspace.projects:
        if one.name == project:
            return {name: environment.document for name, environment in one.environments.items()}
    return {}


def _document(workspace: Workspace, pair: Pair, root: str) -> Document | None:
    """The file of an entity of a bundle."""
    target = pair.head.bundle.target
    if root in ("organization", "inputs"):
        return workspace.organization.document
    if root == "environment":
        return _environments(workspace, target.project).get(target.environment)
    project = next(one for one in workspace.projects if one.name == target.project)
    team = next(one for one in project.teams if one.name == target.team)
    if root == "agent":
        return next(one.document for one in team.agents if one.name == target.agent)
    return project.document if root == "project" else team.document
