"""Find the lines that made a value differ: those that set it, that it is computed from, or that order the layers."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from envtree.compile.merge.layer_changes import is_expression
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.layers import Layer, Stack
from envtree.model.merged import COMBINING_RULES, MergedMapping, MergedScalar, MergedSequence, MergedStack, MergedValue
from envtree.model.nodes import Document
from envtree.model.path_policy import PolicyLookup
from envtree.model.value_path import MODEL_KEY, ValuePath, contributing_paths
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
        self._policies = [PolicyLookup(workspace.organization.policies_by_path) for workspace in self._workspaces]
        self._compiler = ExpressionCompiler()

    def find_causes(self, pair: BundlePair, path: KeyPath) -> tuple[Cause, ...]:
        """Return the lines that made the value at a path differ, without duplicates."""
        causes = set(self._value_causes(pair, path, set()))
        # If the layers say the same on both sides, their order may differ.
        for find_fallback_causes in (self._order_causes, self._file_causes):
            causes = causes or set(find_fallback_causes(pair))
        return tuple(sorted(causes))

    def _value_causes(self, pair: BundlePair, path: KeyPath, visited: set[KeyPath]) -> Iterator[Cause]:
        if path in visited:
            return
        visited.add(path)
        if path == ("organization",):
            yield from self._organization_causes("name")
            return
        value_paths = contributing_paths(ValuePath("model" if path == (MODEL_KEY,) else "sections", path))
        statement_causes = [cause for value_path in value_paths for cause in self._statement_causes(pair, value_path)]
        yield from statement_causes
        yield from self._policy_causes(pair, path)
        before, after = (set(self._list_reads(merged, value_paths)) for merged in pair.merged_stacks)
        # If the text itself differs, only names that both versions read can be further causes.
        for read in sorted(before & after if statement_causes else before | after):
            yield from self._read_causes(pair, read, visited)

    def _read_causes(self, pair: BundlePair, path: KeyPath, visited: set[KeyPath]) -> Iterator[Cause]:
        """Yield the causes in a name that an expression reads."""
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
            yield from self._value_causes(pair, path, visited)

    def _statement_causes(self, pair: BundlePair, value_path: ValuePath) -> Iterator[Cause]:
        """Yield the differences between the statements of the deciding layers."""
        merged = pair.merged_stacks
        statements = [
            {
                _layer_key(value_path, statement.layer): statement
                for statement in list_statements(side.stack, value_path)
            }
            for side in merged
        ]
        deciding = [
            list(_deciding_layers(side, value_path, by_layer))
            for side, by_layer in zip(merged, statements, strict=True)
        ]
        for key in dict.fromkeys((*deciding[0], *deciding[1])):
            old, new = statements[0].get(key), statements[1].get(key)
            only = None if old and new else old or new
            if only and not only.is_exact and any(self._paths_with_other_policies(value_path.path)):
                continue  # a map that replaces another one, or not, by the policy
            if old and new:
                versions = self._file_versions(old, new)
                old_node, new_node = not old.lacks_value_of(new) and old.node, not new.lacks_value_of(old) and new.node
                yield from versions.diff_nodes(old_node or None, new_node or None)
            elif new and not self._is_moved(new.layer, merged[0].stack, self._sides[0], pair):
                yield Cause(new.span.path, new.span.line, "added")
            elif old and not self._is_moved(old.layer, merged[1].stack, self._sides[1], pair):
                yield Cause(old.span.path, old.span.line, "removed")
            elif old or new:
                yield from self._order_causes(pair)
        keys = {*deciding[0], *deciding[1]}
        old_order, new_order = ([_layer_key(value_path, layer) for layer in side.stack.layers] for side in merged)
        if _is_reordered([key for key in old_order if key in keys], [key for key in new_order if key in keys]):
            yield from self._order_causes(pair)

    def _file_versions(self, old: LayerStatement, new: LayerStatement) -> FileVersions:
        return FileVersions(
            new.span.path, self._sides[0].document(old.span.path), self._sides[1].document(new.span.path)
        )

    def _is_moved(self, layer: Layer, other_stack: Stack, side: TreeSide, pair: BundlePair) -> bool:
        """Report whether a layer is in one stack only because the environment inherits, or an entity uses, others."""
        if layer.mixin:
            is_used = any((other.kind, other.scope) == (layer.kind, layer.scope) for other in other_stack.layers)
            return not is_used and side.document(layer.path) is not None
        if "environment" not in layer.kind:
            return False
        scopes = {other_layer.scope for other_layer in other_stack.layers if other_layer.kind == "environment"}
        return layer.scope not in scopes and layer.scope in _environment_documents(side, pair)

    def _list_reads(self, merged: MergedStack, value_paths: Iterable[ValuePath]) -> Iterator[KeyPath]:
        """Yield the names that the values at the paths are computed from, in one of the trees."""
        for value_path in value_paths:
            trace = value_path.merged_chain(merged)
            # A map around a missing key does not concern the key, unless an expression computes the whole map.
            if len(trace) == len(value_path.path) or (trace and isinstance(trace[-1], MergedScalar)):
                for text in _list_expressions(trace[-1:]):
                    yield from self._expression_reads(text)
                if value_path.path[0] == "secrets":
                    yield from (("secrets", *_parse_path_or_empty(name)) for name in _list_chosen_secrets(trace[-1]))

    def _expression_reads(self, text: str) -> Iterator[KeyPath]:
        yield from (tuple(map(str, read.path)) for read in self._compiler.references(text))

    def _entity_field_causes(self, pair: BundlePair, root: str, name: str) -> Iterator[Cause]:
        """Yield the causes in a field of an entity's file; the name comes from the file name, not from a field."""
        base, head = (side.entity_index.entities_of(pair.head.bundle.target) for side in self._sides)
        old, new = (entities.fields[root] or {} for entities in (base, head))
        if name == "name" or old.get(name) == new.get(name):
            return
        if (root, name) == ("environment", "type"):
            for base_document, head_document in self._common_environments(pair):
                yield from diff_documents(base_document, head_document, "type")
                yield from diff_documents(base_document, head_document, "inherits")
        else:
            yield from diff_documents(base.documents.get(root), head.documents.get(root), name)

    def _organization_causes(self, name: str) -> Iterator[Cause]:
        base, head = (workspace.organization for workspace in self._workspaces)
        if base.fields.get(name) != head.fields.get(name):
            yield from diff_documents(base.document, head.document, name)

    def _input_causes(self, name: str) -> Iterator[Cause]:
        base, head = (workspace.organization.document for workspace in self._workspaces)
        yield from diff_documents(base, head, "inputs", name)

    def _policy_causes(self, pair: BundlePair, path: KeyPath) -> Iterator[Cause]:
        """Yield the causes in the policies of a list, or of a map around the path, that several layers set."""
        base, head = (workspace.organization for workspace in self._workspaces)
        for inner in self._paths_with_other_policies(path):
            if any(_is_merged(merged, inner) for merged in pair.merged_stacks):
                patterns = {pattern for lookup in self._policies for pattern in lookup.matching(inner)}
                for written in sorted({*_written_patterns(base, patterns), *_written_patterns(head, patterns)}):
                    yield from diff_documents(base.document, head.document, "merge", written)

    def _paths_with_other_policies(self, path: KeyPath) -> Iterator[KeyPath]:
        """Yield a path, and those of the values around it, whose policies differ between the trees."""
        for inner in (path[:depth] for depth in range(1, len(path) + 1)):
            base_policy, head_policy = (lookup.at(inner)._replace(span=None) for lookup in self._policies)
            if base_policy != head_policy:
                yield inner

    def _order_causes(self, pair: BundlePair) -> Iterator[Cause]:
        """Yield the causes in the `inherits` of the bundle's environments, and in the `uses` of its entities."""
        for base_document, head_document in self._common_environments(pair):
            yield from diff_documents(base_document, head_document, "inherits")
        base_users, head_users = (_mixin_users(side, pair) for side in self._sides)
        for path, head_document in head_users.items():
            if path in base_users:
                yield from diff_documents(base_users[path], head_document, "uses")

    def _common_environments(self, pair: BundlePair) -> Iterator[tuple[Document, Document]]:
        """Yield both versions of the files of the bundle's environments, if both trees have the environment."""
        sides = [_environment_documents(side, pair) for side in self._sides]
        layers = (
            layer for merged in pair.merged_stacks for layer in merged.stack.layers if layer.kind == "environment"
        )
        for name in dict.fromkeys(layer.scope for layer in layers):
            base_document, head_document = (documents.get(name) for documents in sides)
            if base_document and head_document:
                yield base_document, head_document

    def _file_causes(self, pair: BundlePair) -> Iterator[Cause]:
        """Yield every difference in the files of a bundle, as the last resort."""
        layers = [layer for merged in pair.merged_stacks for layer in merged.stack.layers]
        paths = [layer.path for layer in layers] + [layer.secrets.path for layer in layers if layer.secrets]
        for path in dict.fromkeys(filter(None, paths)):
            yield from diff_documents(self._sides[0].document(path), self._sides[1].document(path))


