"""Plan the changes that bring `.sops.yaml` and CODEOWNERS in line with the declared readers and owners."""

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
    """A file by its path from the root of the repository, with its present and its planned content."""

    path: str
    before: bytes | None
    after: bytes


class RulesPlan(NamedTuple):
    """The change of `.sops.yaml`, its path in the repository, empty without one, and the rules afterwards."""

    change: AccessFileChange | None
    path: str
    rules: tuple[SopsConfig, ...]


class AccessPlan(NamedTuple):
    """The files to write, the rules afterwards, and the owners without a GitHub account or an email address."""

    changes: tuple[AccessFileChange, ...]
    rules: tuple[SopsConfig, ...]
    owners_without_handle: tuple[str, ...]


def plan_access_files(run: Run, tree: DirectoryTree, repository: Path) -> AccessPlan:
    """Plan the generated parts of both files; RefusedError where a generated rule would have no effect."""
    assert run.workspace
    planned = plan_rules(run, tree, repository)
    owners_change, owners_without_handle = _plan_code_owners(
        run, run.workspace, repository, _tree_prefix(tree, repository), planned.path
    )
    changes = (planned.change, owners_change)
    return AccessPlan(tuple(change for change in changes if change), planned.rules, owners_without_handle)


def plan_rules(run: Run, tree: DirectoryTree, repository: Path) -> RulesPlan:
    """Plan the generated part of `.sops.yaml`; RefusedError where a generated rule would have no effect."""
    workspace = run.workspace
    assert workspace
    location = _RulesLocation(tree, _tree_prefix(tree, repository))
    before = _decode_text(read_file_in_tree(repository, location.path))
    rule_readers = find_rule_readers(workspace, location.root_prefix)
    after = render_rules(before, location.path, rule_readers)
    rules = workspace.sops_configs
    if after is not None:
        config = parse_rules(after, location.name, location.root_prefix)
        check_rules(config, rule_readers)
        rules = (*(rule_file for rule_file in rules if rule_file.path != config.path), config)
        _check_precedence(run, rules, rule_readers)
    return RulesPlan(_make_change(location.path, before, after), location.path if after else "", rules)


def render_file_changes(changes: tuple[AccessFileChange, ...]) -> str:
    """Render the changes as a unified diff."""
    return "".join(line for change in changes for line in _diff_lines(change))


class _RulesLocation:
    """The `.sops.yaml` for the rules: the nearest from the root of the tree upwards, else a new one at the root.

    `name` is its path from the root of the tree, `path` that from the root of the repository, and `root_prefix` the
    path from its folder to the root of the tree.
    """

    def __init__(self, tree: DirectoryTree, tree_prefix: str) -> None:
        is_at_root = any(entry.path == SOPS_CONFIG_FILE for entry in tree.entries(""))
        above = None if is_at_root else tree.find_above_root(SOPS_CONFIG_FILE)
        self.root_prefix = above.root_prefix if above else ""
        self.name = above.path if above else SOPS_CONFIG_FILE
        self.path = f"{tree_prefix.removesuffix(self.root_prefix)}{SOPS_CONFIG_FILE}"


def _tree_prefix(tree: DirectoryTree, repository: Path) -> str:
    prefix = tree.root.relative_to(repository).as_posix()
    return "" if prefix == "." else f"{prefix}/"


def _check_precedence(run: Run, rules: tuple[SopsConfig, ...], rule_readers: list[RuleReaders]) -> None:
    """Refuse rules without effect: sops would find another rule, or another `.sops.yaml`, first."""
    patterns = {readers.pattern for readers in rule_readers}
    for path, resource in run.files.items():
        config = find_governing_config(rules, path) if resource.location.kind is Kind.SECRETS else None
        rule = config.matching_rule(path) if config and rule_readers else None
        if config and rule and rule.pattern not in patterns:
            place = f"{config.path}:{rule.span.line}"
            hint = "move it behind the generated rules, or take it out"
            raise RefusedError("ET808", f"the rule at '{place}' would be used for '{path}', not a generated one", hint)


def _plan_code_owners(
    run: Run, workspace: Workspace, repository: Path, prefix: str, rules_path: str
) -> tuple[AccessFileChange | None, tuple[str, ...]]:
    texts = {path: _decode_text(read_file_in_tree(repository, path)) for path in CODE_OWNERS_PATHS}
    path = next((path for path, text in texts.items() if text is not None), CODE_OWNERS_PATHS[0])
    top_level_paths = {
        f"{folder}/" if slash else folder for folder, slash, _ in (name.partition("/") for name in run.files)
    }
    guarded_files = [name for name in (rules_path, path) if name and not (prefix and name.startswith(prefix))]
    code_owners = build_code_owners(workspace, prefix, top_level_paths, guarded_files)
    return _make_change(
        path, texts[path], render_code_owners(texts[path], path, code_owners.lines)
    ), code_owners.owners_without_handle


def _decode_text(data: bytes | None) -> str | None:
    # Bytes that are no UTF-8 survive unchanged.
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _make_change(path: str, before: str | None, after: str | None) -> AccessFileChange | None:
    if after is None or after == before:
        return None
    present = None if before is None else before.encode("utf-8", "surrogateescape")
    return AccessFileChange(path, present, after.encode("utf-8", "surrogateescape"))


def _diff_lines(change: AccessFileChange) -> Iterator[str]:
    before = (change.before or b"").decode("utf-8", "replace").splitlines()
    after = change.after.decode("utf-8", "replace").splitlines()
    name = f"a/{change.path}" if change.before is not None else "/dev/null"
    for line in unified_diff(before, after, name, f"b/{change.path}", lineterm=""):
        yield f"{line}\n"
