"""Find the bundles that a file feeds: those whose result may change with it."""

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

# `layer`: its values go into bundles. `rule`: bundles are checked against it. `mention`: entities of bundles name it.
# `template`: it is filled with bundles. `access`: it grants access. `apart`: only the control plane uses it.
# `unread`: envtree does not read it.
Relation = Literal["layer", "rule", "mention", "template", "access", "apart", "unread"]

_CONTROL_PLANE_KINDS = frozenset({Kind.WORKER_QUEUE, Kind.JOB, Kind.WORKFLOW})
_NAMED = frozenset({Kind.SKILL, Kind.POLICY, Kind.WORKER_QUEUE, Kind.ENVIRONMENT, Kind.MIXIN})


class Impact(NamedTuple):
    """The effects of one file: its values and declarations by line in `keys`, the places that name it in `mentions`.

    `unaffected_count` is the number of bundles that have the file among their layers, but none of its values.
    `governed_files` are the secrets files that sops encrypts by the file's rules, each with its rule.
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
    """Return the impact of each file, and finish the run; a path that the run does not read is `unread`."""
    workspace, files = run.workspace, frozenset(paths)
    assert workspace
    values, facts = ValueUsageIndex(files), FactUsageIndex(workspace, files)
    for result in run.results():
        values.add(result)
        facts.add(result)
    return tuple(_file_impact(path, run, workspace, values, facts) for path in paths)


def _file_impact(path: str, run: Run, workspace: Workspace, values: ValueUsageIndex, facts: FactUsageIndex) -> Impact:
    file = run.files.get(path)
    if file is None:
        return _undescribed_file_impact(path, run, workspace)
    kind = file.location.kind
    keys = [Usage(usage.key, usage.span, usage.effective_in, usage.shadowed_by) for usage in values.usages_of(path)]
    if kind is Kind.SECRETS:
        return _secrets_file_impact(path, keys, values)
    mentions = tuple(
        mention.span for mention in find_mentions(kind, file.location.name, _files_that_may_mention(run, file))
    )
    if kind in _CONTROL_PLANE_KINDS:
        return Impact(path, kind, "apart", (), mentions=mentions)
    if kind in (Kind.POLICY, Kind.SKILL):
        is_rule = kind is Kind.POLICY and get_field(file.document, "schema") is not None
        ids = _policy_bundles(file, run, workspace) if is_rule else _mentioning_bundles(file, run, workspace)
        return Impact(path, kind, "rule" if is_rule else "mention", tuple(ids), mentions=mentions)
    layered_in = values.bundles_by_file.get(path, [])
    unaffected_count = len(layered_in) - _count_effective(keys) if keys else 0
    keys += facts.usages_of(path)
    contracts = find_contract_usages(workspace, run.is_selected)
    keys += [declared.usage for declared in contracts if declared.usage.span.path == path]
    return Impact(
        path=path,
        kind=kind,
        relation="layer",
        bundles=_bundle_ids(values, layered_in),
        keys=_sort_usages(keys),
        mentions=mentions,
        unaffected_count=unaffected_count,
    )


def _secrets_file_impact(path: str, keys: list[Usage], values: ValueUsageIndex) -> Impact:
    readers = {
        bundle for usage in keys for group in (usage.effective_in, *usage.shadowed_by.values()) for bundle in group
    }
    return Impact(
        path=path,
        kind=Kind.SECRETS,
        relation="layer",
        bundles=_bundle_ids(values, readers),
        keys=_sort_usages(keys),
        unaffected_count=len(readers) - _count_effective(keys),
    )


def _undescribed_file_impact(path: str, run: Run, workspace: Workspace) -> Impact:
    """Return the impact of a file that describes no entity."""
    mentions = tuple(template.span for template in workspace.organization.output.templates if template.path == path)
    if mentions:
        return Impact(path, None, "template", tuple(sorted(run.selected)), mentions=mentions)
    if PurePosixPath(path).name in (SOPS_CONFIG_FILE, CODE_OWNERS_FILE):
        return Impact(path, None, "access", (), governed_files=tuple(_find_governed_files(path, run, workspace)))
    return Impact(path, None, "unread", ())


def _find_governed_files(path: str, run: Run, workspace: Workspace) -> Iterator[tuple[str, Span]]:
    """Yield the secrets files under the rules of a `.sops.yaml`, each with the location of its rule."""
    for secrets_path in sorted(name for name, file in run.files.items() if file.location.kind is Kind.SECRETS):
        config = find_governing_config(workspace.sops_configs, secrets_path)
        rule = config.matching_rule(secrets_path) if config and config.path == path else None
        if rule:
            yield secrets_path, rule.span


def _bundle_ids(values: ValueUsageIndex, indexes: Iterable[int]) -> tuple[str, ...]:
    return tuple(sorted(values.ids[index] for index in indexes))


def _count_effective(keys: Iterable[Usage]) -> int:
    """Return the number of bundles in which any of the values is effective."""
    return len({bundle for usage in keys for bundle in usage.effective_in})


def _sort_usages(keys: Iterable[Usage]) -> tuple[Usage, ...]:
    return tuple(sorted(keys, key=lambda usage: (usage.span, usage.key)))


def _files_that_may_mention(run: Run, file: Resource) -> list[Resource]:
    """Return the files that may name another one: only those of its project for a project's environment."""
    project = file.location.project if file.location.kind is Kind.ENVIRONMENT else ""
    return [
        candidate
        for candidate in run.files.values()
        if candidate is not file and project in ("", candidate.location.project)
    ]


def _policy_bundles(file: Resource, run: Run, workspace: Workspace) -> list[str]:
    """Return the bundles that a policy selects; one that is switched off selects none."""
    policy = next((declared for declared in workspace.policies if declared.span.path == file.document.path), None)
    return sorted(filter(compile_selector(policy.selectors), run.selected)) if policy else []


def _mentioning_bundles(file: Resource, run: Run, workspace: Workspace) -> Iterator[str]:
    """Yield the bundles of which an entity names a skill or a policy, or is bound to it."""
    naming_files = {
        mention.document.path for mention in find_mentions(file.location.kind, file.location.name, run.files.values())
    }
    bindings = resolve_bindings(file.document, workspace)
    entity_index = EntityIndex(workspace)
    for target in sorted(workspace_targets(workspace), key=lambda target: target.id):
        documents = entity_index.entities_of(target).documents.values()
        is_mentioning = is_bound(target, bindings) or any(document.path in naming_files for document in documents)
        if is_mentioning and run.is_selected(target.id):
            yield target.id
