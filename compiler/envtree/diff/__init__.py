"""What differs between two trees: the values of their bundles, grouped, each with the lines that made it differ."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envtree.diff.causes import Pair, Side, Tracer
from envtree.diff.model import BundleChange, Cause, Change, Diff, Kind, SecretsFileChange
from envtree.diff.rules import rules
from envtree.diff.secrets import secrets_files
from envtree.diff.targets import target_causes
from envtree.diff.values import Difference, differences, only_reencrypted
from envtree.explain.veil import secretive
from envtree.finding import Finding
from envtree.keypath import format_path
from envtree.pipeline import Result, Run
from envtree.report.fingerprint import fingerprinted
from envtree.stack import Target


class Named(NamedTuple):
    """A fresh run over a tree, and what the user calls the tree."""

    name: str
    run: Run


class _Group:
    """One difference, the bundles that show it, and its causes."""

    def __init__(self, difference: Difference) -> None:
        self.difference = difference
        self.bundles: list[str] = []
        self.causes: set[Cause] = set()
        self.reencrypted = True

    def change(self) -> Change:
        """The group as it is told."""
        path, old, new = self.difference
        kind: Kind = "added" if old is None else "removed" if new is None else "changed"
        sensitive = any(cell.sensitive for cell in (old, new) if cell)
        return Change(
            section=path[0],
            key=format_path(path[1:]),
            kind=kind,
            old=None if old is None or sensitive else old.value,
            new=None if new is None or sensitive else new.value,
            sensitive=sensitive,
            reencrypted=self.reencrypted,
            bundles=tuple(sorted(self.bundles)),
            causes=tuple(sorted(self.causes)),
        )


class _Unshown:
    """The variables that either tree declares as secrets, by team."""

    def __init__(self, *runs: Run) -> None:
        self._workspaces = [run.workspace for run in runs if run.workspace]
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def names(self, target: Target) -> frozenset[str]:
        """Those of a bundle that both trees have."""
        team = (target.project, target.team)
        if team not in self._known:
            self._known[team] = frozenset[str]().union(*(secretive(one, target) for one in self._workspaces))
        return self._known[team]


def diff(base: Named, head: Named) -> Diff:
    """Compare two trees; the runs are finished afterwards. The head has a usable organization."""
    secrets = tuple(secrets_files(base.run.files, head.run.files))
    changes, compared = _changes(base.run, head.run, secrets)
    spoiled = {id for run in (base.run, head.run) for id in {*run.selected} - {*run.checked}}
    new, gone = _findings(base.run, head.run)
    differing = {id for change in changes for id in change.bundles}
    return Diff(
        base=base.name,
        head=head.name,
        changes=changes,
        bundles=tuple(_bundles(base.run, head.run)),
        unchanged=compared - len(differing),
        spoiled=tuple(sorted(spoiled & {*base.run.selected} & {*head.run.selected})),
        secrets=secrets,
        rules=tuple(rules(base.run.files, head.run.files)),
        new=new,
        gone=gone,
        errors=bool(head.run.severities.errors(head.run.diags)),
    )


def _changes(base: Run, head: Run, secrets: tuple[SecretsFileChange, ...]) -> tuple[tuple[Change, ...], int]:
    """The changes, those in most bundles first, and how many bundles were compared."""
    groups: dict[tuple[object, ...], _Group] = {}
    compared = 0
    tracer: Tracer | None = None
    anew = _reencrypted_leaves(secrets)
    unshown = _Unshown(base, head)
    for pair in _pairs(base, head):
        compared += 1
        for found in differences(pair.base.bundle, pair.head.bundle, unshown.names(pair.head.bundle.target)):
            tracer = tracer or _tracer(base, head)
            key = (found.path, *(cell and (cell.mark, cell.hidden) for cell in (found.old, found.new)))
            group = groups.setdefault(key, _Group(found))
            group.bundles.append(pair.head.bundle.target.id)
            group.causes.update(tracer.causes(pair, found.path))
            group.reencrypted &= only_reencrypted(pair.base.bundle, pair.head.bundle, found.path, anew)
    changes = (group.change() for group in groups.values())
    return tuple(sorted(changes, key=lambda one: (-len(one.bundles), one.section, one.key, one.bundles))), compared


def _pairs(base: Run, head: Run) -> Iterator[Pair]:
    """The bundles that both trees have; one that is early waits for its twin, and few do."""
    waiting: tuple[dict[str, Result], ...] = ({}, {})
    known = ({*base.ids}, {*head.ids})
    streams = {0: base.results(), 1: head.results()}
    while streams:
        for side, stream in list(streams.items()):
            result = next(stream, None)
            if result is None:
                del streams[side]
                continue
            id = result.bundle.target.id
            twin = waiting[1 - side].pop(id, None)
            if twin:
                yield Pair(twin, result) if side else Pair(result, twin)
            elif id in known[1 - side]:
                waiting[side][id] = result


def _tracer(base: Run, head: Run) -> Tracer:
    before, after = _side(base), _side(head)
    assert before
    assert after
    return Tracer(before, after)


def _side(run: Run) -> Side | None:
    return Side(run.workspace, run.files) if run.workspace else None


def _reencrypted_leaves(secrets: tuple[SecretsFileChange, ...]) -> frozenset[str]:
    leaves = ((file.path, leaf) for file in secrets for leaf in file.leaves)
    return frozenset(f"{path}#{leaf.key}" for path, leaf in leaves if leaf.kind == "reencrypted")


def _bundles(base: Run, head: Run) -> Iterator[BundleChange]:
    before, after = _side(base), _side(head)
    old, new = {*base.selected}, {*head.selected}
    for id in sorted(old ^ new):
        causes = target_causes(id, before, after) if after else ()
        yield BundleChange(id, "added" if id in new else "removed", causes)


def _findings(base: Run, head: Run) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that only the head has, and those that only the base has."""
    old, new = _by_fingerprint(base), _by_fingerprint(head)
    return tuple(new[key] for key in new if key not in old), tuple(old[key] for key in old if key not in new)


def _by_fingerprint(run: Run) -> Mapping[str, Finding]:
    return {fingerprint: finding for finding, fingerprint in fingerprinted(run.outcome().findings)}


__all__ = ["Diff", "Named", "diff"]
