"""Look up agents, teams and workflows by their path, or by its last part where that is unique."""

import re
from collections.abc import Iterable, Iterator, Mapping

from envtree.diagnostics.suggest import did_you_mean
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text, get_text_scalars
from envtree.model.name_index import INDEXED_KINDS, NameIndex, entity_path
from envtree.model.nodes import Document, MappingNode, ScalarNode, SequenceNode
from envtree.model.source import Kind, Location
from envtree.model.span import file_span
from envtree.model.tree_layout import is_valid_name
from envtree.model.workspace import Workspace

_CLAUDE_CODE = "claude_code"
_DEFAULT_RUNTIME = "default"


def _check_runtime(agent: Document, team: Document, path: str, diags: Diagnostics) -> None:
    node, team_node = get_field(agent, "runtime"), get_field(team, "runtime")
    # A runtime that does not exist is reported by the schema check.
    if team_node is None or (node is not None and get_text(node) != _DEFAULT_RUNTIME):
        return
    span = agent.span(node) if node else file_span(agent.path)
    name = agent.location.name
    message = f"agent '{name}' has the runtime '{_DEFAULT_RUNTIME}', but its team '{path}' has '{_CLAUDE_CODE}'"
    hint = f"write 'runtime: {_CLAUDE_CODE}' here, or take it out of the team"
    related = (RelatedSpan(team.span(team_node), "the runtime of the team"),)
    diags.add(Diagnostic(span, "ET312", message, hint, related=related, key="runtime"))


UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_KINDS: tuple[str, ...] = INDEXED_KINDS
_KIND_BY_PLANNING_MODE = {"predefined_agent": "agent", "predefined_team": "team", "predefined_workflow": "workflow"}
_MAX_SEGMENTS = 3


class EntityLookup:
    """The agents, teams and workflows of a tree by their paths; only the workspace provides documents.

    `was_queried` records whether any name was looked up.
    """

    def __init__(self, workspace: Workspace, index: NameIndex | None = None) -> None:
        self._index = index or NameIndex(tuple(_entity_locations(workspace)))
        self.was_queried = False
        teams = [team for project in workspace.projects for team in project.teams]
        self._agents = {entity_path(agent.document.location): agent.document for team in teams for agent in team.agents}

    @property
    def environments(self) -> frozenset[str]:
        """The names of the environments that projects declare."""
        return self._index.environment_names

    def paths(self, kinds: Iterable[str]) -> list[str]:
        """Return the paths of all entities of the given kinds."""
        return self._index.paths(kinds)

    def find(self, name: str, kinds: Iterable[str], near: str = "") -> list[str]:
        """Return the paths that a name may mean; entities in the folder `near` take precedence."""
        self.was_queried = True
        return self._index.find(name, kinds, near)

    def member_agents(self, document: Document) -> Iterator[Document]:
        """Yield the agents in the `member_ids` of a team that are in the workspace."""
        for mention in get_text_scalars(get_field(document, "configuration", "member_ids")):
            paths = self.find(str(mention.value), ("agent",), _team_path(document))
            agent = self._agents.get(paths[0]) if len(paths) == 1 else None
            if agent:
                yield agent

    def has_external_members(self, document: Document) -> bool:
        """Report whether a member of a team is outside the workspace, so that checks of the team are incomplete."""
        names = [str(mention.value) for mention in get_text_scalars(get_field(document, "configuration", "member_ids"))]
        paths = [path for name in names for path in self.find(name, ("agent",), _team_path(document))]
        return any(path not in self._agents for path in paths)

    def find_kinds(self, name: str) -> list[str]:
        """Return the kinds of entities that a name may mean."""
        return [kind for kind in _KINDS if self.find(name, (kind,))]


def _entity_locations(workspace: Workspace) -> Iterator[Location]:
    for project in workspace.projects:
        yield from (Location(Kind.ENVIRONMENT, project.name, "", name) for name in project.environments)
        yield from (Location(Kind.WORKFLOW, project.name, "", workflow) for workflow in project.workflows)
        yield from (Location(Kind.TEAM, project.name, team.name, "") for team in project.teams if team.name)
        yield from (agent.document.location for team in project.teams for agent in team.agents)


def check_entities(document: Document, entities: EntityLookup, environments: Iterable[str], diags: Diagnostics) -> None:
    """Report every mention of an agent, a team or a workflow that does not exist or is ambiguous."""
    checker = _EntityChecker(document, entities, diags)
    kind = document.location.kind
    if kind is Kind.TEAM:
        checker.check_field(("configuration", "member_ids"), ("agent",), _team_path(document))
        checker.check_field(("configuration", "reasoning", "agent_id"), ("agent",), _team_path(document))
    elif kind is Kind.JOB:
        checker.check_field(("entity_id",), _job_entity_kinds(document))
    elif kind is Kind.POLICY:
        _check_bindings(checker, environments)


