"""What the control plane would do otherwise than the bundles say, and why."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired import Desired
from envtree.controlplane.desired.lookup import Lookup
from envtree.controlplane.desired.sections import Flat
from envtree.controlplane.desired.server_view import TEXTS, World, server_view
from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.entities import Roster
from envtree.model.fields import field
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Target
from envtree.model.resolved import HOLE, Bundle
from envtree.model.span import Span, whole_file
from envtree.output.emit.marks import mark
from envtree.output.emit.variables import Environment, environment

# Where a value of an agent's bundle was written.
Places = Callable[[Target, KeyPath], Span]

# What the control plane puts into the environment of an agent with an integration, of which the tree has only the id.
_INTEGRATION_WORDS = """
    GH_TOKEN GITHUB_TOKEN JIRA_TOKEN SLACK_TOKEN SLACK_BOT_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    AWS_SESSION_TOKEN AWS_REGION AWS_ROLE_ARN AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE KUBECONFIG AZURE_CLIENT_ID
    AZURE_CLIENT_SECRET AZURE_TENANT_ID GCP_SERVICE_ACCOUNT_KEY GOOGLE_APPLICATION_CREDENTIALS DD_API_KEY DD_APP_KEY
    DD_SITE PD_TOKEN GITLAB_TOKEN BITBUCKET_TOKEN LINEAR_API_KEY NOTION_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY
