"""Values that no bundle has, because something stands over them in every one: they can go, and nothing changes.

A value that never counts is only a candidate. What stands over it must be as it is without it; where that is not plain
to see, nothing is said.
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
from envtree.model.resource import Resource
from envtree.model.span import Span
from envtree.model.value_path import ValuePath
from envtree.model.workspace import Workspace
from envtree.queries.fleet.value_usage import ValueUsage, ValueUsageIndex, follow_path, has_contribution
from envtree.queries.fleet.written_values import find_expectations
from envtree.queries.layer_statements import list_statements

_MAX_RELATED = 3


class _Candidate(NamedTuple):
    """A value that never counts; `places` tells what stands over it, `doubts` are bundles in which it may matter."""

    usage: ValueUsage
    is_secret: bool
    shadowing_spans: Counter[Span]
    uncertain_bundles: list[str]


def find_shadowed_values(run: Run, reach: ValueUsageIndex) -> Iterator[Diagnostic]:
    """A finding for each value that can go."""
    assert run.workspace
    groups: dict[int, list[_Candidate]] = {}
    for one, plain, secrets in reach.layers():
        groups[id(one.section)] = [*_find_candidates(plain, run.files, is_secret=False)]
        if one.secrets:
            groups[id(one.secrets.content)] = [*_find_candidates(secrets, run.files, is_secret=True)]
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
    for supply in usages:
        value = supply.written
        simple = value.is_plain and not isinstance(value.node, MappingNode)
        # What an alias repeats is used in two places.
        if simple and not supply.effective_in and not files[supply.span.path].document.aliases:
            yield _Candidate(supply, is_secret, Counter(), [])


def _recheck_candidates(groups: Mapping[int, list[_Candidate]], workspace: Workspace) -> None:
    """Look at every bundle once more, for what stands over the candidates."""
    expected: dict[int, frozenset[KeyPath]] = {}
    for merged in merge(layer(workspace, lambda _: True), workspace.organization, Diagnostics()):
        layers = merged.stack.layers
        for number, one in enumerate(layers):
            nodes = (one.section, one.secrets.content if one.secrets else None)
            for node in nodes:
                for candidate in groups.get(id(node), ()) if node else ():
                    if not candidate.uncertain_bundles:
                        _classify_candidate(candidate, _BundleAtLayer(merged, number, expected))


def _classify_candidate(candidate: _Candidate, bundle: "_BundleAtLayer") -> None:
    over = bundle.find_shadowing(candidate)
    if over is None:
        candidate.uncertain_bundles.append(bundle.merged.stack.target.id)
    else:
        candidate.shadowing_spans[over] += 1


class _BundleAtLayer(NamedTuple):
    """A bundle, seen from the layer of that number; `expected` remembers where sections have `$expect`."""

    merged: MergedStack
    layer_index: int
    expected_paths: dict[int, frozenset[KeyPath]]

    def find_shadowing(self, candidate: _Candidate) -> Span | None:
        """What stands over a value here, unless it counts, or may matter all the same."""
        path, node = candidate.usage.written.path, candidate.usage.written.node
        top = (self.merged.secrets if candidate.is_secret else self.merged.sections).get(path[0])
        value, whole = follow_path(top, path)
        if self._is_expected(path, is_secret=candidate.is_secret):
            return None
        if value is not None and whole and has_contribution(value, node):
            rival = None if candidate.is_secret else self._competing_value(path)
            return merged_span(rival) if rival else None
        text = path[0] == "env_vars" and not candidate.is_secret
        if not all(_is_redundant(under, above, is_text=text) for above, under in _list_coverings(top, path[1:], node)):
            return None
        if value is None:
            return self._find_remover(ValuePath("sealed" if candidate.is_secret else "sections", path))
        return merged_span(value) if self._index_of(value.layer) > self.layer_index else None

    def _index_of(self, layer: Layer) -> int:
        """The number of a layer; secrets have a layer of their own, which differs by its document."""
        layers = self.merged.stack.layers
        return next(n for n, one in enumerate(layers) if (one.kind, one.scope) == (layer.kind, layer.scope))

    def _find_remover(self, place: ValuePath) -> Span | None:
        last = list_statements(self.merged.stack, place)[-1:]
        return last[0].span if last and self._index_of(last[0].layer) > self.layer_index else None

    def _competing_value(self, path: KeyPath) -> MergedValue | None:
        """A variable and an injected secret of one name: the other one, if it would win without this one, too."""
        name = path[-1]
        variable, chosen = (self.merged.section_entries(section).get(name) for section in ("env_vars", "secrets"))
        if len(path) != 2 or not isinstance(variable, MergedScalar) or not isinstance(chosen, MergedScalar):
            return None
        if self._index_of(variable.layer) <= self._index_of(chosen.layer):
            return chosen if path[0] == "env_vars" else None
        sure = chosen.base is None and not variable.shadows_expression
        return variable if path[0] == "secrets" and sure else None

    def _is_expected(self, path: KeyPath, *, is_secret: bool) -> bool:
        """Whether a later layer has `$expect` at, around or inside of a path."""
        for one in self.merged.stack.layers[self.layer_index + 1 :]:
            node = (one.secrets.content if one.secrets else None) if is_secret else one.section
            if node is None:
                continue
            found = self.expected_paths.get(id(node))
            if found is None:
                found = self.expected_paths[id(node)] = frozenset(find_expectations(node))
            if any(all(a == b for a, b in zip(path, other, strict=False)) for other in found):
                return True
        return False


def _list_coverings(
    value: MergedValue | None, path: KeyPath, node: Node
) -> Iterator[tuple[MergedValue | None, MergedValue]]:
    """What stands directly over what a node says at a path, and the value itself, wherever it is still known."""
    above = None
    while value is not None:
        if path:
            yield from (
                _list_coverings(value.entries.get(path[0]), path[1:], node) if isinstance(value, MergedMapping) else ()
            )
        elif value.node is node:
            yield above, value
        # A merged map has all that is in the maps below it.
        while value.rule == "merge" and value.base is not None:
            value = value.base
        above, value = value, value.base


def _is_redundant(under: MergedValue, above: MergedValue | None, *, is_text: bool) -> bool:
    """Whether a value would be as it is without the one under it, whatever of those below that stays."""
    if above is None or (above.rule == "$replace" and not under.lock):
        return True
    if above.lock or under.lock or above.rule != "replace":
        return False
    # A list that replaced no list may have a policy by which it would not.
    plain = isinstance(under, MergedSequence) or not isinstance(above, MergedSequence)
    below = under.base
    while below is not None:
        if not _would_replace(above, below, is_text=is_text, is_plain=plain):
            return False
        below = below.base
    return True


def _would_replace(above: MergedValue, below: MergedValue, *, is_text: bool, is_plain: bool) -> bool:
    """Whether a value would simply take the place of another one: maps merge, and types may clash."""
    if is_text and isinstance(below, MergedScalar) and isinstance(above, MergedScalar):
        return True
    if any(is_expression(one) or type_of(one) == "null" for one in (above, below)):
        return True
    return is_plain and not isinstance(above, MergedMapping) and type_of(above) == type_of(below)


def _shadowed_finding(candidate: _Candidate) -> Diagnostic:
    supply = candidate.usage
    count = candidate.shadowing_spans.total()
    where = "the one bundle" if count == 1 else f"all {count} bundles"
    message = f"'{supply.key}' is shadowed in {where} that it could reach"
    related = tuple(
        RelatedSpan(place, f"counts in {plural(number, 'bundle')}")
        for place, number in sorted(candidate.shadowing_spans.items(), key=lambda item: (-item[1], item[0]))[
            :_MAX_RELATED
        ]
    )
    code, how = ("ET652", " with 'sops edit'") if candidate.is_secret else ("ET453", "")
    hint = f"remove it{how}, unless bundles to come should have it"
    return Diagnostic(supply.span, code, message, hint, related, supply.key)
