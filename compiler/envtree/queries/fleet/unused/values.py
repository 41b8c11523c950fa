"""Values that no bundle has, because something stands over them in every one: they can go, and nothing changes.

A value that never counts is only a candidate. What stands over it must be as it is without it; where that is not plain
to see, nothing is said.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from envtree.compile.layer import layer
from envtree.compile.merge import merge
from envtree.compile.merge.lift import is_expression
from envtree.compile.merge.same import type_of
from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.keypath import KeyPath
from envtree.model.layers import Layer
from envtree.model.merged import Branch, Leaf, Listing, Merged, MergedStack, span_of
from envtree.model.nodes import Mapping as MappingNode
from envtree.model.nodes import Node
from envtree.model.resource import Resource
from envtree.model.span import Span
from envtree.model.value_path import Place
from envtree.model.workspace import Workspace
from envtree.queries.fleet.reach import Reach, Supply, counts, follow
from envtree.queries.fleet.written import expectations
from envtree.queries.layer_statements import sayings
from envtree.report import plural

_SHOWN = 3


class _Candidate(NamedTuple):
    """A value that never counts; `places` tells what stands over it, `doubts` are bundles in which it may matter."""

    supply: Supply
    secret: bool
    places: Counter[Span]
    doubts: list[str]


def shadowed(run: Run, reach: Reach) -> Iterator[Diagnostic]:
    """A finding for each value that can go."""
    assert run.workspace
    groups: dict[int, list[_Candidate]] = {}
    for one, plain, secrets in reach.layers():
        groups[id(one.section)] = [*_candidates(plain, run.files, secret=False)]
        if one.secrets:
            groups[id(one.secrets.content)] = [*_candidates(secrets, run.files, secret=True)]
    if any(groups.values()):
        _try(groups, run.workspace)
    for group in groups.values():
        yield from (_finding(candidate) for candidate in group if candidate.places and not candidate.doubts)


def _candidates(supplies: Iterable[Supply], files: Mapping[str, Resource], *, secret: bool) -> Iterator[_Candidate]:
    for supply in supplies:
        value = supply.written
        simple = value.plain and not isinstance(value.node, MappingNode)
        # What an alias repeats is used in two places.
        if simple and not supply.wins and not files[supply.span.path].document.aliases:
            yield _Candidate(supply, secret, Counter(), [])


def _try(groups: Mapping[int, list[_Candidate]], workspace: Workspace) -> None:
    """Look at every bundle once more, for what stands over the candidates."""
    expected: dict[int, frozenset[KeyPath]] = {}
    for merged in merge(layer(workspace, lambda _: True), workspace.organization, Diagnostics()):
        layers = merged.stack.layers
        for number, one in enumerate(layers):
            nodes = (one.section, one.secrets.content if one.secrets else None)
            for node in nodes:
                for candidate in groups.get(id(node), ()) if node else ():
                    if not candidate.doubts:
                        _judge(candidate, _Bundle(merged, number, expected))


def _judge(candidate: _Candidate, bundle: "_Bundle") -> None:
    over = bundle.over(candidate)
    if over is None:
        candidate.doubts.append(bundle.merged.stack.target.id)
    else:
        candidate.places[over] += 1


class _Bundle(NamedTuple):
    """A bundle, seen from the layer of that number; `expected` remembers where sections have `$expect`."""

    merged: MergedStack
    number: int
    expected: dict[int, frozenset[KeyPath]]

    def over(self, candidate: _Candidate) -> Span | None:
        """What stands over a value here, unless it counts, or may matter all the same."""
        path, node = candidate.supply.written.path, candidate.supply.written.node
        top = (self.merged.secrets if candidate.secret else self.merged.sections).get(path[0])
        value, whole = follow(top, path)
        if self._is_expected(path, secret=candidate.secret):
            return None
        if value is not None and whole and counts(value, node):
            rival = None if candidate.secret else self._rival(path)
            return span_of(rival) if rival else None
        text = path[0] == "env_vars" and not candidate.secret
        if not all(_is_idle(under, above, text=text) for above, under in _covers(top, path[1:], node)):
            return None
        if value is None:
            return self._remover(Place("sealed" if candidate.secret else "sections", path))
        return span_of(value) if self._rank(value.layer) > self.number else None

    def _rank(self, layer: Layer) -> int:
        """The number of a layer; secrets have a layer of their own, which differs by its document."""
        layers = self.merged.stack.layers
        return next(n for n, one in enumerate(layers) if (one.kind, one.scope) == (layer.kind, layer.scope))

    def _remover(self, place: Place) -> Span | None:
        last = sayings(self.merged.stack, place)[-1:]
        return last[0].span if last and self._rank(last[0].layer) > self.number else None

    def _rival(self, path: KeyPath) -> Merged | None:
        """A variable and an injected secret of one name: the other one, if it would win without this one, too."""
        name = path[-1]
        variable, chosen = (self.merged.entries(section).get(name) for section in ("env_vars", "secrets"))
        if len(path) != 2 or not isinstance(variable, Leaf) or not isinstance(chosen, Leaf):
            return None
        if self._rank(variable.layer) <= self._rank(chosen.layer):
            return chosen if path[0] == "env_vars" else None
        sure = chosen.below is None and not variable.guarded
        return variable if path[0] == "secrets" and sure else None

    def _is_expected(self, path: KeyPath, *, secret: bool) -> bool:
        """Whether a later layer has `$expect` at, around or inside of a path."""
        for one in self.merged.stack.layers[self.number + 1 :]:
            node = (one.secrets.content if one.secrets else None) if secret else one.section
            if node is None:
                continue
            found = self.expected.get(id(node))
            if found is None:
                found = self.expected[id(node)] = frozenset(expectations(node))
            if any(all(a == b for a, b in zip(path, other, strict=False)) for other in found):
                return True
        return False


def _covers(value: Merged | None, path: KeyPath, node: Node) -> Iterator[tuple[Merged | None, Merged]]:
    """What stands directly over what a node says at a path, and the value itself, wherever it is still known."""
    above = None
    while value is not None:
        if path:
            yield from _covers(value.entries.get(path[0]), path[1:], node) if isinstance(value, Branch) else ()
        elif value.node is node:
            yield above, value
        # A merged map has all that is in the maps below it.
        while value.rule == "merge" and value.below is not None:
            value = value.below
        above, value = value, value.below


def _is_idle(under: Merged, above: Merged | None, *, text: bool) -> bool:
    """Whether a value would be as it is without the one under it, whatever of those below that stays."""
    if above is None or (above.rule == "$replace" and not under.lock):
        return True
    if above.lock or under.lock or above.rule != "replace":
        return False
    # A list that replaced no list may have a policy by which it would not.
    plain = isinstance(under, Listing) or not isinstance(above, Listing)
    below = under.below
    while below is not None:
        if not _replaces(above, below, text=text, plain=plain):
            return False
        below = below.below
    return True


def _replaces(above: Merged, below: Merged, *, text: bool, plain: bool) -> bool:
    """Whether a value would simply take the place of another one: maps merge, and types may clash."""
    if text and isinstance(below, Leaf) and isinstance(above, Leaf):
        return True
    if any(is_expression(one) or type_of(one) == "null" for one in (above, below)):
        return True
    return plain and not isinstance(above, Branch) and type_of(above) == type_of(below)


def _finding(candidate: _Candidate) -> Diagnostic:
    supply = candidate.supply
    count = candidate.places.total()
    where = "the one bundle" if count == 1 else f"all {count} bundles"
    message = f"'{supply.key}' is shadowed in {where} that it could reach"
    related = tuple(
        Related(place, f"counts in {plural(number, 'bundle')}")
        for place, number in sorted(candidate.places.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
    )
    code, how = ("ET652", " with 'sops edit'") if candidate.secret else ("ET453", "")
    hint = f"remove it{how}, unless bundles to come should have it"
    return Diagnostic(supply.span, code, message, hint, related, supply.key)
