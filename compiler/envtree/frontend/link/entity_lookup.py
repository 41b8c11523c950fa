"""Agents, teams and workflows as others name them: by their path, or by its last part where that is unique."""

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
    node, theirs = get_field(agent, "runtime"), get_field(team, "runtime")
    # A runtime that does not exist is the schema's matter.
    if theirs is None or (node is not None and get_text(node) != _DEFAULT_RUNTIME):
        return
    place = agent.span(node) if node else file_span(agent.path)
    name = agent.location.name
    message = f"agent '{name}' has the runtime '{_DEFAULT_RUNTIME}', but its team '{path}' has '{_CLAUDE_CODE}'"
    hint = f"write 'runtime: {_CLAUDE_CODE}' here, or take it out of the team"
    related = (RelatedSpan(team.span(theirs), "the runtime of the team"),)
    diags.add(Diagnostic(place, "ET312", message, hint, related, "runtime"))


UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_KINDS: tuple[str, ...] = INDEXED_KINDS
_KIND_BY_PLANNING_MODE = {"predefined_agent": "agent", "predefined_team": "team", "predefined_workflow": "workflow"}
_MAX_SEGMENTS = 3


class EntityLookup:
    """Every agent, team and workflow of a tree by its path; documents are known of those in the workspace.

    Whether one `was_asked` for may be of interest.
    """

    def __init__(self, workspace: Workspace, index: NameIndex | None = None) -> None:
        self._index = index or NameIndex(tuple(_entity_locations(workspace)))
        self.was_queried = False
        teams = [team for project in workspace.projects for team in project.teams]
        self._agents = {entity_path(agent.document.location): agent.document for team in teams for agent in team.agents}

    @property
    def environments(self) -> frozenset[str]:
        """The names of the environments of projects."""
        return self._index.environment_names

    def paths(self, kinds: Iterable[str]) -> list[str]:
        """The paths of all entities of some kinds."""
        return self._index.paths(kinds)

    def find(self, name: str, kinds: Iterable[str], near: str = "") -> list[str]:
        """The paths that a name may mean; in the folder `near`, its own entities come first."""
        self.was_queried = True
        return self._index.find(name, kinds, near)

    def member_agents(self, document: Document) -> Iterator[Document]:
        """The agents of a team by its `member_ids`, as far as they are in this tree."""
        for mention in get_text_scalars(get_field(document, "configuration", "member_ids")):
            found = self.find(str(mention.value), ("agent",), _team_path(document))
            agent = self._agents.get(found[0]) if len(found) == 1 else None
            if agent:
                yield agent

    def has_external_members(self, document: Document) -> bool:
        """Whether a member of a team is none of the workspace: there may be more to say of both together."""
        mentions = [
            str(mention.value) for mention in get_text_scalars(get_field(document, "configuration", "member_ids"))
        ]
        found = [path for name in mentions for path in self.find(name, ("agent",), _team_path(document))]
        return any(path not in self._agents for path in found)

    def find_kinds(self, name: str) -> list[str]:
        """The kinds that have an entity which a name may mean."""
        return [kind for kind in _KINDS if self.find(name, (kind,))]


def _entity_locations(workspace: Workspace) -> Iterator[Location]:
    for project in workspace.projects:
        yield from (Location(Kind.ENVIRONMENT, project.name, "", name) for name in project.environments)
        yield from (Location(Kind.WORKFLOW, project.name, "", workflow) for workflow in project.workflows)
        yield from (Location(Kind.TEAM, project.name, team.name, "") for team in project.teams if team.name)
        yield from (agent.document.location for team in project.teams for agent in team.agents)


