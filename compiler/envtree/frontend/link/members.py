"""Teams and the runtimes of their agents: the control plane refuses a team of Claude Code with any other agent."""

from envtree.frontend.link.entity_lookup import EntityLookup
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text
from envtree.model.nodes import Document
from envtree.model.span import file_span
from envtree.model.workspace import Workspace

_CLAUDE_CODE = "claude_code"
_DEFAULT_RUNTIME = "default"


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
