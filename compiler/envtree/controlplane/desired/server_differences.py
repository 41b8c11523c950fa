"""Report where the control plane would behave differently from the bundles, and why."""

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

# Returns the place where a value of an agent's bundle was written.
ValueLocator = Callable[[Target, KeyPath], Span]

# Variables that the control plane sets for an agent with an integration; the tree has only the integration's id.
_INTEGRATION_VARIABLE_LIST = """
    GH_TOKEN GITHUB_TOKEN JIRA_TOKEN SLACK_TOKEN SLACK_BOT_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    AWS_SESSION_TOKEN AWS_REGION AWS_ROLE_ARN AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE KUBECONFIG AZURE_CLIENT_ID
    AZURE_CLIENT_SECRET AZURE_TENANT_ID GCP_SERVICE_ACCOUNT_KEY GOOGLE_APPLICATION_CREDENTIALS DD_API_KEY DD_APP_KEY
    DD_SITE PD_TOKEN GITLAB_TOKEN BITBUCKET_TOKEN LINEAR_API_KEY NOTION_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY
"""
_INTEGRATION_VARIABLES = frozenset(_INTEGRATION_VARIABLE_LIST.split())
_TEMPLATE = re.compile(r"\{\{\.(env|secret)\.([A-Za-z0-9_-]+)\}\}")


class ComparedAgent(NamedTuple):
    """One agent: its bundle, its variables, the environment that is sent, and the resource."""

    bundle: Bundle
    environment: BundleVariables
    flat_environment: FlatEnvironment
    resource: DesiredResource