def check_entities(document: Document, entities: EntityLookup, environments: Iterable[str], diags: Diagnostics) -> None:
    """Report every mention of an agent, a team or a workflow that is no such thing, or several."""
    check = _EntityChecker(document, entities, diags)
    kind = document.location.kind
    if kind is Kind.TEAM:
        check.check_field(("configuration", "member_ids"), ("agent",), _team_path(document))
        check.check_field(("configuration", "reasoning", "agent_id"), ("agent",), _team_path(document))
    elif kind is Kind.JOB:
        check.check_field(("entity_id",), _job_entity_kinds(document))
    elif kind is Kind.POLICY:
        _check_bindings(check, environments)


class _EntityChecker:
    """The checks of one file."""

    def __init__(self, document: Document, entities: EntityLookup, diags: Diagnostics) -> None:
        self.document, self.entities, self.diags = document, entities, diags

    def check_field(self, path: tuple[str, ...], kinds: tuple[str, ...], near: str = "") -> None:
        """Every name in a field; one that is not even formed like a path is the schema's matter."""
        for mention in get_text_scalars(get_field(self.document, *path)):
            if _is_entity_path(str(mention.value)):
                self.check_mention(mention, ".".join(path), kinds, near)

    def check_mention(self, mention: ScalarNode, key: str, kinds: tuple[str, ...], near: str = "") -> None:
        """One name."""
        name, what = str(mention.value), _join_kinds(kinds)
        found = [] if UUID_PATTERN.fullmatch(name) else self.entities.find(name, kinds, near)
        if len(found) == 1 or UUID_PATTERN.fullmatch(name):
            return
        if found:
            message = f"'{name}' names {len(found)} of the tree's {_join_kinds(kinds, plural=True)}: {', '.join(found)}"
            self.report(mention, "ET311", message, "write the whole path", key)
            return
        message, known = f"'{name}' names no {what} of this tree", self.entities.paths(kinds)
        hint = did_you_mean(name, known if "/" in name else set(map(_last_segment, known)))
        others = self.entities.find_kinds(name)
        if others:
            message += f", but {_with_article(_join_kinds(tuple(others)))}"
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
    """What does the work of a job; where the file contradicts itself, anything."""
    mode, declared = (
        get_text(get_field(job, "planning_mode")) or "predefined_agent",
        get_text(get_field(job, "entity_type")),
    )
    planned = _KIND_BY_PLANNING_MODE.get(mode) or declared
    agreed = planned in _KINDS and declared in (None, planned)
    return (planned,) if planned and agreed else _KINDS


def _check_bindings(check: _EntityChecker, environments: Iterable[str]) -> None:
    bindings = get_field(check.document, "bindings")
    for index, node in enumerate(bindings.items if isinstance(bindings, SequenceNode) else ()):
        binding = node.entries if isinstance(node, MappingNode) else {}
        kind, mention = get_text(binding.get("entity_type")), binding.get("entity_id")
        if not isinstance(mention, ScalarNode) or not isinstance(mention.value, str) or not mention.value:
            continue
        key = f"bindings.{index}.entity_id"
        if "${{" in mention.value:
            continue  # told already
        if kind in ("agent", "team"):
            check.check_mention(mention, key, (kind,))
        elif kind == "environment" and mention.value not in environments and not UUID_PATTERN.fullmatch(mention.value):
            message = f"'{mention.value}' names no environment of this tree"
            check.report(mention, "ET301", message, did_you_mean(mention.value, environments), key)


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
    workspace: Workspace, entities: EntityLookup, unread: frozenset[str], diags: Diagnostics
) -> bool:
    """Report every agent of a `claude_code` team that runs on something else; `unread` files say nothing.

    Returns whether all of these agents are in the workspace.
    """
    strangers = False
    for project in workspace.projects:
        for team in project.teams:
            if team.document and get_text(get_field(team.document, "runtime")) == _CLAUDE_CODE:
                strangers = strangers or entities.has_external_members(team.document)
                own = {agent.document.path: agent.document for agent in team.agents}
                guests = {document.path: document for document in entities.member_agents(team.document)}
                for agent in [one for path, one in (own | guests).items() if path not in unread]:
                    _check_runtime(agent, team.document, f"{project.name}/{team.name}", diags)
    return not strangers
