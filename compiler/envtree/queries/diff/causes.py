"""Which lines made a value differ: those that set it, those that it is computed from, those that order the layers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from envtree.compile.merge.lift import is_expression
from envtree.compile.merge.policies import Policies, matches
from envtree.compile.resolve.expression import Compiler
from envtree.compile.resolve.grammar import WrongExpression
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.layers import Layer, Stack
from envtree.model.merged import COMBINING, Branch, Leaf, Listing, Merged, MergedStack
from envtree.model.nodes import Document
from envtree.model.value_path import Place
from envtree.model.workspace import Organization
from envtree.output.bundle_cells import mark
from envtree.queries.diff.edits import Versions, in_documents
from envtree.queries.diff.model import Cause
from envtree.queries.diff.side import Pair, Side
from envtree.queries.layer_statements import Saying, sayings

_LayerKey = tuple[str, str]

_ENTITIES = ("project", "environment", "team", "agent")


class Tracer:
    """Finds the causes of differences between two trees that both have an organization."""

    def __init__(self, base: Side, head: Side) -> None:
        assert base.workspace
        assert head.workspace
        self._sides = base, head
        self._workspaces = base.workspace, head.workspace
        self._policies = [Policies(one.organization.merge) for one in self._workspaces]
        self._compiler = Compiler()

    def causes(self, pair: Pair, path: KeyPath) -> tuple[Cause, ...]:
        """The lines that made the value at a path differ, each once."""
        found = set(self._value(pair, path, set()))
        # What no layer says otherwise may come from the order of the layers.
        for more in (self._order, self._files):
            found = found or set(more(pair))
        return tuple(sorted(found))

    def _value(self, pair: Pair, path: KeyPath, seen: set[KeyPath]) -> Iterator[Cause]:
        if path in seen:
            return
        seen.add(path)
        if path == ("organization",):
            yield from self._organization("name")
            return
        places = _places(path)
        said = [cause for place in places for cause in self._said(pair, place)]
        yield from said
        yield from self._merging(pair, path)
        before, after = (set(self._reads(merged, places)) for merged in pair.both)
        # What another text reads has been there before; what both read may differ as well.
        for read in sorted(before & after if said else before | after):
            yield from self._read(pair, read, seen)

    def _read(self, pair: Pair, path: KeyPath, seen: set[KeyPath]) -> Iterator[Cause]:
        """The causes in what an expression reads."""
        root, name = path[0], path[1] if len(path) > 1 else ""
        if root == "secrets":
            yield from self._said(pair, Place("sealed", path[1:]))
        elif root == "inputs":
            yield from self._input(name)
        elif root == "organization":
            yield from self._organization(name)
        elif root in _ENTITIES:
            yield from self._fact(pair, root, name)
        elif _differs(pair, path):
            yield from self._value(pair, path, seen)

    def _said(self, pair: Pair, place: Place) -> Iterator[Cause]:
        """Where the layers that decide say otherwise."""
        merged = pair.both
        said = [{_key(place, one.layer): one for one in sayings(side.stack, place)} for side in merged]
        decide = [list(_deciding(side, place, told)) for side, told in zip(merged, said, strict=True)]
        for key in dict.fromkeys((*decide[0], *decide[1])):
            old, new = said[0].get(key), said[1].get(key)
            if old and new:
                versions = self._versions(old, new)
                one, other = not old.is_gone_from(new) and old.node, not new.is_gone_from(old) and new.node
                yield from versions.edits(one or None, other or None)
            elif new and not self._is_moved(new.layer, merged[0].stack, self._sides[0], pair):
                yield Cause(new.span.path, new.span.line, "added")
            elif old and not self._is_moved(old.layer, merged[1].stack, self._sides[1], pair):
                yield Cause(old.span.path, old.span.line, "removed")
            elif old or new:
                yield from self._order(pair)
        keys = {*decide[0], *decide[1]}
        old_order, new_order = ([_key(place, layer) for layer in side.stack.layers] for side in merged)
        if _is_reordered([key for key in old_order if key in keys], [key for key in new_order if key in keys]):
            yield from self._order(pair)

    def _versions(self, old: Saying, new: Saying) -> Versions:
        return Versions(new.span.path, self._sides[0].document(old.span.path), self._sides[1].document(new.span.path))

    def _is_moved(self, layer: Layer, other: Stack, side: Side, pair: Pair) -> bool:
        """Whether a layer is in one stack only because the bundle's environment inherits otherwise."""
        if "environment" not in layer.kind:
            return False
        chain = {one.scope for one in other.layers if one.kind == "environment"}
        return layer.scope not in chain and layer.scope in _environments(side, pair)

    def _reads(self, merged: MergedStack, places: Iterable[Place]) -> Iterator[KeyPath]:
        """What the value at any of the places is computed from, in one of the trees."""
        for place in places:
            trace = place.trace(merged)
            # The map around a key that is not there says nothing of it, unless an expression makes all of the map.
            if len(trace) == len(place.path) or (trace and isinstance(trace[-1], Leaf)):
                for text in _texts(trace[-1:]):
                    yield from self._compiled(text)
                if place.path[0] == "secrets":
                    yield from (("secrets", *_parsed(name)) for name in _chosen(trace[-1]))

    def _compiled(self, text: str) -> Iterator[KeyPath]:
        try:
            yield from (tuple(map(str, read.path)) for read in self._compiler.compile(text).reads)
        except WrongExpression:
            # It reads nothing, and the finding says why.
            return

    def _fact(self, pair: Pair, root: str, name: str) -> Iterator[Cause]:
        """The causes in a field of an entity's file; its name is that of the file, whatever the field says."""
        base, head = (side.roster.of(pair.head.bundle.target) for side in self._sides)
        old, new = (owners.fields[root] or {} for owners in (base, head))
        if name != "name" and old.get(name) != new.get(name):
            yield from in_documents(base.documents.get(root), head.documents.get(root), name)

    def _organization(self, name: str) -> Iterator[Cause]:
        base, head = (workspace.organization for workspace in self._workspaces)
        if base.fields.get(name) != head.fields.get(name):
            yield from in_documents(base.document, head.document, name)

    def _input(self, name: str) -> Iterator[Cause]:
        base, head = (workspace.organization.document for workspace in self._workspaces)
        yield from in_documents(base, head, "inputs", name)

    def _merging(self, pair: Pair, path: KeyPath) -> Iterator[Cause]:
        """Where a list that several layers say is merged otherwise."""
        if self._policies[0].at(path) != self._policies[1].at(path) and any(_is_merged(one, path) for one in pair.both):
            base, head = (workspace.organization for workspace in self._workspaces)
            for pattern in sorted({*_patterns(base, path), *_patterns(head, path)}):
                yield from in_documents(base.document, head.document, "merge", pattern)

    def _order(self, pair: Pair) -> Iterator[Cause]:
        """Where the environments of a bundle inherit otherwise."""
        sides = [_environments(side, pair) for side in self._sides]
        layers = (layer for merged in pair.both for layer in merged.stack.layers if layer.kind == "environment")
        for name in dict.fromkeys(layer.scope for layer in layers):
            one, other = (documents.get(name) for documents in sides)
            if one and other:
                yield from in_documents(one, other, "inherits")

    def _files(self, pair: Pair) -> Iterator[Cause]:
        """All that differs in the files of a bundle: what is left when nothing better is known."""
        layers = [layer for merged in pair.both for layer in merged.stack.layers]
        paths = [layer.path for layer in layers] + [layer.secrets.path for layer in layers if layer.secrets]
        for path in dict.fromkeys(filter(None, paths)):
            yield from in_documents(self._sides[0].document(path), self._sides[1].document(path))


