"""Which bundles were asked for: a selector, a policy or a whole tree that selects nothing is a mistake."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.diagnostics.suggest import nearest
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.selector import selector
from envtree.model.span import whole_file
from envtree.model.tree_layout import ROOT_FILE
from envtree.model.workspace import Workspace

_OPTION = "pass --allow-empty"
# What stands in paths, and not in ids.
_FOLDERS = frozenset({"projects", "teams", "agents"})


class Asked(NamedTuple):
    """What a run is asked for: selectors, of the `ids` that there may be; with `allow_empty` of None no option
    could allow that there is none.
    """

    selectors: tuple[str, ...]
    ids: tuple[str, ...]
    allow_empty: bool | None


def check_selection(workspace: Workspace, asked: Asked, diags: Diagnostics, *, has_errors: bool) -> None:
    """Report whatever selects nothing."""
    optional = asked.allow_empty is not None
    if not asked.allow_empty:
        if not has_errors:
            check_tree(workspace, asked.ids, diags, optional=optional)
        check_selectors(asked.selectors, asked.ids, diags, optional=optional)
    check_policies(workspace, asked.ids, diags)


def check_tree(workspace: Workspace, ids: tuple[str, ...], diags: Diagnostics, *, optional: bool) -> None:
    """Report a tree without bundles; `optional` says that the command has an option for it."""
    if ids:
        return
    environments = [one for project in workspace.projects for one in project.environments.values()]
    if not any(team.agents for project in workspace.projects for team in project.teams):
        hint = "add 'agents/<agent>.yaml'"
    elif not environments:
        hint = "add 'environments/<environment>.yaml'"
    elif all(one.abstract for one in environments):
        hint = "every environment is abstract: add one that is not"
    else:
        hint = "the 'targets' of projects, teams and agents leave none over: widen them"
    hint = f"{hint}, or {_OPTION}" if optional else hint
    diags.add(Diagnostic(whole_file(ROOT_FILE), "ET310", "the tree has no bundle", hint))


def check_selectors(patterns: Iterable[str], ids: tuple[str, ...], diags: Diagnostics, *, optional: bool) -> None:
    """Report each selector that matches no bundle; `optional` as above."""
    otherwise = f"if its bundles are gone on purpose, {_OPTION}" if optional else "'envtree tree' shows what there is"
    for pattern in patterns:
        if not any(map(selector([pattern]), ids)):
            message = f"selector '{pattern}' matches no bundle"
            diags.add(Diagnostic(whole_file(ROOT_FILE), "ET309", message, _hint(pattern, ids) or otherwise))


def check_policies(workspace: Workspace, ids: tuple[str, ...], diags: Diagnostics) -> None:
    """Report each policy that selects no bundle."""
    for policy in workspace.policies:
        if not any(map(selector(policy.selectors), ids)):
            message = f"policy '{policy.name}' selects no bundle"
            diags.add(Diagnostic(policy.selector_span, "ET752", message, "correct its 'selector'"))


def widened(pattern: str, ids: Iterable[str]) -> str:
    """The selector of all that begins like one that matches nothing; empty if that is nothing, too."""
    place, at, environment = pattern.partition("@")
    wider = f"{place.rstrip('/')}/**{at}{environment}"
    return wider if any(map(selector([wider]), ids)) else ""


def _hint(pattern: str, ids: tuple[str, ...]) -> str:
    meant = widened(pattern, ids) or _of_a_path(pattern, ids) or _elsewhere(pattern, ids) or nearest(pattern, ids)
    return f"did you mean '{meant}'?" if meant else ""


def _of_a_path(pattern: str, ids: tuple[str, ...]) -> str:
    """The selector of all that a file or a folder of the tree is about, if the pattern is its path."""
    stem = pattern.removesuffix("/").removesuffix(".yaml")
    if stem.startswith("environments/"):
        meant = f"**@{stem.rpartition('/')[2]}"
    else:
        parts = [part for part in stem.split("/") if part not in _FOLDERS]
        meant = "/".join(parts[:-1] if parts[-1:] in (["project"], ["team"]) else parts)
    return meant if any(map(selector([meant]), ids)) else widened(meant, ids)


def _elsewhere(pattern: str, ids: tuple[str, ...]) -> str:
    """The same place in the environment whose name comes nearest."""
    place, _, environment = pattern.partition("@")
    near = nearest(environment, sorted({id.partition("@")[2] for id in ids if selector([place])(id)}))
    return f"{place}@{near}" if near else ""
