"""Which bundles a file feeds: those whose result can change when it does."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from envtree.compile.layer import workspace_targets
from envtree.engine.run import Run
from envtree.model.bundle_entities import EntityIndex
from envtree.model.fields import get_field
from envtree.model.resource import Resource
from envtree.model.selector import compile_selector
from envtree.model.sops_rule import CODE_OWNERS_FILE, SOPS_CONFIG_FILE, find_governing_config
from envtree.model.source import Kind
from envtree.model.span import Span
from envtree.model.workspace import Workspace
from envtree.queries.fleet.declaration_usage import FactUsageIndex, Usage, find_contract_usages
from envtree.queries.fleet.mentions import find_mentions, is_bound, resolve_bindings
from envtree.queries.fleet.value_usage import ValueUsageIndex

# `layer`: its values go into bundles. `rule`: bundles are checked against it. `mention`: what bundles are of names it.
# `template`: bundles are put into it. `access`: it is about who may do what. `apart`: it is for the control plane
# alone. `unread`: it means nothing to envtree.
Relation = Literal["layer", "rule", "mention", "template", "access", "apart", "unread"]

_CONTROL_PLANE_KINDS = frozenset({Kind.WORKER_QUEUE, Kind.JOB, Kind.WORKFLOW})
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
    keys: tuple[Usage, ...] = ()
    mentions: tuple[Span, ...] = ()
    unaffected_count: int = 0
    governed_files: tuple[tuple[str, Span], ...] = ()


def impact(run: Run, paths: Sequence[str]) -> tuple[Impact, ...]:
    """What each file feeds; the run is finished afterwards. A path that means nothing to the run is `unread`."""
    workspace, files = run.workspace, frozenset(paths)
    assert workspace
    reach, facts = ValueUsageIndex(files), FactUsageIndex(workspace, files)
    for result in run.results():
        reach.add(result)
        facts.add(result)
    return tuple(_file_impact(path, run, workspace, reach, facts) for path in paths)


def _file_impact(path: str, run: Run, workspace: Workspace, reach: ValueUsageIndex, facts: FactUsageIndex) -> Impact:
    file = run.files.get(path)
    if file is None:
        return _undescribed_file_impact(path, run, workspace)
    kind = file.location.kind
    keys = [Usage(one.key, one.span, one.effective_in, one.shadowed_by) for one in reach.usages_of(path)]
    if kind is Kind.SECRETS:
        read = {number for one in keys for group in (one.effective_in, *one.shadowed_by.values()) for number in group}
        return Impact(
            path,
            kind,
            "layer",
            _bundle_ids(reach, read),
            _sort_usages(keys),
            unaffected_count=len(read) - _count_effective(keys),
        )
    named = tuple(
        mention.span for mention in find_mentions(kind, file.location.name, _files_that_may_mention(run, file))
    )
    if kind in _CONTROL_PLANE_KINDS:
        return Impact(path, kind, "apart", (), mentions=named)
    if kind in (Kind.POLICY, Kind.SKILL):
        is_rule = kind is Kind.POLICY and get_field(file.document, "schema") is not None
        ids = _policy_bundles(file, run, workspace) if is_rule else _mentioning_bundles(file, run, workspace)
        return Impact(path, kind, "rule" if is_rule else "mention", tuple(ids), mentions=named)
    standing = reach.bundles_by_file.get(path, [])
    idle = len(standing) - _count_effective(keys) if keys else 0
    keys += facts.usages_of(path)
    keys += [one.usage for one in find_contract_usages(workspace) if one.usage.span.path == path]
    return Impact(path, kind, "layer", _bundle_ids(reach, standing), _sort_usages(keys), named, idle)


def _undescribed_file_impact(path: str, run: Run, workspace: Workspace) -> Impact:
    """A file that describes nothing of the tree."""
    named = tuple(one.span for one in workspace.organization.output.templates if one.path == path)
    if named:
        return Impact(path, None, "template", tuple(sorted(run.ids)), mentions=named)
    if PurePosixPath(path).name in (SOPS_CONFIG_FILE, CODE_OWNERS_FILE):
        return Impact(path, None, "access", (), governed_files=tuple(_find_governed_files(path, run, workspace)))
    return Impact(path, None, "unread", ())


def _find_governed_files(path: str, run: Run, workspace: Workspace) -> Iterator[tuple[str, Span]]:
    """The secrets files that fall under the rules of a `.sops.yaml`, each with the place of its rule."""
    for secrets in sorted(name for name, file in run.files.items() if file.location.kind is Kind.SECRETS):
        nearest = find_governing_config(workspace.sops_configs, secrets)
        rule = nearest.matching_rule(secrets) if nearest and nearest.path == path else None
        if rule:
            yield secrets, rule.span


def _bundle_ids(reach: ValueUsageIndex, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(sorted(reach.ids[number] for number in numbers))


def _count_effective(keys: Iterable[Usage]) -> int:
    """In how many bundles any of the values counts."""
    return len({number for one in keys for number in one.effective_in})


def _sort_usages(keys: Iterable[Usage]) -> tuple[Usage, ...]:
    return tuple(sorted(keys, key=lambda one: (one.span, one.key)))


def _files_that_may_mention(run: Run, file: Resource) -> list[Resource]:
    """The files that may name another: a project's own environment is named inside the project only."""
    inside = file.location.project if file.location.kind is Kind.ENVIRONMENT else ""
    return [one for one in run.files.values() if one is not file and inside in ("", one.location.project)]


def _policy_bundles(file: Resource, run: Run, workspace: Workspace) -> list[str]:
    """The bundles that a policy selects; one that is switched off selects none."""
    policy = next((one for one in workspace.policies if one.span.path == file.document.path), None)
    return sorted(filter(compile_selector(policy.selectors), run.ids)) if policy else []


def _mentioning_bundles(file: Resource, run: Run, workspace: Workspace) -> Iterator[str]:
    """The bundles whose agent, team, environment or project names a skill or a policy, or is bound to it."""
    naming = {one.document.path for one in find_mentions(file.location.kind, file.location.name, run.files.values())}
    bindings = resolve_bindings(file.document, workspace)
    roster = EntityIndex(workspace)
    for target in sorted(workspace_targets(workspace), key=lambda one: one.id):
        own = roster.entities_of(target).documents.values()
        if is_bound(target, bindings) or any(document.path in naming for document in own):
            yield target.id
