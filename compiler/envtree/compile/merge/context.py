"""The context of a merge: the list policies, the sinks for findings, and whether scalars are text."""

from typing import NamedTuple

from envtree.compile.merge.effects import Effects
from envtree.compile.merge.equality import type_of
from envtree.compile.merge.layer_changes import is_expression
from envtree.compile.merge.list_policies import ListPolicies
from envtree.diagnostics.suggest import nearest_name
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import MergedValue, merged_span
from envtree.model.span import Span
from envtree.model.workspace import MergeByKey


class MergeContext(NamedTuple):
    """The settings of a merge.

    `as_text` is set inside env_vars, where every scalar is text; `siblings` are the keys beside a missing one.
    """

    policies: ListPolicies
    diags: Diagnostics
    effects: Effects
    as_text: bool = False
    siblings: tuple[str, ...] = ()

    def report(self, code: str, span: Span, path: KeyPath, message: str, hint: str = "", *related: RelatedSpan) -> None:
        """Report a finding about the value at a path."""
        self.diags.add(Diagnostic(span, code, message, hint, related, format_path(path)))

    def mark_noop(self, code: str, span: Span, path: KeyPath, message: str, hint: str) -> None:
        """Record that a statement of a layer changes nothing in this stack."""
        self.effects.mark_noop(Diagnostic(span, code, message, hint, key=format_path(path)))

    def mark_redundant(self, below: MergedValue, value: MergedValue, path: KeyPath) -> None:
        """Record that a layer repeats the value below; the key by which elements are merged must be repeated."""
        policy = self.policies.at(path[:-2])
        if not (isinstance(policy, MergeByKey) and path[-1] == policy.key):
            self.effects.mark_redundant(below, value, path)

    def report_type_clash(self, below: MergedValue, value: MergedValue, path: KeyPath) -> None:
        """Report that a layer changes the type of a value."""
        inherited = type_of(below)
        self.report(
            "ET401",
            merged_span(value),
            path,
            f"'{format_path(path)}' is {_describe_type(type_of(value))} here, but {_describe_type(inherited)} below",
            "keep the type, or write {$replace: …} to change it on purpose",
            RelatedSpan(merged_span(below), f"the inherited {inherited}"),
        )

    def report_locked(self, lock: Span, span: Span, path: KeyPath, *others: tuple[KeyPath, Span]) -> None:
        """Report that a layer overrides a locked value; `others` are further locked values of the same override."""
        self.report(
            "ET402",
            span,
            path,
            f"'{format_path(path)}' is locked and cannot be overridden",
            "remove the override, or move the change to the layer that locks",
            RelatedSpan(lock, "locked here"),
            *(RelatedSpan(other_lock, f"'{format_path(locked)}' is locked too") for locked, other_lock in others),
        )

    def report_unexpected(self, below: MergedValue | None, span: Span, path: KeyPath) -> None:
        """Report that the state of a key is not the one that `$expect` requires."""
        suggestion = nearest_name(path[-1], self.siblings) if below is None else ""
        state, expected = ("not inherited", "inherited") if below is None else ("inherited", "new")
        self.report(
            "ET403",
            span,
            path,
            f"'{format_path(path)}' is {state}, but expected to be {expected}",
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
            f"a list directive meets {description} at '{format_path(path)}', expected a list",
            "write {$replace: […]} to put a list in its place",
            RelatedSpan(merged_span(below), "the inherited value"),
        )


def _describe_type(kind: str) -> str:
    return kind if kind in ("text", "null") else f"a {kind}"
