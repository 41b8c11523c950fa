"""Which lines made a value differ: those that set it, those that it is computed from, those that order the layers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from envtree.compile.merge.layer_changes import is_expression
from envtree.compile.merge.list_policies import ListPolicies, matches_path
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.compile.resolve.expression_grammar import ExpressionError
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.layers import Layer, Stack
from envtree.model.merged import COMBINING_RULES, MergedMapping, MergedScalar, MergedSequence, MergedStack, MergedValue
from envtree.model.nodes import Document
from envtree.model.value_path import ValuePath
from envtree.model.workspace import Organization
from envtree.output.bundle_cells import comparison_key
from envtree.queries.diff.diff_model import Cause
from envtree.queries.diff.node_edits import FileVersions, diff_documents
from envtree.queries.diff.tree_side import BundlePair, TreeSide
from envtree.queries.layer_statements import LayerStatement, list_statements

_LayerKey = tuple[str, str]

_ENTITY_ROOTS = ("project", "environment", "team", "agent")


class CauseTracer:
    """Finds the causes of differences between two trees that both have an organization."""

    def __init__(self, base: TreeSide, head: TreeSide) -> None:
        assert base.workspace
        assert head.workspace
        self._sides = base, head
        self._workspaces = base.workspace, head.workspace
        self._policies = [ListPolicies(one.organization.list_policies) for one in self._workspaces]
        self._compiler = ExpressionCompiler()

    def find_causes(self, pair: BundlePair, path: KeyPath) -> tuple[Cause, ...]:
        """The lines that made the value at a path differ, each once."""
        found = set(self._value_causes(pair, path, set()))
        # What no layer says otherwise may come from the order of the layers.
        for more in (self._order_causes, self._file_causes):
            found = found or set(more(pair))
        return tuple(sorted(found))

    def _value_causes(self, pair: BundlePair, path: KeyPath, seen: set[KeyPath]) -> Iterator[Cause]:
        if path in seen:
            return
        seen.add(path)
        if path == ("organization",):
            yield from self._organization_causes("name")
            return
        places = _contributing_paths(path)
        said = [cause for place in places for cause in self._statement_causes(pair, place)]
        yield from said
        yield from self._list_policy_causes(pair, path)
        before, after = (set(self._list_reads(merged, places)) for merged in pair.merged_stacks)
        # What another text reads has been there before; what both read may differ as well.
        for read in sorted(before & after if said else before | after):
            yield from self._read_causes(pair, read, seen)

    def _read_causes(self, pair: BundlePair, path: KeyPath, seen: set[KeyPath]) -> Iterator[Cause]:
        """The causes in what an expression reads."""
        root, name = path[0], path[1] if len(path) > 1 else ""
        if root == "secrets":
            yield from self._statement_causes(pair, ValuePath("sealed", path[1:]))
        elif root == "inputs":
            yield from self._input_causes(name)
        elif root == "organization":
            yield from self._organization_causes(name)
        elif root in _ENTITY_ROOTS:
            yield from self._entity_field_causes(pair, root, name)
        elif _has_different_value(pair, path):
            yield from self._value_causes(pair, path, seen)

    def _statement_causes(self, pair: BundlePair, place: ValuePath) -> Iterator[Cause]:
        """Where the layers that decide say otherwise."""
        merged = pair.merged_stacks
        said = [{_layer_key(place, one.layer): one for one in list_statements(side.stack, place)} for side in merged]
        decide = [list(_deciding_layers(side, place, told)) for side, told in zip(merged, said, strict=True)]
        for key in dict.fromkeys((*decide[0], *decide[1])):
            old, new = said[0].get(key), said[1].get(key)
            if old and new:
                versions = self._file_versions(old, new)
                one, other = not old.lacks_value_of(new) and old.node, not new.lacks_value_of(old) and new.node
                yield from versions.diff_nodes(one or None, other or None)
            elif new and not self._is_moved(new.layer, merged[0].stack, self._sides[0], pair):
                yield Cause(new.span.path, new.span.line, "added")
            elif old and not self._is_moved(old.layer, merged[1].stack, self._sides[1], pair):
                yield Cause(old.span.path, old.span.line, "removed")
            elif old or new:
                yield from self._order_causes(pair)
        keys = {*decide[0], *decide[1]}
        old_order, new_order = ([_layer_key(place, layer) for layer in side.stack.layers] for side in merged)
        if _is_reordered([key for key in old_order if key in keys], [key for key in new_order if key in keys]):
            yield from self._order_causes(pair)

    def _file_versions(self, old: LayerStatement, new: LayerStatement) -> FileVersions:
        return FileVersions(
            new.span.path, self._sides[0].document(old.span.path), self._sides[1].document(new.span.path)
        )

    def _is_moved(self, layer: Layer, other: Stack, side: TreeSide, pair: BundlePair) -> bool:
        """Whether a layer is in one stack only because the bundle's environment inherits otherwise."""
        if "environment" not in layer.kind:
            return False
        chain = {one.scope for one in other.layers if one.kind == "environment"}
        return layer.scope not in chain and layer.scope in _environment_documents(side, pair)

    def _list_reads(self, merged: MergedStack, places: Iterable[ValuePath]) -> Iterator[KeyPath]:
        """What the value at any of the places is computed from, in one of the trees."""
        for place in places:
            trace = place.merged_chain(merged)
            # The map around a key that is not there says nothing of it, unless an expression makes all of the map.
            if len(trace) == len(place.path) or (trace and isinstance(trace[-1], MergedScalar)):
                for text in _list_expressions(trace[-1:]):
                    yield from self._expression_reads(text)
                if place.path[0] == "secrets":
                    yield from (("secrets", *_parse_path_or_empty(name)) for name in _list_chosen_secrets(trace[-1]))

    def _expression_reads(self, text: str) -> Iterator[KeyPath]:
        try:
            yield from (tuple(map(str, read.path)) for read in self._compiler.compile(text).references)
        except ExpressionError:
            # It reads nothing, and the finding says why.
            return

    def _entity_field_causes(self, pair: BundlePair, root: str, name: str) -> Iterator[Cause]:
        """The causes in a field of an entity's file; its name is that of the file, whatever the field says."""
        base, head = (side.roster.entities_of(pair.head.bundle.target) for side in self._sides)
        old, new = (owners.fields[root] or {} for owners in (base, head))
        if name != "name" and old.get(name) != new.get(name):
            yield from diff_documents(base.documents.get(root), head.documents.get(root), name)

    def _organization_causes(self, name: str) -> Iterator[Cause]:
        base, head = (workspace.organization for workspace in self._workspaces)
        if base.fields.get(name) != head.fields.get(name):
            yield from diff_documents(base.document, head.document, name)

    def _input_causes(self, name: str) -> Iterator[Cause]:
        base, head = (workspace.organization.document for workspace in self._workspaces)
        yield from diff_documents(base, head, "inputs", name)

    def _list_policy_causes(self, pair: BundlePair, path: KeyPath) -> Iterator[Cause]:
        """Where a list that several layers say is merged otherwise."""
        if self._policies[0].at(path) != self._policies[1].at(path) and any(
            _is_merged(one, path) for one in pair.merged_stacks
        ):
            base, head = (workspace.organization for workspace in self._workspaces)
            for pattern in sorted({*_matching_patterns(base, path), *_matching_patterns(head, path)}):
                yield from diff_documents(base.document, head.document, "merge", pattern)

    def _order_causes(self, pair: BundlePair) -> Iterator[Cause]:
        """Where the environments of a bundle inherit otherwise."""
        sides = [_environment_documents(side, pair) for side in self._sides]
        layers = (
            layer for merged in pair.merged_stacks for layer in merged.stack.layers if layer.kind == "environment"
        )
        for name in dict.fromkeys(layer.scope for layer in layers):
            one, other = (documents.get(name) for documents in sides)
            if one and other:
                yield from diff_documents(one, other, "inherits")

    def _file_causes(self, pair: BundlePair) -> Iterator[Cause]:
        """All that differs in the files of a bundle: what is left when nothing better is known."""
        layers = [layer for merged in pair.merged_stacks for layer in merged.stack.layers]
        paths = [layer.path for layer in layers] + [layer.secrets.path for layer in layers if layer.secrets]
        for path in dict.fromkeys(filter(None, paths)):
            yield from diff_documents(self._sides[0].document(path), self._sides[1].document(path))