def _places(path: KeyPath) -> tuple[Place, ...]:
    """All places that have a say: a variable can be set, and injected."""
    if path == ("model_id",):
        return (Place("model", path),)
    if path[0] == "env_vars" and len(path) > 1:
        return Place("sections", path), Place("sections", ("secrets", path[1]))
    return (Place("sections", path),)


def _key(place: Place, layer: Layer) -> _LayerKey:
    """What a layer is known by on both sides: where it says something of a place.

    By its file, since one in a project is an overlay only as long as the root declares the environment; an agent's has
    its overlays in it.
    """
    return place.file(layer), layer.scope if layer.kind == "agent-environment" else ""


def _deciding(merged: MergedStack, place: Place, said: Mapping[_LayerKey, Saying]) -> Iterator[_LayerKey]:
    """The layers that decide what a place holds: those that it is merged from, and the last one that speaks of it."""
    trace = place.trace(merged)
    value = trace[-1] if trace else None
    while value:
        yield _key(place, value.layer)
        value = value.below if value.rule in COMBINING else None
    yield from list(said)[-1:]


def _is_reordered(base: Sequence[_LayerKey], head: Sequence[_LayerKey]) -> bool:
    """Whether what both have is in another order."""
    return [key for key in base if key in head] != [key for key in head if key in base]


def _is_merged(merged: MergedStack, path: KeyPath) -> bool:
    """Whether a list stands over another value."""
    value = Place("sections", path).at(merged)
    return isinstance(value, Listing) and value.below is not None


def _patterns(organization: Organization, path: KeyPath) -> Iterator[str]:
    """The declared list policies, as they are written, that are for a path."""
    declared = organization.document.root.value.get("merge")
    yield from (each for each in (declared if isinstance(declared, dict) else ()) if matches(_parsed(each), path))


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


def _parsed(text: str) -> KeyPath:
    """A dotted path; empty if it is none, which has been told where it was read."""
    try:
        return parse_path(text)
    except ValueError:
        return ()


def _differs(pair: Pair, path: KeyPath) -> bool:
    base, head = (_known(result.bundle.data, path) for result in pair)
    return base != head


def _known(data: object, path: KeyPath) -> bytes:
    """What is known of the value at a path: itself, or what it is hidden in."""
    for step in path:
        inside = {str(n): item for n, item in enumerate(data)} if isinstance(data, list) else data
        if not isinstance(inside, dict):
            break
        if step not in inside:
            return b""
        data = inside[step]
    return mark(data)


def _environments(side: Side, pair: Pair) -> dict[str, Document]:
    project = side.roster.of(pair.head.bundle.target).project
    return {name: environment.document for name, environment in project.environments.items()} if project else {}
