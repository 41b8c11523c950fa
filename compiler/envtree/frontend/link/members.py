"""Teams and the runtimes of their agents: the control plane refuses a team of Claude Code with any other agent."""

from envtree.frontend.link.entities import Entities
from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.fields import field, text
from envtree.model.nodes import Document
from envtree.model.span import whole_file
from envtree.model.workspace import Workspace

_CLAUDE_CODE = "claude_code"
_DEFAULT = "default"


def check_members(workspace: Workspace, entities: Entities, unread: frozenset[str], diags: Diagnostics) -> bool:
    """Report every agent of a `claude_code` team that runs on something else; `unread` files say nothing.

    Returns whether all of these agents are in the workspace.
    """
    strangers = False
    for project in workspace.projects:
        for team in project.teams:
            if team.document and text(field(team.document, "runtime")) == _CLAUDE_CODE:
                strangers = strangers or entities.strangers(team.document)
                own = {agent.document.path: agent.document for agent in team.agents}
                guests = {document.path: document for document in entities.members(team.document)}
                for agent in [one for path, one in (own | guests).items() if path not in unread]:
                    _check(agent, team.document, f"{project.name}/{team.name}", diags)
    return not strangers


def _check(agent: Document, team: Document, path: str, diags: Diagnostics) -> None:
    node, theirs = field(agent, "runtime"), field(team, "runtime")
    # A runtime that does not exist is the schema's matter.
    if theirs is None or (node is not None and text(node) != _DEFAULT):
        return
    place = agent.span(node) if node else whole_file(agent.path)
    message = f"agent '{agent.location.name}' has the runtime '{_DEFAULT}', but its team '{path}' has '{_CLAUDE_CODE}'"
    hint = f"write 'runtime: {_CLAUDE_CODE}' here, or take it out of the team"
    related = (Related(team.span(theirs), "the runtime of the team"),)
    diags.add(Diagnostic(place, "ET312", message, hint, related, "runtime"))
