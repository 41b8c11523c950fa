"""What every step of a merge needs: the list policies, the sink, and whether scalars are text."""

from typing import NamedTuple

from envtree.compile.merge.effects import Effects
from envtree.compile.merge.lift import is_expression
from envtree.compile.merge.policies import Policies
from envtree.compile.merge.same import type_of
from envtree.diagnostics.suggest import nearest
from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import Merged, span_of
from envtree.model.span import Span
from envtree.model.workspace import ByKey


class Context(NamedTuple):
    """`text` is set among env_vars, where every scalar is text; `siblings` are the keys beside one that is missing."""

    policies: Policies
    diags: Diagnostics
    effects: Effects
    text: bool = False
    siblings: tuple[str, ...] = ()

    def report(self, code: str, span: Span, path: KeyPath, message: str, hint: str = "", *related: Related) -> None:
        """Report a finding about the value at a path."""
        self.diags.add(Diagnostic(span, code, message, hint, related, format_path(path)))

    def idle(self, code: str, span: Span, path: KeyPath, message: str, hint: str) -> None:
        """What a layer says at a path changes nothing in this stack."""
        self.effects.idle(Diagnostic(span, code, message, hint, key=format_path(path)))

    def repeat(self, below: Merged, value: Merged, path: KeyPath) -> None:
        """A layer says again what is below; the key by which elements are merged has to be said."""
        policy = self.policies.at(path[:-2])
        if not (isinstance(policy, ByKey) and path[-1] == policy.key):
            self.effects.repeat(below, value, path)

    def clash(self, below: Merged, value: Merged, path: KeyPath) -> None:
        """A layer changes the type of a value."""
        mine, theirs = type_of(value), type_of(below)
        here, there = _described(mine), _described(theirs)
        self.report(
            "ET401",
            span_of(value),
            path,
            f"'{format_path(path)}' is {here} here, but {there} below",
            "keep the type, or write {$replace: …} to change it on purpose",
            Related(span_of(below), f"the inherited {theirs}"),
        )

    def locked(self, lock: Span, place: Span, path: KeyPath, *others: tuple[KeyPath, Span]) -> None:
        """A layer overrides a locked value, and maybe others at once."""
        self.report(
            "ET402",
            place,
            path,
            f"'{format_path(path)}' is locked and cannot be overridden",
            "remove the override, or move the change to the layer that locks",
            Related(lock, "locked here"),
            *(Related(who, f"'{format_path(other)}' is locked too") for other, who in others),
        )

    def unexpected(self, below: Merged | None, place: Span, path: KeyPath) -> None:
        """An override does not find what its `$expect` says."""
        meant = nearest(path[-1], self.siblings) if below is None else ""
        found, wanted = ("not inherited", "inherited") if below is None else ("inherited", "new")
        self.report(
            "ET403",
            place,
            path,
            f"'{format_path(path)}' is {found}, but expected to be {wanted}",
            f"did you mean '{meant}'?" if meant else "correct the name, or drop '$expect'",
            *([Related(span_of(below), "the inherited value")] if below is not None else []),
        )

    def not_a_list(self, below: Merged, place: Span, path: KeyPath) -> None:
        """A list directive meets something else."""
        what = "an expression" if is_expression(below) else _described(type_of(below))
        self.report(
            "ET405",
            place,
            path,
            f"a list directive meets {what} at '{format_path(path)}', expected a list",
            "write {$replace: […]} to put a list in its place",
            Related(span_of(below), "the inherited value"),
        )


def _described(kind: str) -> str:
    return kind if kind in ("text", "null") else f"a {kind}"
