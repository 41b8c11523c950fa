"""Check the path of a new secrets file with `discover`, and suggest a path where one may be."""

from collections.abc import Mapping

from envtree.diagnostics.suggest import nearest_name
from envtree.frontend.discover import discover
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import SECRET_OWNERS, SECRETS_FILE_FORMATS
from envtree.secrets.edit.tree_with_file import TreeWithFile
from envtree.sources.tree import Tree

_MISSING_ENTITY_CODE = "ET126"
_KINDS_BY_FOLDER = {"projects": Kind.PROJECT, "teams": Kind.TEAM}


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
    missing_folders = [diagnostic.span.path for diagnostic in diags if _is_entity_missing(diagnostic, path)]
    if missing_folders:
        raise _missing_entity_error(path, min(missing_folders, key=len), locations)
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


def _is_entity_missing(finding: Diagnostic, path: str) -> bool:
    return finding.code == _MISSING_ENTITY_CODE and path.startswith(f"{finding.span.path}/")


def _missing_entity_error(path: str, folder: str, locations: Mapping[str, Location]) -> SecretsLocationError:
    """Return the error for secrets of a project or team without its own file, whose folder would be `folder`."""
    parents, _, name = folder.rpartition("/")
    kind = _KINDS_BY_FOLDER[parents.rpartition("/")[2]]
    paths = (existing.split("/") for existing in locations if existing.startswith(f"{parents}/"))
    depth = folder.count("/")
    siblings = {segments[depth] for segments in paths if segments[depth + 1 :] == [f"{kind}.yaml"]}
    nearest = nearest_name(name, siblings)
    hint = f"did you mean '{parents}/{nearest}{path.removeprefix(folder)}'?" if nearest else ""
    full_name = f"{parents.split('/')[1]}/{name}" if kind is Kind.TEAM and "/" in parents else name
    return SecretsLocationError(f"there is no {kind} '{name}'", hint or f"'envtree new {kind} {full_name}' makes it")


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