"""
_INTEGRATIONS = frozenset(_INTEGRATION_WORDS.split())
_TEMPLATE = re.compile(r"\{\{\.(env|secret)\.([A-Za-z0-9_-]+)\}\}")


class Seen(NamedTuple):
    """One agent: its bundle, its variables, what is sent of it, and the resource."""

    bundle: Bundle
    found: Environment
    flat: Flat
    resource: Desired


class Differences:
    """The search; what it finds of agents is told at the place of the value."""

    def __init__(
        self, look: Lookup, resources: Sequence[Desired], flats: Mapping[Target, Flat], places: Places
    ) -> None:
        self._look, self._places, self._flats = look, places, flats
        self._resources = {one.ref: one for one in resources}
        self._patterns = look.workspace.organization.output.env
        self._roster = Roster(look.workspace)

    def report(self, bundles: Sequence[Bundle], teams: Sequence[Bundle], diags: Diagnostics) -> None:
        """Report all of them."""
        diags.extend(self._one_value([*bundles, *teams]))
        for bundle in bundles:
            at = bundle.target
            found = environment(bundle, self._patterns)
            seen = Seen(bundle, found, self._flats[at], self._resources[self._look.ref(at)])
            diags.extend(self._servers(seen))
            diags.extend(self._values(seen))
            diags.extend(self._templates(seen))
            diags.extend(self._shell(seen))
            diags.extend(self._addresses(seen))
        for team in teams:
            diags.extend(self._team(team))

    def _one_value(self, bundles: Sequence[Bundle]) -> Iterator[Diagnostic]:
        """Secrets of one name and several values: the vault is one for all of the organization."""
        held: dict[str, dict[bytes, tuple[Target, KeyPath]]] = {}
        for bundle in bundles:
            found = environment(bundle, self._patterns)
            for name in self._flats[bundle.target].section.get("secrets", ()):
                held.setdefault(name, {}).setdefault(mark(found.values[name]), (bundle.target, found.place(name)))
        for name, places in sorted(held.items()):
            (first, path), *others = places.values()
            for at, other in others:
                message = (
                    f"secret '{name}' has {len(places)} values, and the control plane's vault has one for all agents"
                )
                hint = "give each a name of its own, or start agents with 'envtree run', which has all of them"
                related = (Related(self._place(first, path), f"the one of '{_id(first)}'"),)
                id = at.id if at.agent else ""
                yield Diagnostic(self._place(at, other), "ET761", message, hint, related, format_path(other), id)

    def _place(self, at: Target, path: KeyPath) -> Span:
        """Where a value was written, or the file of a team, whose bundle nobody else has."""
        team = self._roster.of(at).team
        return self._places(at, path) if at.agent or not team or not team.document else whole_file(team.document.path)

    def _servers(self, seen: Seen) -> Iterator[Diagnostic]:
        at = seen.bundle.target
        for path in seen.flat.lost:
            message = f"'{format_path(path)}' holds a secret that is no variable, and the control plane has no other"
            hint = "inject it by 'secrets' as well; until then the control plane gets the agent without this server"
            yield Diagnostic(self._places(at, path), "ET762", message, hint, key=format_path(path), bundle=at.id)

    def _values(self, seen: Seen) -> Iterator[Diagnostic]:
        """Variables that would have another value: what is sent is flat, so only the control plane's own are left."""
        at, sent = seen.bundle.target, seen.flat.section
        vault = {name: _token(name) for name in sent.get("secrets", ())}
        view = server_view(seen.resource, self._resources, World(vault))
        wanted = {**sent.get("env_vars", {}), **vault}
        differing = [
            name for name in sorted(wanted.keys() | view.env_vars) if wanted.get(name) != view.env_vars.get(name)
        ]
        for name in differing:
            yield self._value(at, seen.found.place(name), f"variable '{name}' would have another value there")
        for name in sorted(_INTEGRATIONS.intersection(wanted)) if sent.get("integration_ids") else ():
            why = f"an integration of the agent may set '{name}', and wins over the value here"
            yield self._value(at, seen.found.place(name), why)

    def _value(self, at: Target, path: KeyPath, why: str) -> Diagnostic:
        hint = "choose another name, or allow this where you know what the integrations set"
        return Diagnostic(self._places(at, path), "ET760", why, hint, key=format_path(path), bundle=at.id)

    def _templates(self, seen: Seen) -> Iterator[Diagnostic]:
        """Templates that name what the agent has not: a text with one of them stays as it is, all of it."""
        at, sent = seen.bundle.target, seen.flat.section
        secrets = frozenset(sent.get("secrets", ()))
        known = {"secret": secrets, "env": secrets | {*sent.get("env_vars", {}), *seen.flat.unknown}}
        agent = self._roster.of(at).agent
        body = {name: seen.resource.body.get(name) for name in TEXTS}
        for path, text in _texts({"mcp_servers": sent.get("mcp_servers"), **body}):
            lost = [found[0] for found in _TEMPLATE.finditer(text) if found[2] not in known[found[1]]]
            if lost:
                node = field(agent.document, path[0]) if agent and path[0] in TEXTS else None
                place = agent.document.span(node) if agent and node else self._places(at, path)
                message = (
                    f"the agent has nothing for {_listed(dict.fromkeys(lost))}, so nothing of this text is expanded"
                )
                hint = "set the variable, or list the secret in 'secrets'"
                yield Diagnostic(place, "ET763", message, hint, key=format_path(path), bundle=at.id)

    def _shell(self, seen: Seen) -> Iterator[Diagnostic]:
        """An agent that names no skill gets one that runs commands."""
        if not seen.resource.body.get("skill_ids"):
            agent = seen.bundle.target.agent
            message = f"agent '{agent}' names no skill, so the control plane gives it the shell"
            yield Diagnostic(
                seen.resource.origin, "ET764", message, "name at least one in 'skill_ids'", key="skill_ids"
            )

    def _addresses(self, seen: Seen) -> Iterator[Diagnostic]:
        """MCP servers with an address: once an agent was changed, the server's own runtime passes them over."""
        at, sent = seen.bundle.target, seen.flat.section
        if seen.resource.body.get("runtime", "default") != "default":
            return
        for name, server in sent.get("mcp_servers", {}).items():
            if isinstance(server, dict) and "url" in server:
                path = ("mcp_servers", name)
                message = f"'{format_path(path)}' has an address, and agents lose such a server when they are changed"
                hint = "use a program, or 'runtime: claude_code', which finds it"
                yield Diagnostic(self._places(at, path), "ET766", message, hint, key=format_path(path), bundle=at.id)

    def _team(self, team: Bundle) -> Iterator[Diagnostic]:
        """Variables of a team's layers that have no value without an agent."""
        lost = [name for name, value in environment(team, self._patterns).values.items() if value is HOLE]
        entity = self._roster.of(team.target).team
        if lost and entity and entity.document:
            message = f"team '{team.target.team}' runs without {_listed(lost)}, which only its agents have values for"
            hint = "a team runs with its own environment, and none of its agents': set them in the team"
            yield Diagnostic(whole_file(entity.document.path), "ET765", message, hint)


def _id(at: Target) -> str:
    """What people call a bundle, or a team in an environment."""
    return at.id if at.agent else f"{at.project}/{at.team}@{at.environment}"


def _token(name: str) -> str:
    """Stands for the value of a secret, which no text of the tree is."""
    return f"\0{name}"


def _texts(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
        return
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, child in parts:
        yield from _texts(child, (*path, str(key)))


def _listed(names: Iterable[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return ", ".join(quoted[:-1]) + (" and " if len(quoted) > 1 else "") + quoted[-1]