def _layer_key(value_path: ValuePath, layer: Layer) -> _LayerKey:
    """Return what identifies a layer on both sides: the file in which it would set the value.

    Not its kind: an environment file in a project is an overlay only as long as the root declares the environment. An
    agent's file also has its environment overlays, which are told apart by their scope.
    """
    return value_path.layer_file(layer), layer.scope if layer.kind in ("agent-environment", "mixin-environment") else ""


def _deciding_layers(
    merged: MergedStack, value_path: ValuePath, statements: Mapping[_LayerKey, LayerStatement]
) -> Iterator[_LayerKey]:
    """Yield the layers that decide a value: those that it is merged from, and the last one with a statement."""
    trace = value_path.merged_chain(merged)
    value = trace[-1] if trace else None
    while value:
        yield _layer_key(value_path, value.layer)
        value = value.base if value.rule in COMBINING_RULES else None
    yield from list(statements)[-1:]


def _is_reordered(base: Sequence[_LayerKey], head: Sequence[_LayerKey]) -> bool:
    """Report whether the keys that both sides have are in a different order."""
    return [key for key in base if key in head] != [key for key in head if key in base]


def _is_merged(merged: MergedStack, path: KeyPath) -> bool:
    """Report whether a list or a map is merged with, or replaces, a lower value."""
    value = ValuePath("sections", path).merged_value(merged)
    return isinstance(value, MergedSequence | MergedMapping) and value.base is not None


