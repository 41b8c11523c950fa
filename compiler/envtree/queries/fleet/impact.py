"""Which bundles a file feeds: those whose result can change when it does."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from envtree.compile.layer import targets
from envtree.engine.run import Run
from envtree.model.entities import Roster
from envtree.model.fields import field
from envtree.model.resource import Resource
from envtree.model.selector import selector
from envtree.model.sops_rule import CODE_OWNERS, RULES_FILE, governing
from envtree.model.source import Kind
from envtree.model.span import Span
from envtree.model.workspace import Workspace
from envtree.queries.fleet.entities import bound, is_bound, mentions
from envtree.queries.fleet.reach import Reach
from envtree.queries.fleet.uses import Facts, Use, contracts

# `layer`: its values go into bundles. `rule`: bundles are checked against it. `mention`: what bundles are of names it.
# `template`: bundles are put into it. `access`: it is about who may do what. `apart`: it is for the control plane
# alone. `unread`: it means nothing to envtree.
Relation = Literal["layer", "rule", "mention", "template", "access", "apart", "unread"]

_APART = frozenset({Kind.WORKER_QUEUE, Kind.JOB, Kind.WORKFLOW})
_NAMED = frozenset({Kind.SKILL, Kind.POLICY, Kind.WORKER_QUEUE, Kind.ENVIRONMENT})


class Impact(NamedTuple):
    """What one file feeds; `keys` are what it says, in the order of its lines, `named` where others name it.

    `idle` counts the bundles that have the file among their layers, and none of its values. `governs` are the secrets
    files that sops encrypts by the file, each with its rule.
    """

    path: str
    kind: Kind | None
    relation: Relation
    bundles: tuple[str, ...]
    keys: tuple[Use, ...] = ()
    named: tuple[Span, ...] = ()
    idle: int = 0
    governs: tuple[tuple[str, Span], ...] = ()


def impact(run: Run, paths: Sequence[str]) -> tuple[Impact, ...]:
    """What each file feeds; the run is finished afterwards. A path that means nothing to the run is `unread`."""
    workspace, files = run.workspace, frozenset(paths)
    assert workspace
    reach, facts = Reach(files), Facts(workspace, files)
    for result in run.results():
        reach.add(result)
        facts.add(result)
    return tuple(_impact(path, run, workspace, reach, facts) for path in paths)


def _impact(path: str, run: Run, workspace: Workspace, reach: Reach, facts: Facts) -> Impact:
    file = run.files.get(path)
    if file is None:
        return _beside(path, run, workspace)
    kind = file.location.kind
    keys = [Use(one.key, one.span, one.wins, one.lost) for one in reach.of(path)]
    if kind is Kind.SECRETS:
        read = {number for one in keys for group in (one.wins, *one.lost.values()) for number in group}
        return Impact(path, kind, "layer", _ids(reach, read), _in_order(keys), idle=len(read) - _served(keys))
    named = tuple(mention.span for mention in mentions(kind, file.location.name, _others(run, file)))
    if kind in _APART:
        return Impact(path, kind, "apart", (), named=named)
    if kind in (Kind.POLICY, Kind.SKILL):
        is_rule = kind is Kind.POLICY and field(file.document, "schema") is not None
        ids = _checked(file, run, workspace) if is_rule else _naming(file, run, workspace)
        return Impact(path, kind, "rule" if is_rule else "mention", tuple(ids), named=named)
    standing = reach.stands.get(path, [])
    idle = len(standing) - _served(keys) if keys else 0
    keys += facts.of(path)
    keys += [one.use for one in contracts(workspace) if one.use.span.path == path]
    return Impact(path, kind, "layer", _ids(reach, standing), _in_order(keys), named, idle)


def _beside(path: str, run: Run, workspace: Workspace) -> Impact:
    """A file that describes nothing of the tree."""
    named = tuple(one.span for one in workspace.organization.output.templates if one.path == path)
    if named:
        return Impact(path, None, "template", tuple(sorted(run.ids)), named=named)
    if PurePosixPath(path).name in (RULES_FILE, CODE_OWNERS):
        return Impact(path, None, "access", (), governs=tuple(_governed(path, run, workspace)))
    return Impact(path, None, "unread", ())


def _governed(path: str, run: Run, workspace: Workspace) -> Iterator[tuple[str, Span]]:
    """The secrets files that fall under the rules of a `.sops.yaml`, each with the place of its rule."""
    for secrets in sorted(name for name, file in run.files.items() if file.location.kind is Kind.SECRETS):
        nearest = governing(workspace.rules, secrets)
        rule = nearest.first(secrets) if nearest and nearest.path == path else None
        if rule:
            yield secrets, rule.span


def _ids(reach: Reach, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(sorted(reach.ids[number] for number in numbers))


def _served(keys: Iterable[Use]) -> int:
    """In how many bundles any of the values counts."""
    return len({number for one in keys for number in one.wins})


def _in_order(keys: Iterable[Use]) -> tuple[Use, ...]:
    return tuple(sorted(keys, key=lambda one: (one.span, one.key)))


def _others(run: Run, file: Resource) -> list[Resource]:
    """The files that may name another: a project's own environment is named inside the project only."""
    inside = file.location.project if file.location.kind is Kind.ENVIRONMENT else ""
    return [one for one in run.files.values() if one is not file and inside in ("", one.location.project)]


def _checked(file: Resource, run: Run, workspace: Workspace) -> list[str]:
    """The bundles that a policy selects; one that is switched off selects none."""
    policy = next((one for one in workspace.policies if one.span.path == file.document.path), None)
    return sorted(filter(selector(policy.selectors), run.ids)) if policy else []


def _naming(file: Resource, run: Run, workspace: Workspace) -> Iterator[str]:
    """The bundles whose agent, team, environment or project names a skill or a policy, or is bound to it."""
    naming = {one.document.path for one in mentions(file.location.kind, file.location.name, run.files.values())}
    bindings = bound(file.document, workspace)
    roster = Roster(workspace)
    for target in sorted(targets(workspace), key=lambda one: one.id):
        own = roster.of(target).documents.values()
        if is_bound(target, bindings) or any(document.path in naming for document in own):
            yield target.id
