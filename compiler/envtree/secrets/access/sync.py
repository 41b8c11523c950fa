"""Plan what makes `.sops.yaml` and CODEOWNERS say what the organization and its projects declare."""

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from envtree.engine.run import Run
from envtree.model.diagnostic import Refusal
from envtree.model.sops_rule import RULES_FILE, RulesFile, governing
from envtree.model.source import Kind
from envtree.model.workspace import Workspace
from envtree.secrets.access.audience import RuleReaders, audiences
from envtree.secrets.access.code_owners import PLACES, owners, owners_text
from envtree.secrets.access.rules_text import check_rules, read_text, rules_text
from envtree.sources.tree import DirectoryTree
from envtree.system.atomic_files import content


class Change(NamedTuple):
    """A file by its path from the root of the repository, as it is and as it should be."""

    path: str
    before: bytes | None
    after: bytes


class Plan(NamedTuple):
    """What to write, the rules as they will be, and the owners of whom GitHub knows no name."""

    changes: tuple[Change, ...]
    rules: tuple[RulesFile, ...]
    nameless: tuple[str, ...]


def plan(run: Run, tree: DirectoryTree, repository: Path) -> Plan:
    """What is to be written; a Refusal where that would not work."""
    workspace = run.workspace
    assert workspace
    inside = _inside(tree, repository)
    place = _Place(tree, inside)
    before = _text(content(repository, place.path))
    wanted = audiences(workspace, place.inside)
    after = rules_text(before, place.path, wanted)
    rules = workspace.rules
    if after is not None:
        own = read_text(after, place.name, place.inside)
        check_rules(own, wanted)
        rules = (*(one for one in rules if one.path != own.path), own)
        _check_first(run, rules, wanted)
    found = _code_owners(run, workspace, repository, inside, place.path if after else "")
    changes = (_change(place.path, before, after), found[0])
    return Plan(tuple(one for one in changes if one), rules, found[1])


def difference(changes: tuple[Change, ...]) -> str:
    """The changes as a unified diff."""
    return "".join(line for change in changes for line in _difference(change))


class _Place:
    """Where the rules go: into the nearest `.sops.yaml` from the root of the tree upwards, else a new one there."""

    def __init__(self, tree: DirectoryTree, inside: str) -> None:
        here = any(entry.path == RULES_FILE for entry in tree.entries(""))
        above = None if here else tree.above(RULES_FILE)
        self.inside = above.inside if above else ""
        self.name = above.path if above else RULES_FILE
        self.path = f"{inside.removesuffix(self.inside)}{RULES_FILE}"


def _inside(tree: DirectoryTree, repository: Path) -> str:
    inside = tree.root.relative_to(repository).as_posix()
    return "" if inside == "." else f"{inside}/"


def _check_first(run: Run, rules: tuple[RulesFile, ...], wanted: list[RuleReaders]) -> None:
    """Refuse what would have no effect: another rule, or another `.sops.yaml`, that sops finds first."""
    patterns = {one.pattern for one in wanted}
    for path, resource in run.files.items():
        file = governing(rules, path) if resource.location.kind is Kind.SECRETS else None
        rule = file.first(path) if file and wanted else None
        if file and rule and rule.pattern not in patterns:
            place = f"{file.path}:{rule.span.line}"
            hint = "move it behind the generated rules, or take it out"
            raise Refusal("ET808", f"the rule at '{place}' would be used for '{path}', not a generated one", hint)


def _code_owners(
    run: Run, workspace: Workspace, repository: Path, inside: str, rules: str
) -> tuple[Change | None, tuple[str, ...]]:
    texts = {path: _text(content(repository, path)) for path in PLACES}
    path = next((path for path, text in texts.items() if text is not None), PLACES[0])
    own = {f"{top}/" if slash else top for top, slash, _ in (one.partition("/") for one in run.files)}
    guarded = [one for one in (rules, path) if one and not (inside and one.startswith(inside))]
    found = owners(workspace, inside, own, guarded)
    return _change(path, texts[path], owners_text(texts[path], path, found.lines)), found.nameless


def _text(data: bytes | None) -> str | None:
    # What is no UTF-8 stays as it is.
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _change(path: str, before: str | None, after: str | None) -> Change | None:
    if after is None or after == before:
        return None
    known = None if before is None else before.encode("utf-8", "surrogateescape")
    return Change(path, known, after.encode("utf-8", "surrogateescape"))


def _difference(change: Change) -> Iterator[str]:
    before = (change.before or b"").decode("utf-8", "replace").splitlines()
    after = change.after.decode("utf-8", "replace").splitlines()
    name = f"a/{change.path}" if change.before is not None else "/dev/null"
    for line in unified_diff(before, after, name, f"b/{change.path}", lineterm=""):
        yield f"{line}\n"