def _written_patterns(organization: Organization, patterns: Container[KeyPath]) -> Iterator[str]:
    """Yield those of the patterns that `merge` declares, as written."""
    declared = organization.document.root.value.get("merge")
    for written in declared if isinstance(declared, dict) else ():
        if _parse_path_or_empty(written) in patterns:
            yield written


def _list_expressions(values: Iterable[MergedValue]) -> Iterator[str]:
    """Yield the expressions in values."""
    for value in values:
        if isinstance(value, MergedScalar):
            if is_expression(value):
                yield str(value.node.value)
        else:
            yield from _list_expressions(value.items if isinstance(value, MergedSequence) else value.entries.values())


def _list_chosen_secrets(value: MergedValue) -> Iterator[str]:
    """Yield the secrets that an entry of `secrets`, or the whole section, names."""
    if isinstance(value, MergedMapping):
        for inner in value.entries.values():
            yield from _list_chosen_secrets(inner)
    elif isinstance(value, MergedScalar) and isinstance(value.node.value, str):
        yield value.node.value


def _parse_path_or_empty(text: str) -> KeyPath:
    """Return a dotted path; empty if it is invalid, which has been reported where it was read."""
    try:
        return parse_path(text)
    except ValueError:
        return ()


def _has_different_value(pair: BundlePair, path: KeyPath) -> bool:
    base_key, head_key = (_value_comparison_key(result.bundle.data, path) for result in pair)
    return base_key != head_key


def _value_comparison_key(data: object, path: KeyPath) -> bytes:
    """Return the comparison key of the value at a path, or of the hidden value that contains it."""
    for step in path:
        children = {str(n): item for n, item in enumerate(data)} if isinstance(data, list) else data
        if not isinstance(children, dict):
            break
        if step not in children:
            return b""
        data = children[step]
    return comparison_key(data)


def _mixin_users(side: TreeSide, pair: BundlePair) -> dict[str, Document]:
    """Return the files that may bring mix-ins to a bundle: its project, team and agent, and all mix-ins."""
    documents = side.entity_index.entities_of(pair.head.bundle.target).documents
    entities = [documents[name] for name in ("project", "team", "agent") if name in documents]
    mixins = side.workspace.mixins.values() if side.workspace else ()
    return {document.path: document for document in (*entities, *(mixin.document for mixin in mixins))}


def _environment_documents(side: TreeSide, pair: BundlePair) -> dict[str, Document]:
    project = side.entity_index.entities_of(pair.head.bundle.target).project
    return {name: environment.document for name, environment in project.environments.items()} if project else {}
