"""What every step of a merge needs: the list policies, the sink, and whether scalars are text."""

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
    """`text` is set among env_vars, where every scalar is text; `siblings` are the keys beside one that is missing."""

    policies: ListPolicies
    diags: Diagnostics
    effects: Effects
    as_text: bool = False
    siblings: tuple[str, ...] = ()

    def report(self, code: str, span: Span, path: KeyPath, message: str, hint: str = "", *related: RelatedSpan) -> None:
        """Report a finding about the value at a path."""
        self.diags.add(Diagnostic(span, code, message, hint, related, format_path(path)))

    def mark_noop(self, code: str, span: Span, path: KeyPath, message: str, hint: str) -> None:
        """What a layer says at a path changes nothing in this stack."""
        self.effects.mark_noop(Diagnostic(span, code, message, hint, key=format_path(path)))

    def mark_redundant(self, below: MergedValue, value: MergedValue, path: KeyPath) -> None:
        """A layer says again what is below; the key by which elements are merged has to be said."""
        policy = self.policies.at(path[:-2])
        if not (isinstance(policy, MergeByKey) and path[-1] == policy.key):
            self.effects.mark_redundant(below, value, path)

    def report_type_clash(self, below: MergedValue, value: MergedValue, path: KeyPath) -> None:
        """A layer changes the type of a value."""
        mine, theirs = type_of(value), type_of(below)
        here, there = _describe_type(mine), _describe_type(theirs)
        self.report(
            "ET401",
            merged_span(value),
            path,
            f"'{format_path(path)}' is {here} here, but {there} below",
            "keep the type, or write {$replace: …} to change it on purpose",
            RelatedSpan(merged_span(below), f"the inherited {theirs}"),
        )

    def report_locked(self, lock: Span, span: Span, path: KeyPath, *others: tuple[KeyPath, Span]) -> None:
        """A layer overrides a locked value, and maybe others at once."""
        self.report(
            "ET402",
            span,
            path,
            f"'{format_path(path)}' is locked and cannot be overridden",
            "remove the override, or move the change to the layer that locks",
            RelatedSpan(lock, "locked here"),
            *(RelatedSpan(who, f"'{format_path(other)}' is locked too") for other, who in others),
        )

    def report_unexpected(self, below: MergedValue | None, span: Span, path: KeyPath) -> None:
        """An override does not find what its `$expect` says."""
        meant = nearest_name(path[-1], self.siblings) if below is None else ""
        found, wanted = ("not inherited", "inherited") if below is None else ("inherited", "new")
        self.report(
            "ET403",
            span,
            path,
            f"'{format_path(path)}' is {found}, but expected to be {wanted}",
            f"did you mean '{meant}'?" if meant else "correct the name, or drop '$expect'",
            *([RelatedSpan(merged_span(below), "the inherited value")] if below is not None else []),
        )

    def report_not_a_list(self, below: MergedValue, span: Span, path: KeyPath) -> None:
        """A list directive meets something else."""
        what = "an expression" if is_expression(below) else _describe_type(type_of(below))
        self.report(
            "ET405",
            span,
            path,
            f"a list directive meets {what} at '{format_path(path)}', expected a list",
            "write {$replace: […]} to put a list in its place",
            RelatedSpan(merged_span(below), "the inherited value"),
        )


def _describe_type(kind: str) -> str:
    return kind if kind in ("text", "null") else f"a {kind}"
