"""Which bundles were asked for: a selector, a policy or a whole tree that selects nothing is a mistake."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.diagnostics.suggest import nearest_name
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.selector import compile_selector
from envtree.model.span import file_span
from envtree.model.tree_layout import ROOT_FILE
from envtree.model.workspace import Workspace

_ALLOW_EMPTY_HINT = "pass --allow-empty"
# What stands in paths, and not in ids.
_ENTITY_FOLDERS = frozenset({"projects", "teams", "agents"})


class Selection(NamedTuple):
    """What a run is asked for: selectors, of the `ids` that there may be; with `allow_empty` of None no option
    could allow that there is none.
    """

    selectors: tuple[str, ...]
    ids: tuple[str, ...]
    allow_empty: bool | None


def check_selection(workspace: Workspace, selection: Selection, diags: Diagnostics, *, has_errors: bool) -> None:
    """Report whatever selects nothing."""
    optional = selection.allow_empty is not None
    if not selection.allow_empty:
        if not has_errors:
            check_has_bundles(workspace, selection.ids, diags, has_option=optional)
        check_selectors(selection.selectors, selection.ids, diags, has_option=optional)
    check_policies(workspace, selection.ids, diags)


def check_has_bundles(workspace: Workspace, ids: tuple[str, ...], diags: Diagnostics, *, has_option: bool) -> None:
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
    hint = f"{hint}, or {_ALLOW_EMPTY_HINT}" if has_option else hint
    diags.add(Diagnostic(file_span(ROOT_FILE), "ET310", "the tree has no bundle", hint))


def check_selectors(patterns: Iterable[str], ids: tuple[str, ...], diags: Diagnostics, *, has_option: bool) -> None:
    """Report each selector that matches no bundle; `optional` as above."""
    otherwise = (
        f"if its bundles are gone on purpose, {_ALLOW_EMPTY_HINT}"
        if has_option
        else "'envtree tree' shows what there is"
    )
    for pattern in patterns:
        if not any(map(compile_selector([pattern]), ids)):
            message = f"selector '{pattern}' matches no bundle"
            diags.add(Diagnostic(file_span(ROOT_FILE), "ET309", message, _suggestion(pattern, ids) or otherwise))


def check_policies(workspace: Workspace, ids: tuple[str, ...], diags: Diagnostics) -> None:
    """Report each policy that selects no bundle."""
    for policy in workspace.policies:
        if not any(map(compile_selector(policy.selectors), ids)):
            message = f"policy '{policy.name}' selects no bundle"
            diags.add(Diagnostic(policy.selector_span, "ET752", message, "correct its 'selector'"))


def widen_selector(pattern: str, ids: Iterable[str]) -> str:
    """The selector of all that begins like one that matches nothing; empty if that is nothing, too."""
    place, at, environment = pattern.partition("@")
    wider = f"{place.rstrip('/')}/**{at}{environment}"
    return wider if any(map(compile_selector([wider]), ids)) else ""


def _suggestion(pattern: str, ids: tuple[str, ...]) -> str:
    meant = (
        widen_selector(pattern, ids)
        or _selector_of_path(pattern, ids)
        or _nearest_environment(pattern, ids)
        or nearest_name(pattern, ids)
    )
    return f"did you mean '{meant}'?" if meant else ""


def _selector_of_path(pattern: str, ids: tuple[str, ...]) -> str:
    """The selector of all that a file or a folder of the tree is about, if the pattern is its path."""
    stem = pattern.removesuffix("/").removesuffix(".yaml")
    if stem.startswith("environments/"):
        meant = f"**@{stem.rpartition('/')[2]}"
    else:
        parts = [part for part in stem.split("/") if part not in _ENTITY_FOLDERS]
        meant = "/".join(parts[:-1] if parts[-1:] in (["project"], ["team"]) else parts)
    return meant if any(map(compile_selector([meant]), ids)) else widen_selector(meant, ids)


def _nearest_environment(pattern: str, ids: tuple[str, ...]) -> str:
    """The same place in the environment whose name comes nearest."""
    place, _, environment = pattern.partition("@")
    near = nearest_name(environment, sorted({id.partition("@")[2] for id in ids if compile_selector([place])(id)}))
    return f"{place}@{near}" if near else ""