class _EntityChecker:
    """The checks of one file."""

    def __init__(self, document: Document, entities: EntityLookup, diags: Diagnostics) -> None:
        self.document, self.entities, self.diags = document, entities, diags

    def check_field(self, path: tuple[str, ...], kinds: tuple[str, ...], near: str = "") -> None:
        """Check every name in a field, except malformed paths, which the schema check reports."""
        for mention in get_text_scalars(get_field(self.document, *path)):
            if _is_entity_path(str(mention.value)):
                self.check_mention(mention, ".".join(path), kinds, near)

    def check_mention(self, mention: ScalarNode, key: str, kinds: tuple[str, ...], near: str = "") -> None:
        """Check one name."""
        name, noun = str(mention.value), _join_kinds(kinds)
        paths = [] if UUID_PATTERN.fullmatch(name) else self.entities.find(name, kinds, near)
        if len(paths) == 1 or UUID_PATTERN.fullmatch(name):
            return
        if paths:
            message = f"'{name}' names {len(paths)} of the tree's {_join_kinds(kinds, plural=True)}: {', '.join(paths)}"
            self.report(mention, "ET311", message, "write the whole path", key)
            return
        message, candidates = f"'{name}' names no {noun} of this tree", self.entities.paths(kinds)
        hint = did_you_mean(name, candidates if "/" in name else set(map(_last_segment, candidates)))
        other_kinds = self.entities.find_kinds(name)
        if other_kinds:
            message += f", but {_with_article(_join_kinds(tuple(other_kinds)))}"
            hint = _MISMATCH_HINTS.get(self.document.location.kind, hint)
        self.report(mention, "ET301", message, hint, key)

    def report(self, mention: ScalarNode, code: str, message: str, hint: str, key: str) -> None:
        """Report a mention."""
        self.diags.add(Diagnostic(self.document.span(mention), code, message, hint, key=key))


_MISMATCH_HINTS: Mapping[Kind, str] = {
    Kind.JOB: "'planning_mode' says what does the work: correct it, or name another",
    Kind.POLICY: "'entity_type' says what is bound: correct it, or name another",
}


def _job_entity_kinds(job: Document) -> tuple[str, ...]:
    """Return the kinds that may do the work of a job; all kinds if the file contradicts itself."""
    mode, declared = (
        get_text(get_field(job, "planning_mode")) or "predefined_agent",
        get_text(get_field(job, "entity_type")),
    )
    kind = _KIND_BY_PLANNING_MODE.get(mode) or declared
    is_consistent = kind in _KINDS and declared in (None, kind)
    return (kind,) if kind and is_consistent else _KINDS


def _check_bindings(checker: _EntityChecker, environments: Iterable[str]) -> None:
    bindings = get_field(checker.document, "bindings")
    for index, node in enumerate(bindings.items if isinstance(bindings, SequenceNode) else ()):
        binding = node.entries if isinstance(node, MappingNode) else {}
        kind, mention = get_text(binding.get("entity_type")), binding.get("entity_id")
        if not isinstance(mention, ScalarNode) or not isinstance(mention.value, str) or not mention.value:
            continue
        key = f"bindings.{index}.entity_id"
        if "${{" in mention.value:
            continue  # reported by `validate`
        if kind in ("agent", "team"):
            checker.check_mention(mention, key, (kind,))
        elif kind == "environment" and mention.value not in environments and not UUID_PATTERN.fullmatch(mention.value):
            message = f"'{mention.value}' names no environment of this tree"
            checker.report(mention, "ET301", message, did_you_mean(mention.value, environments), key)


def _last_segment(path: str) -> str:
    return path.rpartition("/")[2]


def _team_path(team: Document) -> str:
    return f"{team.location.project}/{team.location.team}"


def _is_entity_path(text: str) -> bool:
    parts = text.split("/")
    return UUID_PATTERN.fullmatch(text) is not None or (len(parts) <= _MAX_SEGMENTS and all(map(is_valid_name, parts)))


def _join_kinds(kinds: tuple[str, ...], *, plural: bool = False) -> str:
    words = [f"{kind}s" for kind in kinds] if plural else list(kinds)
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun.startswith("a") else f"a {noun}"


def check_team_runtimes(
    workspace: Workspace, entities: EntityLookup, unreadable: frozenset[str], diags: Diagnostics
) -> bool:
    """Report every agent of a `claude_code` team with another runtime, except those in unreadable files.

    Return whether all agents of these teams are in the workspace.
    """
    has_external = False
    for project in workspace.projects:
        for team in project.teams:
            if team.document and get_text(get_field(team.document, "runtime")) == _CLAUDE_CODE:
                has_external = has_external or entities.has_external_members(team.document)
                team_agents = {agent.document.path: agent.document for agent in team.agents}
                members = {document.path: document for document in entities.member_agents(team.document)}
                for agent in [document for path, document in (team_agents | members).items() if path not in unreadable]:
                    _check_runtime(agent, team.document, f"{project.name}/{team.name}", diags)
    return not has_external
