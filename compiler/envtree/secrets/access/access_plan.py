"""Plan what makes `.sops.yaml` and CODEOWNERS say what the organization and its projects declare."""

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from envtree.engine.run import Run
from envtree.model.diagnostic import RefusedError
from envtree.model.sops_rule import SOPS_CONFIG_FILE, SopsConfig, find_governing_config
from envtree.model.source import Kind
from envtree.model.workspace import Workspace
from envtree.secrets.access.code_owners import CODE_OWNERS_PATHS, build_code_owners, render_code_owners
from envtree.secrets.access.generated_rules import check_rules, parse_rules, render_rules
from envtree.secrets.access.rule_readers import RuleReaders, find_rule_readers
from envtree.sources.tree import DirectoryTree
from envtree.system.atomic_files import read_file_in_tree


class AccessFileChange(NamedTuple):
    """A file by its path from the root of the repository, as it is and as it should be."""

    path: str
    before: bytes | None
    after: bytes


class AccessPlan(NamedTuple):
    """What to write, the rules as they will be, and the owners of whom GitHub knows no name."""

    changes: tuple[AccessFileChange, ...]
    rules: tuple[SopsConfig, ...]
    owners_without_handle: tuple[str, ...]


def plan_access_files(run: Run, tree: DirectoryTree, repository: Path) -> AccessPlan:
    """What is to be written; a Refusal where that would not work."""
    workspace = run.workspace
    assert workspace
    inside = _tree_prefix(tree, repository)
    place = _RulesLocation(tree, inside)
    before = _decode_text(read_file_in_tree(repository, place.path))
    wanted = find_rule_readers(workspace, place.inside)
    after = render_rules(before, place.path, wanted)
    rules = workspace.sops_configs
    if after is not None:
        own = parse_rules(after, place.name, place.inside)
        check_rules(own, wanted)
        rules = (*(one for one in rules if one.path != own.path), own)
        _check_precedence(run, rules, wanted)
    found = _plan_code_owners(run, workspace, repository, inside, place.path if after else "")
    changes = (_make_change(place.path, before, after), found[0])
    return AccessPlan(tuple(one for one in changes if one), rules, found[1])


def render_file_changes(changes: tuple[AccessFileChange, ...]) -> str:
    """The changes as a unified diff."""
    return "".join(line for change in changes for line in _diff_lines(change))


class _RulesLocation:
    """Where the rules go: into the nearest `.sops.yaml` from the root of the tree upwards, else a new one there."""

    def __init__(self, tree: DirectoryTree, inside: str) -> None:
        here = any(entry.path == SOPS_CONFIG_FILE for entry in tree.entries(""))
        above = None if here else tree.find_above_root(SOPS_CONFIG_FILE)
        self.inside = above.root_prefix if above else ""
        self.name = above.path if above else SOPS_CONFIG_FILE
        self.path = f"{inside.removesuffix(self.inside)}{SOPS_CONFIG_FILE}"


def _tree_prefix(tree: DirectoryTree, repository: Path) -> str:
    inside = tree.root.relative_to(repository).as_posix()
    return "" if inside == "." else f"{inside}/"


def _check_precedence(run: Run, rules: tuple[SopsConfig, ...], rule_readers: list[RuleReaders]) -> None:
    """Refuse what would have no effect: another rule, or another `.sops.yaml`, that sops finds first."""
    patterns = {one.pattern for one in rule_readers}
    for path, resource in run.files.items():
        file = find_governing_config(rules, path) if resource.location.kind is Kind.SECRETS else None
        rule = file.matching_rule(path) if file and rule_readers else None
        if file and rule and rule.pattern not in patterns:
            place = f"{file.path}:{rule.span.line}"
            hint = "move it behind the generated rules, or take it out"
            raise RefusedError("ET808", f"the rule at '{place}' would be used for '{path}', not a generated one", hint)


def _plan_code_owners(
    run: Run, workspace: Workspace, repository: Path, inside: str, rules: str
) -> tuple[AccessFileChange | None, tuple[str, ...]]:
    texts = {path: _decode_text(read_file_in_tree(repository, path)) for path in CODE_OWNERS_PATHS}
    path = next((path for path, text in texts.items() if text is not None), CODE_OWNERS_PATHS[0])
    own = {f"{top}/" if slash else top for top, slash, _ in (one.partition("/") for one in run.files)}
    guarded = [one for one in (rules, path) if one and not (inside and one.startswith(inside))]
    found = build_code_owners(workspace, inside, own, guarded)
    return _make_change(
        path, texts[path], render_code_owners(texts[path], path, found.lines)
    ), found.owners_without_handle


def _decode_text(data: bytes | None) -> str | None:
    # What is no UTF-8 stays as it is.
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _make_change(path: str, before: str | None, after: str | None) -> AccessFileChange | None:
    if after is None or after == before:
        return None
    known = None if before is None else before.encode("utf-8", "surrogateescape")
    return AccessFileChange(path, known, after.encode("utf-8", "surrogateescape"))


def _diff_lines(change: AccessFileChange) -> Iterator[str]:
    before = (change.before or b"").decode("utf-8", "replace").splitlines()
    after = change.after.decode("utf-8", "replace").splitlines()
    name = f"a/{change.path}" if change.before is not None else "/dev/null"
    for line in unified_diff(before, after, name, f"b/{change.path}", lineterm=""):
        yield f"{line}\n"
