"""What differs between two trees: the values of their bundles, grouped, each with the lines that made it differ."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from envtree.codes import CODES, OVERALL
from envtree.diff.groups import Groups
from envtree.diff.model import BundleChange, Change, Diff, SecretsFileChange
from envtree.diff.rules import rules
from envtree.diff.secrets import secrets_files
from envtree.diff.side import Pair, Side, side_of
from envtree.diff.targets import is_uncertain, target_causes
from envtree.finding import Finding
from envtree.layout import ROOT_FILE
from envtree.pipeline import Result, Run
from envtree.report.fingerprint import fingerprinted

_TYPES = ("production", "staging", "development")


class Named(NamedTuple):
    """A fresh run over a tree, and what the user calls the tree, with its commit if it has one."""

    name: str
    run: Run
    commit: str = ""


class _Compared(NamedTuple):
    """What the bundles of both trees have come to."""

    changes: tuple[Change, ...] = ()
    unchanged: int = 0


def diff(base: Named, head: Named) -> Diff:
    """Compare two trees; the runs are finished afterwards. A tree without an organization has no bundles."""
    before, after = side_of(base.run), side_of(head.run)
    secrets = tuple(secrets_files(before, after))
    compared = _compared(base.run, head.run, before, after, secrets)
    bundles, spoiled = _bundles(base.run, head.run, before, after)
    new, gone = _findings(base.run, head.run, before, after)
    return Diff(
        base=base.name,
        head=head.name,
        base_commit=base.commit,
        head_commit=head.commit,
        environments=_environments(before, after, {*base.run.selected, *head.run.selected}),
        changes=compared.changes,
        bundles=bundles,
        unchanged=compared.unchanged,
        spoiled=spoiled,
        secrets=secrets,
        rules=tuple(rules(before, after)),
        new=new,
        gone=gone,
        errors=bool(head.run.severities.errors(head.run.diags)),
    )


def _compared(base: Run, head: Run, before: Side, after: Side, secrets: tuple[SecretsFileChange, ...]) -> _Compared:
    """The bundles that both trees have, as far as no error spoils them."""
    anew = frozenset(
        f"{file.path}#{leaf.key}" for file in secrets for leaf in file.leaves if leaf.kind == "reencrypted"
    )
    groups: Groups | None = None
    unchanged = 0
    for pair in _pairs(base, head):
        groups = groups or Groups(before, after, anew)
        unchanged += not groups.add(pair)
    return _Compared(groups.changes(), unchanged) if groups else _Compared()


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


def _bundles(base: Run, head: Run, before: Side, after: Side) -> tuple[tuple[BundleChange, ...], tuple[str, ...]]:
    """The bundles that only one tree has, and those of which nobody knows whether they differ."""
    old, new = {*base.selected}, {*head.selected}
    unknown = {id for run in (base, head) for id in {*run.selected} - {*run.checked}} & old & new
    changes = []
    for id in sorted(old ^ new):
        if is_uncertain(id, before, after):
            unknown.add(id)
        else:
            changes.append(BundleChange(id, "added" if id in new else "removed", target_causes(id, before, after)))
    return tuple(changes), tuple(sorted(unknown))


def _environments(before: Side, after: Side, ids: set[str]) -> tuple[str, ...]:
    """The environments of the bundles: those of production first."""
    ranks: dict[str, int] = {}
    for side in (before, after):
        for project in side.workspace.projects if side.workspace else ():
            for name, one in project.environments.items():
                # What one project calls production is told like production.
                ranks[name] = min(ranks.get(name, len(_TYPES)), _rank(one.type))
    names = {id.partition("@")[2] for id in ids}
    return tuple(sorted(names, key=lambda name: (ranks.get(name, len(_TYPES)), name)))


def _rank(kind: str) -> int:
    return _TYPES.index(kind) if kind in _TYPES else len(_TYPES)


def _findings(base: Run, head: Run, before: Side, after: Side) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that only the head has, and those that are gone with the base.

    What the head could not look at is not gone.
    """
    comparable = _comparable(before, after)
    old, new = (_by_fingerprint(run) for run in (base, head))
    spoiled = {*head.selected} - {*head.checked}
    gone = (old[key] for key in old if key not in new and old[key].diagnostic.span.path not in after.unread)
    return (
        tuple(new[key] for key in new if key not in old and comparable(new[key])),
        tuple(one for one in gone if comparable(one) and not (one.bundles and spoiled.issuperset(one.bundles))),
    )


def _comparable(before: Side, after: Side) -> Callable[[Finding], bool]:
    """Whether a kind of finding was looked for on both sides.

    What is said of all of a tree needs a tree without errors, and what an organization can silence needs one that
    could be read.
    """
    whole = not before.broken and not after.broken
    configured = ROOT_FILE not in before.unread | after.unread

    def holds(finding: Finding) -> bool:
        code = finding.diagnostic.code
        return (whole or code not in OVERALL) and (configured or CODES[code].fixed)

    return holds


def _by_fingerprint(run: Run) -> Mapping[str, Finding]:
    return {fingerprint: finding for finding, fingerprint in fingerprinted(run.outcome().findings)}


__all__ = ["Diff", "Named", "diff"]
