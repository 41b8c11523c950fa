"""What the control plane would do otherwise than the bundles say, and why."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired_resource import DesiredResource
from envtree.controlplane.desired.environment_sections import FlatEnvironment
from envtree.controlplane.desired.resource_lookup import ResourceLookup
from envtree.controlplane.desired.server_view import TEMPLATED_FIELDS, ServerRuntime, server_view
from envtree.model.bundle_entities import EntityIndex
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Target
from envtree.model.resolved import ERROR_VALUE, Bundle
from envtree.model.span import Span, file_span
from envtree.output.emit.bundle_variables import BundleVariables, collect_variables
from envtree.output.emit.comparison_key import comparison_key

# Where a value of an agent's bundle was written.
ValueLocator = Callable[[Target, KeyPath], Span]

# What the control plane puts into the environment of an agent with an integration, of which the tree has only the id.
_INTEGRATION_VARIABLE_LIST = """
    GH_TOKEN GITHUB_TOKEN JIRA_TOKEN SLACK_TOKEN SLACK_BOT_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    AWS_SESSION_TOKEN AWS_REGION AWS_ROLE_ARN AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE KUBECONFIG AZURE_CLIENT_ID
    AZURE_CLIENT_SECRET AZURE_TENANT_ID GCP_SERVICE_ACCOUNT_KEY GOOGLE_APPLICATION_CREDENTIALS DD_API_KEY DD_APP_KEY
    DD_SITE PD_TOKEN GITLAB_TOKEN BITBUCKET_TOKEN LINEAR_API_KEY NOTION_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY
