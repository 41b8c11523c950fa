"""Check the selection of bundles: report selectors, policies and trees that select nothing."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.diagnostics.suggest import nearest_name
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.selector import compile_selector
from envtree.model.span import file_span
from envtree.model.tree_layout import ROOT_FILE
from envtree.model.workspace import Workspace

_ALLOW_EMPTY_HINT = "pass --allow-empty"
# Folders that are part of paths, but not of ids.
_ENTITY_FOLDERS = frozenset({"projects", "teams", "agents"})


class Selection(NamedTuple):
    """The selectors of a run, and the `ids` that may exist; `allow_empty` is None if the command has no such option."""

    selectors: tuple[str, ...]
    ids: tuple[str, ...]
    allow_empty: bool | None


def check_selection(workspace: Workspace, selection: Selection, diags: Diagnostics, *, has_errors: bool) -> None:
    """Report the selectors and policies that select nothing, and a tree without bundles."""
    has_option = selection.allow_empty is not None
    if not selection.allow_empty:
        if not has_errors:
            check_has_bundles(workspace, selection.ids, diags, has_option=has_option)
        check_selectors(selection.selectors, selection.ids, diags, has_option=has_option)
    check_policies(workspace, selection.ids, diags)


def check_has_bundles(workspace: Workspace, ids: tuple[str, ...], diags: Diagnostics, *, has_option: bool) -> None:
    """Report a tree without bundles; `has_option` is whether the command has an option that allows it."""
    if ids:
        return
    environments = [environment for project in workspace.projects for environment in project.environments.values()]
    if not any(team.agents for project in workspace.projects for team in project.teams):
        hint = "add 'agents/<agent>.yaml'"
    elif not environments:
        hint = "add 'environments/<environment>.yaml'"
    elif all(environment.abstract for environment in environments):
        hint = "every environment is abstract: add one that is not"
    else:
        hint = "the 'targets' of projects, teams and agents leave none over: widen them"
    hint = f"{hint}, or {_ALLOW_EMPTY_HINT}" if has_option else hint
    diags.add(Diagnostic(file_span(ROOT_FILE), "ET310", "the tree has no bundle", hint))


def check_selectors(patterns: Iterable[str], ids: tuple[str, ...], diags: Diagnostics, *, has_option: bool) -> None:
    """Report each selector that matches no bundle; `has_option` as above."""
    default_hint = (
        f"if its bundles are gone on purpose, {_ALLOW_EMPTY_HINT}"
        if has_option
        else "'envtree tree' shows what there is"
    )
    for pattern in patterns:
        if not any(map(compile_selector([pattern]), ids)):
            message = f"selector '{pattern}' matches no bundle"
            hint = _suggestion(pattern, ids) or _hint_for_mixin(pattern) or default_hint
            diags.add(Diagnostic(file_span(ROOT_FILE), "ET309", message, hint))


def check_policies(workspace: Workspace, ids: tuple[str, ...], diags: Diagnostics) -> None:
    """Report each policy that selects no bundle."""
    for policy in workspace.policies:
        if not any(map(compile_selector(policy.selectors), ids)):
            message = f"policy '{policy.name}' selects no bundle"
            hint = next(
                filter(None, (_suggestion(pattern, ids) for pattern in policy.selectors)), "correct its 'selector'"
            )
            diags.add(Diagnostic(policy.selector_span, "ET752", message, hint))


def widen_selector(pattern: str, ids: Iterable[str]) -> str:
    """Return the selector of all bundles below one that matches nothing, or "" if it matches nothing either."""
    path, at, environment = pattern.partition("@")
    wider = f"{path.rstrip('/')}/**{at}{environment}"
    return wider if any(map(compile_selector([wider]), ids)) else ""


def _suggestion(pattern: str, ids: tuple[str, ...]) -> str:
    suggestion = (
        _selector_of_environment(pattern, ids)
        or widen_selector(pattern, ids)
        or _selector_at_any_depth(pattern, ids)
        or _selector_of_path(pattern, ids)
        or _nearest_environment(pattern, ids)
        or nearest_name(pattern, ids)
    )
    return f"did you mean '{suggestion}'?" if suggestion else ""


def _hint_for_mixin(pattern: str) -> str:
    """Return the hint for the path of a mix-in, which has no bundles of its own; empty for any other pattern."""
    path = pattern if pattern.endswith(".yaml") else f"{pattern}.yaml"
    return f"'envtree impact {path}' lists the bundles of a mix-in" if pattern.startswith("mixins/") else ""


def _selector_of_environment(pattern: str, ids: tuple[str, ...]) -> str:
    """Return the selector of all bundles of an environment, if the pattern is only its name, or that behind an '@'."""
    name = pattern.removeprefix("@")
    is_environment = "@" not in name and any(id.endswith(f"@{name}") for id in ids)
    return f"**@{name}" if is_environment else ""


def _selector_at_any_depth(pattern: str, ids: tuple[str, ...]) -> str:
    """Return the selector of the agents of this name, or this path, in all projects; "" if there are none."""
    deeper = f"**/{pattern}"
    return deeper if any(map(compile_selector([deeper]), ids)) else ""


def _selector_of_path(pattern: str, ids: tuple[str, ...]) -> str:
    """Return the selector of the bundles that a file or folder of the tree describes, if the pattern is its path."""
    stem = pattern.removesuffix("/").removesuffix(".yaml")
    if stem.startswith("environments/"):
        selector = f"**@{stem.rpartition('/')[2]}"
    else:
        parts = [part for part in stem.split("/") if part not in _ENTITY_FOLDERS]
        selector = "/".join(parts[:-1] if parts[-1:] in (["project"], ["team"]) else parts)
    return selector if any(map(compile_selector([selector]), ids)) else widen_selector(selector, ids)


def _nearest_environment(pattern: str, ids: tuple[str, ...]) -> str:
    """Return the same path in the environment with the nearest name, or ""."""
    path, _, environment = pattern.partition("@")
    nearest = nearest_name(environment, sorted({id.partition("@")[2] for id in ids if compile_selector([path])(id)}))
    return f"{path}@{nearest}" if nearest else ""
