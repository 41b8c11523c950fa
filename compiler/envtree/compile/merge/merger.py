"""deepmerge's dispatcher, with the settings of a merge and the sinks of its findings."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, NamedTuple, Self, cast

from deepmerge import Merger

from envtree.compile.merge.effects import Effects
from envtree.compile.merge.equality import type_of
from envtree.compile.merge.layer_changes import LayerChange, is_expression
from envtree.diagnostics.suggest import nearest_name
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import MergedValue, merged_span
from envtree.model.path_policy import ListPolicy, PolicyLookup
from envtree.model.span import Span

Strategy = Callable[..., Any]


class Strategies(NamedTuple):
    """The strategies of a merger: by the type of both values, and for values of different types in this order."""

    by_type: Sequence[tuple[type, Strategy]]
    conflict: Sequence[Strategy]


class ListElement(NamedTuple):
    """An element of a `by_key` list: the path of the list, the position of the element, and its key as JSON."""

    list_path: KeyPath
    position: int
    key: str


class LayerMerger(Merger):
    """Merges the change of a layer into a base value by the strategy for their types; arguments are never modified.

    Strategies have the signature of deepmerge: `(merger, path, base, change)`. `as_text` is set inside env_vars, where
    every scalar is text; `outer_lock` is the lock of a map around the path, and `siblings` are the keys beside it;
    `elements` are the elements of `by_key` lists around it, the outermost first.
    """

    def __init__(
        self,
        strategies: Strategies,
        policies: PolicyLookup,
        diags: Diagnostics,
        effects: Effects,
        *,
        as_text: bool = False,
    ) -> None:
        super().__init__(list(strategies.by_type), [], list(strategies.conflict))
        self.policies, self.diags, self.effects, self.as_text = policies, diags, effects, as_text
        self.outer_lock: Span | None = None
        self.siblings: tuple[str, ...] = ()
        self.elements: tuple[ListElement, ...] = ()

    def apply(self, path: KeyPath, base: MergedValue | None, change: LayerChange) -> MergedValue | None:
        """Return the value at a path after a change; None if there is none."""
        # deepmerge hands the path on as it is.
        return cast("MergedValue | None", self.value_strategy(cast("list[str]", path), base, change))

    def inside_lock(self, lock: Span | None) -> Self:
        """Return the merger for the values in a map with this lock, unless it is in a locked map itself."""
        if lock is None or self.outer_lock is not None:
            return self
        merger = copy(self)
        merger.outer_lock = lock
        return merger

    def outside_locks(self) -> Self:
        """Return the merger for a value whose locks are compared as a whole, afterwards."""
        if self.outer_lock is None:
            return self
        merger = copy(self)
        merger.outer_lock = None
        return merger

    def inside_element(self, path: KeyPath, position: int, key: str) -> Self:
        """Return the merger for an element of the list at a path."""
        merger = copy(self)
        merger.elements = (*self.elements, ListElement(self.display_path(path), position, key))
        return merger

    def beside(self, siblings: tuple[str, ...]) -> Self:
        """Return the merger for a missing key, which may be a misspelt one of these."""
        merger = copy(self)
        merger.siblings = siblings
        return merger

    def display_path(self, path: KeyPath) -> KeyPath:
        """Return a path as findings and bundles spell it: an element by its position, not by its key."""
        for element in self.elements:
            depth = len(element.list_path)
            path = (*path[:depth], str(element.position), *path[depth + 1 :])
        return path

    def format(self, path: KeyPath) -> str:
        """Format a path for a message."""
        return format_path(self.display_path(path))

    def replacement_hint(self, replacement: str, purpose: str) -> str:
        """Return how to replace a value; inside an element, where no directive works, by replacing the element."""
        if not self.elements:
            return f"write {{$replace: {replacement}}} {purpose}"
        outermost = self.elements[0]
        directive = f"{{$remove: [{outermost.key}], $append: [{{…}}]}}"
        return f"write {directive} as '{format_path(outermost.list_path)}' to replace the whole element"

    def report(self, code: str, span: Span, path: KeyPath, message: str, hint: str = "", *related: RelatedSpan) -> None:
        """Report a finding about the value at a path."""
        self.diags.add(Diagnostic(span, code, message, hint, related, self.format(path)))

    def mark_noop(self, code: str, span: Span, path: KeyPath, message: str, hint: str) -> None:
        """Record that a statement of a layer changes nothing in this stack."""
        self.effects.mark_noop(Diagnostic(span, code, message, hint, key=self.format(path)))

    def mark_redundant(self, below: MergedValue, value: MergedValue, path: KeyPath) -> None:
        """Record that a layer repeats the value below; the key by which elements are merged must be repeated."""
        policy = self.policies.at(path[:-2]) if self.policies.any_by_key else None
        if not (policy and policy.lists is ListPolicy.BY_KEY and path[-1] == policy.key):
            self.effects.mark_redundant(below, value, self.display_path(path))

    def report_type_clash(self, below: MergedValue, value: MergedValue, path: KeyPath) -> None:
        """Report that a layer changes the type of a value."""
        inherited = type_of(below)
        self.report(
            "ET401",
            merged_span(value),
            path,
            f"'{self.format(path)}' is {_describe_type(type_of(value))} here, but {_describe_type(inherited)} below",
            f"keep the type, or {self.replacement_hint('…', 'to change it on purpose')}",
            RelatedSpan(merged_span(below), f"the inherited {inherited}"),
        )

    def report_locked(self, lock: Span, span: Span, path: KeyPath, *others: tuple[KeyPath, Span]) -> None:
        """Report that a layer overrides a locked value; `others` are further locked values of the same override."""
        self.report(
            "ET402",
            span,
            path,
            f"'{self.format(path)}' is locked and cannot be overridden",
            "remove the override, or move the change to the layer that locks",
            RelatedSpan(lock, "locked here"),
            *(RelatedSpan(other_lock, f"'{self.format(locked)}' is locked too") for locked, other_lock in others),
        )

    def report_unexpected(self, below: MergedValue | None, span: Span, path: KeyPath) -> None:
        """Report that the state of a key is not the one that `$expect` requires."""
        suggestion = nearest_name(path[-1], self.siblings) if below is None else ""
        state, expected = ("not inherited", "inherited") if below is None else ("inherited", "new")
        self.report(
            "ET403",
            span,
            path,
            f"'{self.format(path)}' is {state}, but expected to be {expected}",
            f"did you mean '{suggestion}'?" if suggestion else "correct the name, or drop '$expect'",
            *([RelatedSpan(merged_span(below), "the inherited value")] if below is not None else []),
        )

    def report_not_a_list(self, below: MergedValue, span: Span, path: KeyPath) -> None:
        """Report that a list directive applies to a value that is not a list."""
        description = "an expression" if is_expression(below) else _describe_type(type_of(below))
        self.report(
            "ET405",
            span,
            path,
            f"a list directive meets {description} at '{self.format(path)}', expected a list",
            self.replacement_hint("[…]", "to put a list in its place"),
            RelatedSpan(merged_span(below), "the inherited value"),
        )


def _describe_type(kind: str) -> str:
    return kind if kind in ("text", "null") else f"a {kind}"
