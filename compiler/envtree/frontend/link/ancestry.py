"""Link names to their ancestors: environments that inherit from others, and mix-ins that use others."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.link.inheritance import (
    MAX_ANCESTORS,
    InheritanceConflictError,
    InheritanceError,
    TooManyAncestorsError,
    find_cycles,
    linearize_all,
)
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text_scalars
from envtree.model.nodes import Document
from envtree.model.span import Span
from envtree.model.tree_layout import is_valid_name


class Ancestry(NamedTuple):
    """The words for a relation; `verb` is the field that lists the parents, `circle` what a cycle is.

    The empty name is that of `owner`, an entity that has parents and is no parent itself.
    """

    noun: str
    verb: str
    circle: str
    owner: str = ""

    def subject(self, name: str) -> str:
        """Return the noun and the name."""
        return f"{self.noun} '{name}'" if name else self.owner

    def quote(self, name: str) -> str:
        """Return the name in quotes."""
        return f"'{name}'" if name else self.owner

    def direct_parents(self, document: Document | None) -> list[str]:
        """Return the names of the parents, without duplicates, which the schema check reports."""
        return list(dict.fromkeys(str(parent.value) for parent in get_text_scalars(get_field(document, self.verb))))

    def existing_parents(
        self, name: str, document: Document, existing: Collection[str], diags: Diagnostics
    ) -> list[str]:
        """Return the parents that exist, and report the others."""
        for parent in get_text_scalars(get_field(document, self.verb)):
            if parent.value not in existing and is_valid_name(str(parent.value)):
                message = f"{self.subject(name)} {self.verb} '{parent.value}', which does not exist"
                hint = did_you_mean(str(parent.value), {*existing} - {name})
                diags.add(Diagnostic(document.span(parent), "ET301", message, hint, key=self.verb))
        return [parent for parent in self.direct_parents(document) if parent in existing]

    def link(
        self,
        parents: Mapping[str, list[str]],
        documents: Mapping[str, Document],
        inherited: Mapping[str, Document],
        diags: Diagnostics,
    ) -> dict[str, tuple[str, ...]]:
        """Return the ancestors of every name and itself, lowest first; report what is wrong with those of `documents`.

        `inherited` has the documents of the other names, whose mistakes have been reported.
        """

        def report(name: str, error: InheritanceError) -> None:
            # Cycles are reported below. Heirs of a name with an error have the same error.
            if name in documents and isinstance(error, InheritanceConflictError) and name == error.name:
                diags.add(self._conflict_finding(error, parents[name], {**inherited, **documents}))
            elif name in documents and isinstance(error, TooManyAncestorsError) and name == error.name:
                diags.add(self._too_many_ancestors_finding(documents[name], name))

        lineages = linearize_all(parents, report)
        for chain in find_cycles(parents):
            if chain[0] in documents:
                self._report_cycle(chain, documents, diags)
        return lineages

    def _too_many_ancestors_finding(self, document: Document, name: str) -> Diagnostic:
        message = f"{self.subject(name)} has more than {MAX_ANCESTORS} ancestors"
        hint = f"name fewer under '{self.verb}': put what several of them set into one"
        return Diagnostic(self._parents_span(document), "ET315", message, hint, key=self.verb)

    def _conflict_finding(
        self, conflict: InheritanceConflictError, parents: list[str], documents: Mapping[str, Document]
    ) -> Diagnostic:
        """Report two names that must be in opposite orders; one order may be the list of the name itself."""
        order_hint = f"write the names in one order in every '{self.verb}'"
        span, name = self._parents_span(documents[conflict.name]), conflict.name
        left, right = conflict.chains[::-1] if conflict.chains[1] == parents else conflict.chains
        first, second = _find_swapped_pair(left, right)
        if not first:
            # Three or more orders conflict, but no two of them.
            message, hint = f"the parents of {self.subject(name)} ask for orders that conflict: {conflict}", order_hint
            related = [
                RelatedSpan(self._parents_span(documents[chain[0]]), "its own order")
                for chain in (left, right)
                if chain != parents
            ]
            return Diagnostic(span, "ET303", message, hint, related=tuple(related), key=self.verb)
        left_note, right_note = self._describe_order(left, first, second), self._describe_order(right, second, first)
        related = [RelatedSpan(self._parents_span(documents[right[0]]), right_note)]
        if left == parents:
            message = f"{self.subject(name)} {self.verb} '{first}' before '{second}', but {right_note}"
            hint = f"put '{second}' before '{first}'" + (f", which it {self.verb}" if right[0] == second else "")
        else:
            message = f"the parents of {self.subject(name)} conflict: {left_note}, but {right_note}"
            hint = order_hint
            related = [RelatedSpan(self._parents_span(documents[left[0]]), left_note), *related]
        return Diagnostic(span, "ET303", message, hint, related=tuple(related), key=self.verb)

    def _describe_order(self, chain: list[str], first: str, second: str) -> str:
        """Describe the order of two names that a chain demands."""
        if chain[0] == first:
            return f"'{first}' {self.verb} '{second}'"
        return f"{self.quote(chain[0])} {self.verb} '{first}' before '{second}'"

    def _report_cycle(self, chain: tuple[str, ...], documents: Mapping[str, Document], diags: Diagnostics) -> None:
        first, *others, _ = chain
        message = f"{self.circle}: {' → '.join(chain)}"
        related = tuple(
            RelatedSpan(self._parents_span(documents[name], parent), "the circle goes on here")
            for name, parent in zip(others, chain[2:], strict=True)
            if name in documents
        )
        span = self._parents_span(documents[first], chain[1])
        hint = f"take one of them out of '{self.verb}'" if others else f"take '{first}' out of its own '{self.verb}'"
        diags.add(Diagnostic(span, "ET302", message, hint, related=related, key=self.verb))

    def _parents_span(self, document: Document, parent: str = "") -> Span:
        """Return the span of a parent, or else that of the list of parents, or of the file."""
        listed = get_field(document, self.verb)
        parent_node = next((scalar for scalar in get_text_scalars(listed) if scalar.value == parent), None)
        return document.span(parent_node or listed or document.root)


def _find_swapped_pair(left: list[str], right: list[str]) -> tuple[str, str]:
    """Return two names with opposite orders in the two lists, or empty names if there are none."""
    pairs = ((a, b) for index, a in enumerate(left) for b in left[index + 1 :])
    swapped = ((a, b) for a, b in pairs if a in right and b in right and right.index(b) < right.index(a))
    return next(swapped, ("", ""))
