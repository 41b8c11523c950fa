"""Find values that are overridden in every bundle, so that removing them changes nothing.

A value that is never effective is only a candidate. The values over it must be the same without it; where this is not
evident, nothing is reported.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from envtree.compile.layer import layer
from envtree.compile.merge import merge
from envtree.compile.merge.equality import type_of
from envtree.compile.merge.layer_changes import is_expression
from envtree.diagnostics.summary import plural
from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.keypath import KeyPath
from envtree.model.layers import Layer
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedStack, MergedValue, merged_span
from envtree.model.nodes import MappingNode, Node
from envtree.model.path_policy import PolicyLookup
from envtree.model.resource import Resource
from envtree.model.span import Span
from envtree.model.value_path import ValuePath
from envtree.model.workspace import Workspace
from envtree.queries.fleet.value_usage import ValueUsage, ValueUsageIndex, follow_path, has_contribution
from envtree.queries.fleet.written_values import find_expectations
from envtree.queries.layer_statements import list_statements

_MAX_RELATED = 3


class _Candidate(NamedTuple):
    """A value that is never effective, with its overrides, and a bundle in which it may matter all the same, if any."""

    usage: ValueUsage
    is_secret: bool
    shadowing_spans: Counter[Span]
    uncertain_bundles: list[str]


def find_shadowed_values(run: Run, values: ValueUsageIndex) -> Iterator[Diagnostic]:
    """Yield a finding for each value that can be removed."""
    assert run.workspace
    groups: dict[int, list[_Candidate]] = {}
    for owner, section_usages, secret_usages in values.layers():
        groups[id(owner.section)] = [*_find_candidates(section_usages, run.files, is_secret=False)]
        if owner.secrets:
            groups[id(owner.secrets.content)] = [*_find_candidates(secret_usages, run.files, is_secret=True)]
    if any(groups.values()):
        _recheck_candidates(groups, run.workspace)
    for group in groups.values():
        yield from (
            _shadowed_finding(candidate)
            for candidate in group
            if candidate.shadowing_spans and not candidate.uncertain_bundles
        )


def _find_candidates(
    usages: Iterable[ValueUsage], files: Mapping[str, Resource], *, is_secret: bool
) -> Iterator[_Candidate]:
    for usage in usages:
        written = usage.written
        is_simple = written.is_plain and not isinstance(written.node, MappingNode)
        # A value that an alias repeats is used in two places.
        if is_simple and not usage.effective_in and not files[usage.span.path].document.aliases:
            yield _Candidate(usage, is_secret, Counter(), [])


def _recheck_candidates(groups: Mapping[int, list[_Candidate]], workspace: Workspace) -> None:
    """Merge every bundle once more, to find the overrides of the candidates."""
    expected_paths: dict[int, frozenset[KeyPath]] = {}
    policies = PolicyLookup(workspace.organization.policies_by_path)
    for merged in merge(layer(workspace, lambda _: True), workspace.organization, Diagnostics()):
        layers = merged.stack.layers
        for layer_index, current in enumerate(layers):
            nodes = (current.section, current.secrets.content if current.secrets else None)
            for node in nodes:
                for candidate in groups.get(id(node), ()) if node else ():
                    if not candidate.uncertain_bundles:
                        _classify_candidate(candidate, _BundleAtLayer(merged, layer_index, expected_paths, policies))


def _classify_candidate(candidate: _Candidate, bundle: "_BundleAtLayer") -> None:
    shadowing = bundle.find_shadowing(candidate)
    if shadowing is None:
        candidate.uncertain_bundles.append(bundle.merged.stack.target.id)
    else:
        candidate.shadowing_spans[shadowing] += 1


class _BundleAtLayer(NamedTuple):
    """A merged bundle, seen from one of its layers; `expected_paths` caches the `$expect` paths of sections."""

    merged: MergedStack
    layer_index: int
    expected_paths: dict[int, frozenset[KeyPath]]
    policies: PolicyLookup

    def find_shadowing(self, candidate: _Candidate) -> Span | None:
        """Return the location of the override of a value, or None if the value is or may be effective."""
        path, node = candidate.usage.written.path, candidate.usage.written.node
        top = (self.merged.secrets if candidate.is_secret else self.merged.sections).get(path[0])
        value, is_complete = follow_path(top, path)
        if self._is_expected(path, is_secret=candidate.is_secret):
            return None
        if value is not None and is_complete and has_contribution(value, node):
            competing = None if candidate.is_secret else self._competing_value(path)
            return merged_span(competing) if competing else None
        is_text = path[0] == "env_vars" and not candidate.is_secret
        if not all(
            _is_redundant(under, above, is_text=is_text) for above, under in _list_overrides(top, path[1:], node)
        ):
            return None
        if value is None:
            return self._find_remover(ValuePath("sealed" if candidate.is_secret else "sections", path))
        return merged_span(value) if self._index_of(value.layer) > self.layer_index else None

    def _index_of(self, layer: Layer) -> int:
        """Return the index of a layer; secrets have a separate layer object, which differs only in its document."""
        layers = self.merged.stack.layers
        return next(
            n for n, candidate in enumerate(layers) if (candidate.kind, candidate.scope) == (layer.kind, layer.scope)
        )

    def _find_remover(self, value_path: ValuePath) -> Span | None:
        last_statements = list_statements(self.merged.stack, value_path)[-1:]
        return (
            last_statements[0].span
            if last_statements and self._index_of(last_statements[0].layer) > self.layer_index
            else None
        )

    def _competing_value(self, path: KeyPath) -> MergedValue | None:
        """Return the variable or injected secret of the same name, if it would win without this value, too."""
        name = path[-1]
        variable, injected = (self.merged.section_entries(section).get(name) for section in ("env_vars", "secrets"))
        if len(path) != 2 or not isinstance(variable, MergedScalar) or not isinstance(injected, MergedScalar):
            return None
        if self._index_of(variable.layer) <= self._index_of(injected.layer):
            return injected if path[0] == "env_vars" else None
        is_certain = injected.base is None and not variable.shadows_expression
        return variable if path[0] == "secrets" and is_certain else None

    def _is_expected(self, path: KeyPath, *, is_secret: bool) -> bool:
        """Report whether a later layer, or a policy, expects a value at, around or inside of a path."""
        if not is_secret and self.policies.any_must_exist and self.policies.at(path).must_exist:
            return True
        for upper in self.merged.stack.layers[self.layer_index + 1 :]:
            node = (upper.secrets.content if upper.secrets else None) if is_secret else upper.section
            if node is None:
                continue
            paths = self.expected_paths.get(id(node))
            if paths is None:
                paths = self.expected_paths[id(node)] = frozenset(find_expectations(node))
            if any(
                all(key == expected_key for key, expected_key in zip(path, expected_path, strict=False))
                for expected_path in paths
            ):
                return True
        return False


def _list_overrides(
    value: MergedValue | None, path: KeyPath, node: Node
) -> Iterator[tuple[MergedValue | None, MergedValue]]:
    """Yield each value that a node sets at a path, preceded by the value directly over it, or None."""
    above = None
    while value is not None:
        if path:
            yield from (
                _list_overrides(value.entries.get(path[0]), path[1:], node) if isinstance(value, MergedMapping) else ()
            )
        elif value.node is node:
            yield above, value
        # A merged map contains the keys of the maps below it.
        while value.rule == "merge" and value.base is not None:
            value = value.base
        above, value = value, value.base


def _is_redundant(under: MergedValue, above: MergedValue | None, *, is_text: bool) -> bool:
    """Report whether the value above is the same without the one under it, whichever values below remain."""
    if above is None or (above.rule == "$replace" and not under.lock):
        return True
    if above.lock or under.lock or above.rule != "replace":
        return False
    # A list over a value of another type may, by its policy, be merged with a list further below.
    is_plain = isinstance(under, MergedSequence) or not isinstance(above, MergedSequence)
    below = under.base
    while below is not None:
        if not _would_replace(above, below, is_text=is_text, is_plain=is_plain):
            return False
        below = below.base
    return True


def _would_replace(above: MergedValue, below: MergedValue, *, is_text: bool, is_plain: bool) -> bool:
    """Report whether a value would simply replace another one, without merging of maps or a type clash."""
    if is_text and isinstance(below, MergedScalar) and isinstance(above, MergedScalar):
        return True
    if any(is_expression(value) or type_of(value) == "null" for value in (above, below)):
        return True
    return is_plain and not isinstance(above, MergedMapping) and type_of(above) == type_of(below)


def _shadowed_finding(candidate: _Candidate) -> Diagnostic:
    usage = candidate.usage
    count = candidate.shadowing_spans.total()
    bundles_phrase = "the one bundle" if count == 1 else f"all {count} bundles"
    message = f"'{usage.key}' is shadowed in {bundles_phrase} that it could reach"
    related = tuple(
        RelatedSpan(location, f"counts in {plural(bundle_count, 'bundle')}")
        for location, bundle_count in sorted(candidate.shadowing_spans.items(), key=lambda item: (-item[1], item[0]))[
            :_MAX_RELATED
        ]
    )
    code, hint_suffix = ("ET652", " with 'sops edit'") if candidate.is_secret else ("ET453", "")
    hint = f"remove it{hint_suffix}, unless bundles to come should have it"
    return Diagnostic(span=usage.span, code=code, message=message, hint=hint, related=related, key=usage.key)
