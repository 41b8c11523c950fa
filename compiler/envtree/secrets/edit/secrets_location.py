"""Check the path of a new secrets file with `discover`, and suggest a path where one may be."""

from collections.abc import Mapping

from envtree.diagnostics.suggest import nearest_name
from envtree.frontend.discover import discover
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import SECRET_OWNERS, SECRETS_FILE_FORMATS
from envtree.secrets.edit.tree_with_file import TreeWithFile
from envtree.sources.tree import Tree


class SecretsLocationError(Exception):
    """No secrets file may be at a path; the hint suggests the nearest valid one."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def locate_secrets_file(tree: Tree, path: str) -> Location:
    """Return the location of a secrets file at a path; SecretsLocationError if none may be there."""
    diags = Diagnostics()
    locations = discover(TreeWithFile(tree, path, b""), diags)
    finding = next((diagnostic for diagnostic in diags if path in _finding_paths(diagnostic)), None)
    location = locations.get(path)
    if location and location.kind is Kind.SECRETS and not finding:
        return location
    if path in tree.ignored([path]):
        raise SecretsLocationError(f"git ignores '{path}', and so does envtree", "correct .gitignore, or the path")
    if finding and finding.related:
        raise SecretsLocationError(finding.message, finding.hint)
    suggestion = _suggest_path(path, locations)
    message = finding.message if finding else f"'{path}' is no place for secrets"
    hint = f"did you mean '{suggestion}'?" if suggestion else finding.hint if finding else ""
    raise SecretsLocationError(message, hint or "the secrets of 'X.yaml' are in 'X.secrets.yaml' beside it")


def _finding_paths(finding: Diagnostic) -> set[str]:
    return {finding.span.path, *(related.span.path for related in finding.related)}


def _suggest_path(path: str, locations: Mapping[str, Location]) -> str:
    """Return the secrets file that was probably meant: that of the entity with this path, or with a similar name."""
    stem = path.partition(".")[0]
    format = path.rpartition(".")[2]
    suffix = f".secrets.{format if format in SECRETS_FILE_FORMATS else 'yaml'}"
    owners = {
        owner_path.rpartition(".")[0]: location
        for owner_path, location in locations.items()
        if location.kind in SECRET_OWNERS
    }
    if stem in owners:
        return stem + suffix
    beside = nearest_name(stem, [owner for owner in owners if owner.rpartition("/")[0] == stem.rpartition("/")[0]])
    # The shallower path comes last, and wins among equal names: more bundles contain it.
    owners_by_name = {
        _entity_name(owners[owner]): owner for owner in sorted(owners, key=lambda owner: owner.count("/"), reverse=True)
    }
    suggestion = beside if "/" in stem else owners_by_name.get(nearest_name(stem, owners_by_name), "")
    return suggestion + suffix if suggestion else ""


def _entity_name(location: Location) -> str:
    """Return the name by which people refer to an entity."""
    return location.name or location.team or location.project or location.kind
