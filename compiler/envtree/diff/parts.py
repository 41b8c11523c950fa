"""Compare two trees project by project; of a project that is alike in both no bundle is compared, and one side read."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import NamedTuple

from envtree.affected import affected
from envtree.diff.groups import Group, Groups, changes
from envtree.diff.model import BundleChange, Diff, RuleChange, SecretsFileChange
from envtree.diff.pairs import pairs, singles
from envtree.diff.rules import placed, rules
from envtree.diff.secrets import anew, secrets_files
from envtree.diff.side import Side, side_of
from envtree.diff.trees import Extent, Named, declared, new_and_gone, ranked
from envtree.parted import Parted
from envtree.pipeline import Run
from envtree.unit import Unit


class _Told(NamedTuple):
    """What came of a project: what was found on each side that has it, and what differs."""

    units: tuple[Unit | None, Unit | None]
    unchanged: int
    groups: Mapping[tuple[object, ...], Group] = {}
    bundles: tuple[BundleChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()


def in_parts(base: Named, head: Named, fit: Callable[[Extent], None]) -> Diff | None:
    """What differs; None if anything is wrong with either tree, or needs all of one at once."""
    sides = Parted(base.request), Parted(head.request)
    if not all(side.is_possible(()) for side in sides):
        return None
    told = _Comparison(*sides, head.request.progress).told()
    if told is None:
        return None
    for n, side in enumerate(sides):
        side.conclude({project: unit for project, one in told.items() if (unit := one.units[n])})
    if not all(side.is_done for side in sides):
        return None
    return _assembled((base, head), sides, told, fit)


def _assembled(
    named: tuple[Named, Named], sides: tuple[Parted, Parted], told: Mapping[str, _Told], fit: Callable[[Extent], None]
) -> Diff:
    (base, head), (one, other) = named, (side.outcome() for side in sides)
    fit(Extent(declared(one.workspace, other.workspace), frozenset((*one.ids, *other.ids))))
    parts = told.values()
    roots = [side_of(side.root) for side in sides]
    new, gone = new_and_gone(one, other, *roots)
    return Diff(
        base=base.name,
        head=head.name,
        base_commit=base.commit,
        head_commit=head.commit,
        environments=ranked(
            (unit.types for part in parts for unit in part.units if unit), (*one.selected, *other.selected)
        ),
        changes=changes(part.groups for part in parts),
        bundles=tuple(sorted(chain.from_iterable(part.bundles for part in parts))),
        unchanged=sum(part.unchanged for part in parts),
        spoiled=(),
        secrets=tuple(_secrets(sides, roots)),
        rules=tuple(sorted(chain(rules(*roots), *(part.rules for part in parts)), key=placed)),
        new=new,
        gone=gone,
        errors=False,
    )


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

        def work(number: int) -> tuple[dict[str, _Told], object]:
            return {project: self._compared(project) for project in shares[number]}, head.noted()

        def take(number: int, told: tuple[dict[str, _Told], object]) -> None:
            found.update(told[0])
            head.note(told[1])
            self._progress("projects", len(found), len(projects))

        for side in self._sides:
            side.expect(chain.from_iterable(shares))
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
        return _Told((one, other), len(other.checked)) if alike and other else None

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
        both = {*one.selected}.intersection(other.selected)
        reached = both & affected(one, other)
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
        return _Told(
            (units[0], units[1]),
            len(both) - len({id for group in found.values() for id in group.bundles}),
            found,
            singles(one, other, before, after)[0],
            tuple(rules(*own)),
        )


def _same(unit: Unit) -> _Told:
    return _Told((unit, unit), len(unit.checked))


def _secrets(sides: tuple[Parted, Parted], roots: list[Side]) -> Iterable[SecretsFileChange]:
    """The secrets files that differ; where a new one comes from, any of the others can tell."""
    before, after = (side.secrets_files() for side in sides)
    paths = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    if not after.keys() <= before.keys():
        paths = before.keys() | after.keys()
    one, other = (root._replace(files=side.sealed(paths)) for root, side in zip(roots, sides, strict=True))
    return secrets_files(one, other)
