"""Find secrets that are declared and have no value, and the file in which the value of each environment belongs."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.bundle_entities import contracts_by_team
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.merged import MergedMapping, MergedValue, merged_span
from envtree.model.resolved import ERROR_VALUE
from envtree.model.source import Kind
from envtree.model.span import Span
from envtree.model.tree_layout import ROOT_FILE, SECRETS_FILE_FORMATS
from envtree.model.workspace import Contract, Workspace

_PROJECTS = "projects/"


class MissingSecret(NamedTuple):
    """A secret without a value: its file and key, and where it is declared; `is_injected` if a layer injects it."""

    file: str
    key: KeyPath
    declared_at: Span
    is_injected: bool


def find_missing_secrets(run: Run) -> tuple[MissingSecret, ...]:
    """Return what the selected bundles of a run miss: injected secrets, and required secret variables."""
    workspace = run.workspace
    if workspace is None:
        return ()
    finder = _Finder(run, workspace)
    by_place: dict[tuple[str, KeyPath], MissingSecret] = {}
    for result in run.results():
        for missing in finder.find(result):
            by_place.setdefault((missing.file, missing.key), missing)
    return tuple(by_place.values())


class _Finder:
    def __init__(self, run: Run, workspace: Workspace) -> None:
        self._files, self._contracts = run.files, contracts_by_team(workspace)
        self._environments = {project.name: project.environments for project in workspace.projects}

    def find(self, result: BundleResult) -> Iterator[MissingSecret]:
        """Yield what one bundle misses."""
        resolved = result.resolved
        for secret in resolved.injected.values():
            key = parse_path(secret.path)
            if secret.value is ERROR_VALUE and not _has_secret(resolved.merged.secrets, key):
                layer = secret.selected_by.layer
                file = (
                    self._present_file(f"mixins/{layer.mixin}.{resolved.target.environment}")
                    if layer.mixin
                    else self._secrets_file(result, layer.kind.partition("-")[0])
                )
                yield MissingSecret(file, key, merged_span(secret.selected_by), True)
        target = resolved.target
        for name, contract in self._contracts[target.project, target.team].items():
            is_set = name in resolved.env_vars or _has_secret(resolved.merged.secrets, (name,))
            if not is_set and _requires_secret(contract, target.environment):
                file = self._secrets_file(result, _contract_owner(contract))
                yield MissingSecret(file, (name,), contract.span, False)

    def _secrets_file(self, result: BundleResult, owner: str) -> str:
        """Return the secrets file of the target's environment, at the level of the entity that declares the secret."""
        target, agent_path = result.resolved.target, result.resolved.merged.stack.agent_layer.path
        project_folder = f"{_PROJECTS}{target.project}/" if agent_path.startswith(_PROJECTS) else ""
        if owner == Kind.AGENT:
            return self._present_file(f"{agent_path.removesuffix('.yaml')}.{target.environment}")
        if owner == Kind.TEAM:
            return self._present_file(f"{project_folder}teams/{target.team}/environments/{target.environment}")
        if owner == Kind.PROJECT and project_folder:
            return self._present_file(f"{project_folder}environments/{target.environment}")
        environment = self._environments[target.project][target.environment]
        return self._present_file(environment.document.path.removesuffix(".yaml"))

    def _present_file(self, stem: str) -> str:
        """Return the secrets file in the format that exists, else in YAML."""
        paths = [f"{stem}.secrets.{format}" for format in SECRETS_FILE_FORMATS]
        return next((path for path in paths if path in self._files), paths[0])


def _has_secret(secrets: Mapping[str, MergedValue], key: KeyPath) -> bool:
    entries = secrets
    for segment in key[:-1]:
        value = entries.get(segment)
        if not isinstance(value, MergedMapping):
            return False
        entries = value.entries
    return key[-1] in entries


def _requires_secret(contract: Contract, environment: str) -> bool:
    environments = contract.rules.get("environments")
    is_in_force = environments is None or environment in environments
    return is_in_force and bool(contract.rules.get("required")) and bool(contract.rules.get("secret"))


def _contract_owner(contract: Contract) -> Kind:
    path = contract.span.path
    return Kind.TEAM if path.endswith("/team.yaml") else Kind.ORGANIZATION if path == ROOT_FILE else Kind.PROJECT