"""
_INTEGRATION_VARIABLES = frozenset(_INTEGRATION_VARIABLE_LIST.split())
_TEMPLATE = re.compile(r"\{\{\.(env|secret)\.([A-Za-z0-9_-]+)\}\}")


class ComparedAgent(NamedTuple):
    """One agent: its bundle, its variables, what is sent of it, and the resource."""

    bundle: Bundle
    environment: BundleVariables
    flat_environment: FlatEnvironment
    resource: DesiredResource


class ServerDifferences:
    """The search; what it finds of agents is told at the place of the value."""

    def __init__(
        self,
        lookup: ResourceLookup,
        resources: Sequence[DesiredResource],
        flat_environments: Mapping[Target, FlatEnvironment],
        locate_value: ValueLocator,
    ) -> None:
        self._lookup, self._locate_value, self._flats = lookup, locate_value, flat_environments
        self._resources = {one.ref: one for one in resources}
        self._patterns = lookup.workspace.organization.output.env_patterns
        self._roster = EntityIndex(lookup.workspace)

    def report(self, bundles: Sequence[Bundle], teams: Sequence[Bundle], diags: Diagnostics) -> None:
        """Report all of them."""
        diags.extend(self._conflicting_secrets([*bundles, *teams]))
        for bundle in bundles:
            at = bundle.target
            found = collect_variables(bundle, self._patterns)
            seen = ComparedAgent(bundle, found, self._flats[at], self._resources[self._lookup.target_ref(at)])
            diags.extend(self._unsupported_servers(seen))
            diags.extend(self._changed_variables(seen))
            diags.extend(self._unresolved_templates(seen))
            diags.extend(self._default_shell(seen))
            diags.extend(self._url_servers(seen))
        for team in teams:
            diags.extend(self._valueless_team_variables(team))

    def _conflicting_secrets(self, bundles: Sequence[Bundle]) -> Iterator[Diagnostic]:
        """Secrets of one name and several values: the vault is one for all of the organization."""
        held: dict[str, dict[bytes, tuple[Target, KeyPath]]] = {}
        for bundle in bundles:
            found = collect_variables(bundle, self._patterns)
            for name in self._flats[bundle.target].section.get("secrets", ()):
                held.setdefault(name, {}).setdefault(
                    comparison_key(found.values[name]), (bundle.target, found.path_of(name))
                )
        for name, places in sorted(held.items()):
            (first, path), *others = places.values()
            for at, other in others:
                message = (
                    f"secret '{name}' has {len(places)} values, and the control plane's vault has one for all agents"
                )
                hint = "give each a name of its own, or start agents with 'envtree run', which has all of them"
                related = (RelatedSpan(self._value_span(first, path), f"the one of '{_display_id(first)}'"),)
                id = at.id if at.agent else ""
                yield Diagnostic(self._value_span(at, other), "ET761", message, hint, related, format_path(other), id)

    def _value_span(self, target: Target, path: KeyPath) -> Span:
        """Where a value was written, or the file of a team, whose bundle nobody else has."""
        team = self._roster.entities_of(target).team
        return (
            self._locate_value(target, path)
            if target.agent or not team or not team.document
            else file_span(team.document.path)
        )

    def _unsupported_servers(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        at = subject.bundle.target
        for path in subject.flat_environment.unrepresentable_secrets:
            message = f"'{format_path(path)}' holds a secret that is no variable, and the control plane has no other"
            hint = "inject it by 'secrets' as well; until then the control plane gets the agent without this server"
            yield Diagnostic(self._locate_value(at, path), "ET762", message, hint, key=format_path(path), bundle=at.id)

    def _changed_variables(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        """Variables that would have another value: what is sent is flat, so only the control plane's own are left."""
        at, sent = subject.bundle.target, subject.flat_environment.section
        vault = {name: _secret_placeholder(name) for name in sent.get("secrets", ())}
        view = server_view(subject.resource, self._resources, ServerRuntime(vault))
        wanted = {**sent.get("env_vars", {}), **vault}
        differing = [
            name for name in sorted(wanted.keys() | view.env_vars) if wanted.get(name) != view.env_vars.get(name)
        ]
        for name in differing:
            yield self._variable_diagnostic(
                at, subject.environment.path_of(name), f"variable '{name}' would have another value there"
            )
        for name in sorted(_INTEGRATION_VARIABLES.intersection(wanted)) if sent.get("integration_ids") else ():
            why = f"an integration of the agent may set '{name}', and wins over the value here"
            yield self._variable_diagnostic(at, subject.environment.path_of(name), why)

    def _variable_diagnostic(self, target: Target, path: KeyPath, message: str) -> Diagnostic:
        hint = "choose another name, or allow this where you know what the integrations set"
        return Diagnostic(
            self._locate_value(target, path), "ET760", message, hint, key=format_path(path), bundle=target.id
        )

    def _unresolved_templates(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        """Templates that name what the agent has not: a text with one of them stays as it is, all of it."""
        at, sent = subject.bundle.target, subject.flat_environment.section
        secrets = frozenset(sent.get("secrets", ()))
        known = {
            "secret": secrets,
            "env": secrets | {*sent.get("env_vars", {}), *subject.flat_environment.unknown_variables},
        }
        agent = self._roster.entities_of(at).agent
        body = {name: subject.resource.body.get(name) for name in TEMPLATED_FIELDS}
        for path, text in _iter_strings({"mcp_servers": sent.get("mcp_servers"), **body}):
            lost = [found[0] for found in _TEMPLATE.finditer(text) if found[2] not in known[found[1]]]
            if lost:
                node = get_field(agent.document, path[0]) if agent and path[0] in TEMPLATED_FIELDS else None
                place = agent.document.span(node) if agent and node else self._locate_value(at, path)
                names = _join_quoted(dict.fromkeys(lost))
                message = f"the agent has nothing for {names}, so nothing of this text is expanded"
                hint = "set the variable, or list the secret in 'secrets'"
                yield Diagnostic(place, "ET763", message, hint, key=format_path(path), bundle=at.id)

    def _default_shell(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        """An agent that names no skill gets one that runs commands."""
        if not subject.resource.body.get("skill_ids"):
            agent = subject.bundle.target.agent
            message = f"agent '{agent}' names no skill, so the control plane gives it the shell"
            yield Diagnostic(
                subject.resource.origin, "ET764", message, "name at least one in 'skill_ids'", key="skill_ids"
            )

    def _url_servers(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        """MCP servers with an address: once an agent was changed, the server's own runtime passes them over."""
        at, sent = subject.bundle.target, subject.flat_environment.section
        if subject.resource.body.get("runtime", "default") != "default":
            return
        for name, server in sent.get("mcp_servers", {}).items():
            if isinstance(server, dict) and "url" in server:
                path = ("mcp_servers", name)
                message = f"'{format_path(path)}' has an address, and agents lose such a server when they are changed"
                hint = "use a program, or 'runtime: claude_code', which finds it"
                yield Diagnostic(
                    self._locate_value(at, path), "ET766", message, hint, key=format_path(path), bundle=at.id
                )

    def _valueless_team_variables(self, team: Bundle) -> Iterator[Diagnostic]:
        """Variables of a team's layers that have no value without an agent."""
        lost = [name for name, value in collect_variables(team, self._patterns).values.items() if value is ERROR_VALUE]
        entity = self._roster.entities_of(team.target).team
        if lost and entity and entity.document:
            message = (
                f"team '{team.target.team}' runs without {_join_quoted(lost)}, which only its agents have values for"
            )
            hint = "a team runs with its own environment, and none of its agents': set them in the team"
            yield Diagnostic(file_span(entity.document.path), "ET765", message, hint)


def _display_id(target: Target) -> str:
    """What people call a bundle, or a team in an environment."""
    return target.id if target.agent else f"{target.project}/{target.team}@{target.environment}"


def _secret_placeholder(name: str) -> str:
    """Stands for the value of a secret, which no text of the tree is."""
    return f"\0{name}"


def _iter_strings(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
        return
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, child in parts:
        yield from _iter_strings(child, (*path, str(key)))


def _join_quoted(names: Iterable[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return ", ".join(quoted[:-1]) + (" and " if len(quoted) > 1 else "") + quoted[-1]