class ServerDifferences:
    """The search for differences; a finding about an agent is at the place of the value."""

    def __init__(
        self,
        lookup: ResourceLookup,
        resources: Sequence[DesiredResource],
        flat_environments: Mapping[Target, FlatEnvironment],
        locate_value: ValueLocator,
    ) -> None:
        self._lookup, self._locate_value, self._flat_environments = lookup, locate_value, flat_environments
        self._resources = {resource.ref: resource for resource in resources}
        self._patterns = lookup.workspace.organization.output.env_patterns
        self._entities = EntityIndex(lookup.workspace)

    def report(self, bundles: Sequence[Bundle], teams: Sequence[Bundle], diags: Diagnostics) -> None:
        """Report all differences."""
        diags.extend(self._conflicting_secrets([*bundles, *teams]))
        for bundle in bundles:
            target = bundle.target
            agent = ComparedAgent(
                bundle=bundle,
                environment=collect_variables(bundle, self._patterns),
                flat_environment=self._flat_environments[target],
                resource=self._resources[self._lookup.target_ref(target)],
            )
            diags.extend(self._unsupported_servers(agent))
            diags.extend(self._changed_variables(agent))
            diags.extend(self._unresolved_templates(agent))
            diags.extend(self._default_shell(agent))
            diags.extend(self._url_servers(agent))
        for team in teams:
            diags.extend(self._valueless_team_variables(team))

    def _conflicting_secrets(self, bundles: Sequence[Bundle]) -> Iterator[Diagnostic]:
        """Yield secrets of one name and several values: the organization has a single vault."""
        locations: dict[str, dict[bytes, tuple[Target, KeyPath]]] = {}
        for bundle in bundles:
            variables = collect_variables(bundle, self._patterns)
            for name in self._flat_environments[bundle.target].section.get("secrets", ()):
                locations.setdefault(name, {}).setdefault(
                    comparison_key(variables.values[name]), (bundle.target, variables.path_of(name))
                )
        for name, places in sorted(locations.items()):
            (first_target, first_path), *rest = places.values()
            for target, path in rest:
                message = (
                    f"secret '{name}' has {len(places)} values, and the control plane's vault has one for all agents"
                )
                hint = "give each a name of its own, or start agents with 'envtree run', which has all of them"
                related = (
                    RelatedSpan(
                        self._value_span(first_target, first_path), f"the one of '{_display_id(first_target)}'"
                    ),
                )
                id = target.id if target.agent else ""
                yield Diagnostic(self._value_span(target, path), "ET761", message, hint, related, format_path(path), id)

    def _value_span(self, target: Target, path: KeyPath) -> Span:
        """Return the place where a value was written, or a team's file: only agents' bundles know places."""
        team = self._entities.entities_of(target).team
        return (
            self._locate_value(target, path)
            if target.agent or not team or not team.document
            else file_span(team.document.path)
        )

    def _unsupported_servers(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        target = subject.bundle.target
        for path in subject.flat_environment.unrepresentable_secrets:
            message = f"'{format_path(path)}' holds a secret that is no variable, and the control plane has no other"
            hint = "inject it by 'secrets' as well; until then the control plane gets the agent without this server"
            yield Diagnostic(
                self._locate_value(target, path), "ET762", message, hint, key=format_path(path), bundle=target.id
            )

    def _changed_variables(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        """Yield variables that would change: since a flat environment is sent, only by the control plane itself."""
        target, sent = subject.bundle.target, subject.flat_environment.section
        vault = {name: _secret_placeholder(name) for name in sent.get("secrets", ())}
        view = server_view(subject.resource, self._resources, ServerRuntime(vault))
        expected = {**sent.get("env_vars", {}), **vault}
        differing = [
            name for name in sorted(expected.keys() | view.env_vars) if expected.get(name) != view.env_vars.get(name)
        ]
        for name in differing:
            yield self._variable_diagnostic(
                target, subject.environment.path_of(name), f"variable '{name}' would have another value there"
            )
        for name in sorted(_INTEGRATION_VARIABLES.intersection(expected)) if sent.get("integration_ids") else ():
            message = f"an integration of the agent may set '{name}', and wins over the value here"
            yield self._variable_diagnostic(target, subject.environment.path_of(name), message)

    def _variable_diagnostic(self, target: Target, path: KeyPath, message: str) -> Diagnostic:
        hint = "choose another name, or allow this where you know what the integrations set"
        return Diagnostic(
            self._locate_value(target, path), "ET760", message, hint, key=format_path(path), bundle=target.id
        )

    def _unresolved_templates(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        """Yield templates of names that the agent lacks: one such leaves its whole text unexpanded."""
        target, sent = subject.bundle.target, subject.flat_environment.section
        secrets = frozenset(sent.get("secrets", ()))
        known = {
            "secret": secrets,
            "env": secrets | {*sent.get("env_vars", {}), *subject.flat_environment.unknown_variables},
        }
        agent = self._entities.entities_of(target).agent
        body = {name: subject.resource.body.get(name) for name in TEMPLATED_FIELDS}
        for path, text in _iter_strings({"mcp_servers": sent.get("mcp_servers"), **body}):
            unresolved = [match[0] for match in _TEMPLATE.finditer(text) if match[2] not in known[match[1]]]
            if unresolved:
                node = get_field(agent.document, path[0]) if agent and path[0] in TEMPLATED_FIELDS else None
                span = agent.document.span(node) if agent and node else self._locate_value(target, path)
                names = _join_quoted(dict.fromkeys(unresolved))
                message = f"the agent has nothing for {names}, so nothing of this text is expanded"
                hint = "set the variable, or list the secret in 'secrets'"
                yield Diagnostic(span, "ET763", message, hint, key=format_path(path), bundle=target.id)

    def _default_shell(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        """Yield a finding for an agent without skills, to which the server gives one that runs commands."""
        if not subject.resource.body.get("skill_ids"):
            agent = subject.bundle.target.agent
            message = f"agent '{agent}' names no skill, so the control plane gives it the shell"
            yield Diagnostic(
                subject.resource.origin, "ET764", message, "name at least one in 'skill_ids'", key="skill_ids"
            )

    def _url_servers(self, subject: ComparedAgent) -> Iterator[Diagnostic]:
        """Yield MCP servers with a URL: the server's default runtime ignores them after an agent is changed."""
        target, sent = subject.bundle.target, subject.flat_environment.section
        if subject.resource.body.get("runtime", "default") != "default":
            return
        for name, server in sent.get("mcp_servers", {}).items():
            if isinstance(server, dict) and "url" in server:
                path = ("mcp_servers", name)
                message = f"'{format_path(path)}' has an address, and agents lose such a server when they are changed"
                hint = "use a program, or 'runtime: claude_code', which finds it"
                yield Diagnostic(
                    self._locate_value(target, path), "ET766", message, hint, key=format_path(path), bundle=target.id
                )

    def _valueless_team_variables(self, team: Bundle) -> Iterator[Diagnostic]:
        """Yield variables of a team's layers that have no value without an agent."""
        valueless = [
            name for name, value in collect_variables(team, self._patterns).values.items() if value is ERROR_VALUE
        ]
        entity = self._entities.entities_of(team.target).team
        if valueless and entity and entity.document:
            names = _join_quoted(valueless)
            message = f"team '{team.target.team}' runs without {names}, which only its agents have values for"
            hint = "a team runs with its own environment, and none of its agents': set them in the team"
            yield Diagnostic(file_span(entity.document.path), "ET765", message, hint)


def _display_id(target: Target) -> str:
    """Return the id of a bundle as people write it, or that of a team in an environment."""
    return target.id if target.agent else f"{target.project}/{target.team}@{target.environment}"


def _secret_placeholder(name: str) -> str:
    """Return a stand-in for a secret's value that no text of the tree can equal."""
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
