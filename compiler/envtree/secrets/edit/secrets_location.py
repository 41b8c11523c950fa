"""Where a secrets file may lie: what discovery would say of one at a path."""

from collections.abc import Mapping

from envtree.diagnostics.suggest import nearest_name
from envtree.frontend.discover import discover
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import SECRET_OWNERS, SECRETS_FILE_FORMATS
from envtree.secrets.edit.tree_with_file import TreeWithFile
from envtree.sources.tree import Tree


class SecretsLocationError(Exception):
    """No secrets file may lie at a path; the hint has the nearest one where it may."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def locate_secrets_file(tree: Tree, path: str) -> Location:
    """What a secrets file at a path belongs to."""
    diags = Diagnostics()
    placed = discover(TreeWithFile(tree, path, b""), diags)
    wrong = next((each for each in diags if path in _finding_paths(each)), None)
    found = placed.get(path)
    if found and found.kind is Kind.SECRETS and not wrong:
        return found
    if path in tree.ignored([path]):
        raise SecretsLocationError(f"git ignores '{path}', and so does envtree", "correct .gitignore, or the path")
    if wrong and wrong.related:
        raise SecretsLocationError(wrong.message, wrong.hint)
    close = _suggest_path(path, placed)
    message = wrong.message if wrong else f"'{path}' is no place for secrets"
    hint = f"did you mean '{close}'?" if close else wrong.hint if wrong else ""
    raise SecretsLocationError(message, hint or "the secrets of 'X.yaml' are in 'X.secrets.yaml' beside it")


def _finding_paths(finding: Diagnostic) -> set[str]:
    return {finding.span.path, *(related.span.path for related in finding.related)}


def _suggest_path(path: str, placed: Mapping[str, Location]) -> str:
    """The secrets file that a path was probably meant to be: that of the file at its place, or of something alike."""
    stem = path.partition(".")[0]
    format = path.rpartition(".")[2]
    suffix = f".secrets.{format if format in SECRETS_FILE_FORMATS else 'yaml'}"
    owners = {known.rpartition(".")[0]: at for known, at in placed.items() if at.kind in SECRET_OWNERS}
    if stem in owners:
        return stem + suffix
    beside = nearest_name(stem, [each for each in owners if each.rpartition("/")[0] == stem.rpartition("/")[0]])
    # Of two with one name, the one that more bundles have.
    named = {
        _entity_name(owners[owner]): owner for owner in sorted(owners, key=lambda one: one.count("/"), reverse=True)
    }
    close = beside if "/" in stem else named.get(nearest_name(stem, named), "")
    return close + suffix if close else ""


def _entity_name(location: Location) -> str:
    """What people call an entity."""
    return location.name or location.team or location.project or location.kind
