"""The types of environments, which are inherited."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text, get_text_scalars
from envtree.model.nodes import Document
from envtree.model.span import Span, file_span

_DEFAULT = "development"
_TYPES = (_DEFAULT, "staging", "production")


class EnvironmentTypes(NamedTuple):
    """The types of environments, from their files and their ancestors, lowest first."""

    documents: Mapping[str, Document]
    lineages: Mapping[str, tuple[str, ...]]

    def type_of(self, name: str) -> str:
        """Return the type that an environment declares, else that of its first ancestor that declares one."""
        return next(self._declared_types(name), (name, _DEFAULT))[1]

    def report_conflicts(self, name: str, diags: Diagnostics) -> None:
        """Report ancestors of different types, of which only the order of inheritance selects one."""
        (source, chosen), *others = [*self._declared_types(name)] or [(name, _DEFAULT)]
        document = self.documents[name]
        parents = get_text_scalars(get_field(document, "inherits"))
        known = [{*self.lineages.get(str(parent.value), ())} for parent in parents]
        conflicts = [
            (other, declared)
            for other, declared in others
            if declared != chosen
            and other not in self.lineages[source]
            # Where a parent has both, the conflict is that of the parent.
            and not any({source, other} <= lineage for lineage in known)
        ]
        if source == name or not conflicts:
            return
        other, declared = conflicts[0]
        bringer = next(parent for parent, lineage in zip(parents, known, strict=True) if other in lineage)
        message = f"environment '{name}' is of type '{chosen}', as '{source}' is, but '{other}' is of type '{declared}'"
        hint = f"write 'type: {chosen}' or 'type: {declared}' in environment '{name}'"
        related = tuple(
            RelatedSpan(self._type_span(ancestor), f"of type '{type}'")
            for ancestor, type in ((source, chosen), *conflicts)
        )
        diags.add(Diagnostic(document.span(bringer), "ET330", message, hint, related=related, key="inherits"))

    def _declared_types(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the types that an environment and its ancestors declare, in the order of inheritance."""
        for ancestor in reversed(self.lineages[name]):
            declared = get_text(get_field(self.documents[ancestor], "type"))
            if declared or ancestor in _TYPES:
                yield ancestor, declared or ancestor

    def _type_span(self, name: str) -> Span:
        document = self.documents[name]
        node = get_field(document, "type")
        return document.span(node) if node else file_span(document.path)