def _contributing_paths(path: KeyPath) -> tuple[ValuePath, ...]:
    """All places that have a say: a variable can be set, and injected."""
    if path == ("model_id",):
        return (ValuePath("model", path),)
    if path[0] == "env_vars" and len(path) > 1:
        return ValuePath("sections", path), ValuePath("sections", ("secrets", path[1]))
    return (ValuePath("sections", path),)


def _layer_key(place: ValuePath, layer: Layer) -> _LayerKey:
    """What a layer is known by on both sides: where it says something of a place.

    By its file, since one in a project is an overlay only as long as the root declares the environment; an agent's has
    its overlays in it.
    """
    return place.layer_file(layer), layer.scope if layer.kind == "agent-environment" else ""


def _deciding_layers(
    merged: MergedStack, place: ValuePath, statements: Mapping[_LayerKey, LayerStatement]
) -> Iterator[_LayerKey]:
    """The layers that decide what a place holds: those that it is merged from, and the last one that speaks of it."""
    trace = place.merged_chain(merged)
    value = trace[-1] if trace else None
    while value:
        yield _layer_key(place, value.layer)
        value = value.base if value.rule in COMBINING_RULES else None
    yield from list(statements)[-1:]


def _is_reordered(base: Sequence[_LayerKey], head: Sequence[_LayerKey]) -> bool:
    """Whether what both have is in another order."""
    return [key for key in base if key in head] != [key for key in head if key in base]


