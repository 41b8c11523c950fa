"""One bundle as explain looks at it: its values without secrets, and the merge that led to them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from envtree.compile.merge.lift import is_expression
from envtree.compile.merge.same import type_of
from envtree.engine.run import Result
from envtree.model.entities import Owners, Roster
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Stack
from envtree.model.merged import Branch, Leaf, Merged, MergedStack
from envtree.model.nodes import Cipher
from envtree.model.resolved import SECTIONS, Bundle
from envtree.model.value_path import MODEL, Place, pick
from envtree.model.workspace import Workspace
from envtree.output.emit import values
from envtree.output.emit.flatten import flatten
from envtree.output.masking import Unshown, veiled
from envtree.queries.explain.model import Shown
from envtree.queries.explain.replay import Steps, replayed


class Explained(NamedTuple):
    """`steps` are what the layers merge to, up to each of them; `secretive` are the variables declared as secrets.

    `flat` has where the variables come from that `output.env` makes of other sections, if anybody asks.
    """

    owners: Owners
    stack: Stack
    steps: tuple[MergedStack, ...]
    data: Mapping[str, Any]
    inputs: Mapping[str, str]
    secretive: frozenset[str]
    flat: Mapping[str, KeyPath] = {}

    @property
    def merged(self) -> MergedStack:
        """What all layers merge to."""
        return self.steps[-1]

    def value(self, path: KeyPath) -> Any:
        """The final value at a path, null where it is hidden or where there is none; it is not veiled yet."""
        try:
            return pick(self.data, path)
        except KeyError:
            return None

    def is_sensitive(self, path: KeyPath) -> bool:
        """Whether a value, or any part of it, is secret."""
        if path[0] == "env_vars":
            names = {*self.data["sensitive"]} & {*self.data["env_vars"]}
            return path[1] in names if len(path) > 1 else bool(names)
        key = format_path(path)
        return any(f"{name}.".startswith(f"{key}.") or key.startswith(f"{name}.") for name in self.data["sensitive"])

    def winner(self, path: KeyPath) -> Place:
        """Where the value of a key of the bundle comes from: that of a variable may be an injected secret."""
        if path == (MODEL,):
            return Place("model", path)
        injected = path[0] == "env_vars" and len(path) == 2 and path[1] in self.data["secrets"]
        return Place("sections", ("secrets", path[1]) if injected else path)

    def written(self, value: Merged, place: Place) -> Shown:
        """What a layer wrote, fit to be shown."""
        kind = "expression" if is_expression(value) else type_of(value)
        content = value.node.value
        if isinstance(content, Cipher):
            return Shown(kind, None, secret=True, length=content.length)
        if isinstance(value, Leaf) and place.path[0] == "env_vars" and content is not None and kind != "expression":
            # A variable is the text that stands there, `1.10` too.
            content = value.node.text
        shown = None if place.root == "sealed" else veiled(content, place.path)
        if kind != "expression" and self._declares_secret(place, content):
            shown = None
        return Shown(kind, shown, secret=shown is None and content is not None)

    def _declares_secret(self, place: Place, content: Any) -> bool:
        names = content if isinstance(content, dict) else place.path[1:]
        return place.path[0] == "env_vars" and not self.secretive.isdisjoint(names)


class Explainer:
    """Looks at the bundles of a tree, whose merges have been replayed."""

    def __init__(self, workspace: Workspace, inputs: Mapping[str, str]) -> None:
        self._roster = Roster(workspace)
        self._unshown = Unshown(workspace)
        self._inputs = inputs

    def explained(self, bundle: Bundle, steps: Steps) -> Explained:
        """A bundle, by its steps."""
        target = bundle.target
        owners, names = self._roster.of(target), self._unshown.names(target)
        return Explained(owners, steps[-1].stack, steps, values(bundle, None), self._inputs, names)


def explained(workspace: Workspace, result: Result, inputs: Mapping[str, str]) -> Explained:
    """Replay the merge of one bundle."""
    _, steps = next(replayed([result], workspace.organization))
    flat = {one.name: one.path for one in flatten(result.bundle.data, workspace.organization.output.env)}
    return Explainer(workspace, inputs).explained(result.bundle, steps)._replace(flat=flat)


def keys(explained: Explained) -> list[KeyPath]:
    """Every key of the bundle: a map is told by what is in it, a list as a whole."""
    found: list[KeyPath] = [("env_vars", name) for name in sorted(explained.data["env_vars"])]
    for section in SECTIONS:
        found.extend(inside(explained, (section,)))
    return [(MODEL,), *found] if explained.merged.model else found


def inside(explained: Explained, path: KeyPath) -> list[KeyPath]:
    """The keys of a map down to its leaves; a leaf or a list is its own, and what no layer wrote has none."""
    merged = Place("sections", path).at(explained.merged)
    return _leaves(merged, path) if merged else []


def _leaves(merged: Merged, path: KeyPath) -> list[KeyPath]:
    if not isinstance(merged, Branch) or not merged.entries:
        return [path]
    return [key for name in sorted(merged.entries) for key in _leaves(merged.entries[name], (*path, name))]


def leaf_text(value: Merged | None) -> str | None:
    """The text of a scalar with an expression."""
    return str(value.node.value) if isinstance(value, Leaf) and is_expression(value) else None
