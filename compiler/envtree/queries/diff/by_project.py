"""Compare two trees project by project; of a project that is alike in both no bundle is compared, and one side read."""

from collections import deque
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from itertools import chain
from typing import NamedTuple

from envtree.diagnostics.codes import is_unread
from envtree.engine.affected import affected
from envtree.engine.by_project import Parted
from envtree.engine.project_result import Unit
from envtree.engine.run import Run
from envtree.model.diagnostic import Severity
from envtree.model.entities import Roster
from envtree.queries.diff.groups import Group, Groups, changes
from envtree.queries.diff.model import BundleChange, Diff, RuleChange, SecretsFileChange
from envtree.queries.diff.pairs import pairs, singles
from envtree.queries.diff.rules import placed, rules
from envtree.queries.diff.secrets import anew, secrets_files
from envtree.queries.diff.side import Side, side_of
from envtree.queries.diff.trees import Extent, Looked, Named, declared, new_and_gone, ranked


class _Told(NamedTuple):
    """What came of a project: what was found on each side that has it, and what differs."""

    units: tuple[Unit | None, Unit | None]
    unchanged: int
    spoiled: frozenset[str]
    groups: Mapping[tuple[object, ...], Group] = {}
    bundles: tuple[BundleChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()


def in_parts(base: Named, head: Named, fit: Callable[[Extent], None]) -> Diff | None:
    """What differs; None if anything is wrong with either tree outside of projects, or needs all of one at once."""
    sides = Parted(base.request, over_errors=True), Parted(head.request, over_errors=True)
    if not all(side.is_possible(()) for side in sides):
        return None
    told = _Comparison(*sides, head.request.progress).told()
    if told is None:
        return None
    for n, side in enumerate(sides):
        side.conclude({project: unit for project, one in told.items() if (unit := one.units[n])})
    if not all(side.is_done for side in sides):
        return None
    one, other = (_looked(side) for side in sides)
    # Over errors nobody knows what there would be.
    ids = (*one.outcome.ids, *other.outcome.ids) if one.is_sound and other.is_sound else ()
    fit(Extent(declared(one.outcome.workspace, other.outcome.workspace), frozenset(ids)))
    return _assembled((base, head), sides, (one, other), told.values())


def _assembled(
    named: tuple[Named, Named], sides: tuple[Parted, Parted], looked: tuple[Looked, Looked], parts: Collection[_Told]
) -> Diff:
    (base, head), (one, other), roots = named, looked, (_outside(sides[0]), _outside(sides[1]))
    new, gone = new_and_gone(one, other)
    return Diff(
        base=base.name,
        head=head.name,
        base_commit=base.commit,
        head_commit=head.commit,
        environments=ranked(
            (unit.types for part in parts for unit in part.units if unit),
            (*one.outcome.selected, *other.outcome.selected),
        ),
        changes=changes(part.groups for part in parts),
        bundles=tuple(sorted(chain.from_iterable(part.bundles for part in parts))),
        unchanged=sum(part.unchanged for part in parts),
        spoiled=tuple(sorted(chain.from_iterable(part.spoiled for part in parts))),
        secrets=tuple(_secrets(sides, roots)),
        rules=tuple(sorted(chain(rules(*roots), *(part.rules for part in parts)), key=placed)),
        new=new,
        gone=gone,
        errors=any(finding.severity is Severity.ERROR for finding in other.outcome.findings),
    )


def _looked(side: Parted) -> Looked:
    # All that was found is there by now.
    unread = frozenset(each.span.path for each in side.root.diags if is_unread(each.code))
    return Looked(side.outcome(), not side.is_wrong, unread)


def _outside(side: Parted) -> Side:
    """What stands outside of projects, where nothing is wrong."""
    workspace = side.root.workspace
    return Side(workspace, side.root.files, frozenset(), frozenset(), Roster(workspace))


class _Comparison:
    """The projects of two trees, compared in the processes that there are."""

    def __init__(self, base: Parted, head: Parted, progress: Callable[[str, int, int], None]) -> None:
        self._sides, self._progress = (base, head), progress
        self._names_alike = base.index.digest == head.index.digest

    def told(self) -> dict[str, _Told] | None:
        """What came of each project; None if there is an error."""
        base, head = self._sides
        projects = sorted({*base.projects, *head.projects})
        found = {project: known for project in projects if (known := self._known(project))}
        shares = head.shares(project for project in projects if project not in found)

        def work(number: int) -> tuple[dict[str, _Told], list[object]]:
            return {project: self._compared(project) for project in shares[number]}, [base.noted(), head.noted()]

        def take(number: int, told: tuple[dict[str, _Told], list[object]]) -> None:
            found.update(told[0])
            for side, noted in zip(self._sides, told[1], strict=True):
                side.note(noted)
            self._progress("projects", len(found), len(projects))

        for side in self._sides:
            side.contents.expect(chain.from_iterable(shares))
            # What has been read so far is no news from another process.
            side.noted()
        return {project: found[project] for project in projects} if head.do(shares, work, take) else None

    def _is_alike(self, project: str) -> bool:
        """Whether all that the bundles of a project are made from is the same, but for names in other projects."""
        base, head = (side.digests.get(project) for side in self._sides)
        return base == head

    def _known(self, project: str) -> _Told | None:
        """A project of which all is known."""
        units = tuple(side.kept.get(project) for side in self._sides)
        one, other = units
        alike = self._is_alike(project) and one and other and (self._names_alike or not one.names)
        return _same(other) if alike and other else None

    def _compared(self, project: str) -> _Told:
        base, head = self._sides
        memory = head.documents(project)
        other = head.begun(project, memory)
        is_mentioning = other.workspace is not None and other.workspace.is_mentioning
        if self._is_alike(project) and (self._names_alike or not is_mentioning):
            deque(other.results(), maxlen=0)
            told = _same(head.found(other))
        else:
            told = self._between(project, base.begun(project, memory), other)
        head.keep_documents(memory)
        return told

    def _between(self, project: str, one: Run, other: Run) -> _Told:
        """What differs between two runs over a project."""
        known = [side.kept.get(project) for side in self._sides]
        old, new = frozenset(one.selected), frozenset(other.selected)
        reached = old & new & affected(one, other)
        for run, unit in zip((one, other), known, strict=True):
            # What was found is known; only what may differ has to be computed again.
            if unit:
                run.only(reached)
        before, after = side_of(one), side_of(other)
        groups: Groups | None = None
        for pair in pairs(one, other, reached):
            groups = groups or Groups(before, after, anew(secrets_files(before, after)))
            groups.add(pair)
        found = groups.found if groups else {}
        own = before._replace(files=one.files), after._replace(files=other.files)
        units = [
            (unit or side.found(run)) if project in side.projects else None
            for side, run, unit in zip(self._sides, (one, other), known, strict=True)
        ]
        bundles, uncertain = singles(old, new, before, after)
        checked = (old & new).intersection(*(unit.checked for unit in units if unit))
        unchanged = len(checked) - len({id for group in found.values() for id in group.bundles})
        spoiled = uncertain | (old & new) - checked
        return _Told((units[0], units[1]), unchanged, spoiled, found, bundles, tuple(rules(*own)))


def _same(unit: Unit) -> _Told:
    return _Told((unit, unit), len(unit.checked), frozenset(unit.selected).difference(unit.checked))


def _secrets(sides: tuple[Parted, Parted], roots: tuple[Side, Side]) -> Iterable[SecretsFileChange]:
    """The secrets files that differ; where a new one comes from, any of the others can tell."""
    before, after = (side.secrets_files() for side in sides)

    def read(paths: Container[str]) -> list[Side]:
        return [root._replace(files=side.sealed(paths)) for root, side in zip(roots, sides, strict=True)]

    one, other = read({path for path in before.keys() | after.keys() if before.get(path) != after.get(path)})
    # Whether one is new is not known before it is read: the other side may have it, and nobody can read it there.
    if not other.files.keys() <= one.files.keys():
        one, other = read(before.keys() | after.keys())
    return secrets_files(one, other)
