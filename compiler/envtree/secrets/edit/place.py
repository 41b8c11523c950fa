"""Where a secrets file may lie: what discovery would say of one at a path."""

from collections.abc import Mapping

from envtree.diagnostics.suggest import nearest
from envtree.frontend.discover import discover
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import FORMATS, SECRET_OWNERS
from envtree.secrets.edit.planned import Planned
from envtree.sources.tree import Tree


class WrongPlaceError(Exception):
    """No secrets file may lie at a path; the hint has the nearest one where it may."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def place(tree: Tree, path: str) -> Location:
    """What a secrets file at a path belongs to."""
    diags = Diagnostics()
    placed = discover(Planned(tree, path, b""), diags)
    wrong = next((each for each in diags if path in _paths(each)), None)
    found = placed.get(path)
    if found and found.kind is Kind.SECRETS and not wrong:
        return found
    if path in tree.ignored([path]):
        raise WrongPlaceError(f"git ignores '{path}', and so does envtree", "correct .gitignore, or the path")
    if wrong and wrong.related:
        raise WrongPlaceError(wrong.message, wrong.hint)
    close = _meant(path, placed)
    message = wrong.message if wrong else f"'{path}' is no place for secrets"
    hint = f"did you mean '{close}'?" if close else wrong.hint if wrong else ""
    raise WrongPlaceError(message, hint or "the secrets of 'X.yaml' are in 'X.secrets.yaml' beside it")


def _paths(finding: Diagnostic) -> set[str]:
    return {finding.span.path, *(related.span.path for related in finding.related)}


def _meant(path: str, placed: Mapping[str, Location]) -> str:
    """The secrets file that a path was probably meant to be: that of the file at its place, or of something alike."""
    stem = path.partition(".")[0]
    format = path.rpartition(".")[2]
    suffix = f".secrets.{format if format in FORMATS else 'yaml'}"
    owners = {known.rpartition(".")[0]: at for known, at in placed.items() if at.kind in SECRET_OWNERS}
    if stem in owners:
        return stem + suffix
    beside = nearest(stem, [each for each in owners if each.rpartition("/")[0] == stem.rpartition("/")[0]])
    # Of two with one name, the one that more bundles have.
    named = {_name(owners[owner]): owner for owner in sorted(owners, key=lambda one: one.count("/"), reverse=True)}
    close = beside if "/" in stem else named.get(nearest(stem, named), "")
    return close + suffix if close else ""


def _name(location: Location) -> str:
    """What people call an entity."""
    return location.name or location.team or location.project or location.kind