def _is_merged(merged: MergedStack, path: KeyPath) -> bool:
    """Whether a list stands over another value."""
    value = ValuePath("sections", path).merged_value(merged)
    return isinstance(value, MergedSequence) and value.base is not None


def _matching_patterns(organization: Organization, path: KeyPath) -> Iterator[str]:
    """The declared list policies, as they are written, that are for a path."""
    declared = organization.document.root.value.get("merge")
    yield from (
        each
        for each in (declared if isinstance(declared, dict) else ())
        if matches_path(_parse_path_or_empty(each), path)
    )


def _list_expressions(values: Iterable[MergedValue]) -> Iterator[str]:
    """The expressions in values."""
    for value in values:
        if isinstance(value, MergedScalar):
            if is_expression(value):
                yield str(value.node.value)
        else:
            yield from _list_expressions(value.items if isinstance(value, MergedSequence) else value.entries.values())


def _list_chosen_secrets(value: MergedValue) -> Iterator[str]:
    """The secrets that an entry of `secrets`, or all of them, name."""
    if isinstance(value, MergedMapping):
        for inner in value.entries.values():
            yield from _list_chosen_secrets(inner)
    elif isinstance(value, MergedScalar) and isinstance(value.node.value, str):
        yield value.node.value


def _parse_path_or_empty(text: str) -> KeyPath:
    """A dotted path; empty if it is none, which has been told where it was read."""
    try:
        return parse_path(text)
    except ValueError:
        return ()


def _has_different_value(pair: BundlePair, path: KeyPath) -> bool:
    base, head = (_comparison_mark(result.bundle.data, path) for result in pair)
    return base != head


def _comparison_mark(data: object, path: KeyPath) -> bytes:
    """What is known of the value at a path: itself, or what it is hidden in."""
    for step in path:
        inside = {str(n): item for n, item in enumerate(data)} if isinstance(data, list) else data
        if not isinstance(inside, dict):
            break
        if step not in inside:
            return b""
        data = inside[step]
    return comparison_key(data)


def _environment_documents(side: TreeSide, pair: BundlePair) -> dict[str, Document]:
    project = side.roster.entities_of(pair.head.bundle.target).project
    return {name: environment.document for name, environment in project.environments.items()} if project else {}
