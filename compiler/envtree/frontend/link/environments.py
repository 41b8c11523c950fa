"""Link environments: those of the root, and those that only one project declares."""

from collections.abc import Mapping

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
from envtree.model.fields import get_field, get_text, get_text_scalars, is_true, scalar_fields
from envtree.model.nodes import Document
from envtree.model.resource import Resources
from envtree.model.source import Kind
from envtree.model.span import Span, file_span
from envtree.model.tree_layout import is_valid_name
from envtree.model.workspace import Environment

_TYPES = ("development", "staging", "production")
_ORDER_HINT = "write the names in one order in every 'inherits'"


def root_environments(resources: Resources, diags: Diagnostics) -> dict[str, Environment]:
    """Return the environments of the root folder `environments/`, by name."""
    return _link_environments(resources.documents(Kind.ENVIRONMENT), {}, resources, "", diags)


def project_environments(
    project: str, root: Mapping[str, Environment], resources: Resources, diags: Diagnostics
) -> dict[str, Environment]:
    """Return all environments that are visible to a project: the root's and its own."""
    documents = resources.documents(Kind.ENVIRONMENT, project)
    for name, document in documents.items():
        message = f"environment '{name}' is declared by project '{project}' only"
        hint = f"declare it in environments/{name}.yaml, so that all projects use one set of names"
        diags.add(Diagnostic(file_span(document.path), "ET351", message, hint))
    own = _link_environments(documents, root, resources, project, diags)
    return dict(sorted({**root, **own}.items()))


def _link_environments(
    documents: Mapping[str, Document],
    inherited: Mapping[str, Environment],
    resources: Resources,
    project: str,
    diags: Diagnostics,
) -> dict[str, Environment]:
    if not documents:
        return {}
    parents = {name: list(_direct_parents(environment.document)) for name, environment in inherited.items()}
    existing = {*inherited, *documents}
    for name, document in documents.items():
        parents[name] = _existing_parents(name, document, existing, diags)

    all_documents = {name: environment.document for name, environment in inherited.items()} | {**documents}

    def report(name: str, error: InheritanceError) -> None:
        # Cycles are reported below. Heirs of an environment with an error have the same error.
        if name in documents and isinstance(error, InheritanceConflictError) and name == error.name:
            diags.add(_conflict_finding(error, parents[name], all_documents))
        elif name in documents and isinstance(error, TooManyAncestorsError) and name == error.name:
            diags.add(_too_many_ancestors_finding(documents[name], name))

    lineages = linearize_all(parents, report)
    for chain in find_cycles(parents):
        if chain[0] in documents:
            _report_cycle(chain, documents, diags)
    return {
        name: Environment(
            name=name,
            document=document,
            type=_environment_type(name, document),
            abstract=is_true(get_field(document, "abstract")),
            lineage=lineages[name],
            fields=scalar_fields(document, name=name, type=_environment_type(name, document)),
            secrets=resources.secrets_file(Kind.ENVIRONMENT, name, project),
        )
        for name, document in documents.items()
    }


def _environment_type(name: str, document: Document) -> str:
    return get_text(get_field(document, "type")) or (name if name in _TYPES else "development")


def _direct_parents(document: Document) -> list[str]:
    # A name that occurs twice is reported by the schema check.
    return list(dict.fromkeys(str(parent.value) for parent in get_text_scalars(get_field(document, "inherits"))))


def _existing_parents(name: str, document: Document, existing: set[str], diags: Diagnostics) -> list[str]:
    for parent in get_text_scalars(get_field(document, "inherits")):
        if parent.value not in existing and is_valid_name(str(parent.value)):
            message = f"environment '{name}' inherits '{parent.value}', which does not exist"
            hint = did_you_mean(str(parent.value), existing - {name})
            diags.add(Diagnostic(document.span(parent), "ET301", message, hint, key="inherits"))
    return [parent for parent in _direct_parents(document) if parent in existing]


def _too_many_ancestors_finding(document: Document, name: str) -> Diagnostic:
    message = f"environment '{name}' has more than {MAX_ANCESTORS} ancestors"
    hint = "inherit from fewer environments: put what several of them set into one"
    return Diagnostic(_inherits_span(document), "ET315", message, hint, key="inherits")


def _conflict_finding(
    conflict: InheritanceConflictError, parents: list[str], documents: Mapping[str, Document]
) -> Diagnostic:
    """Report two names that must be in opposite orders; one order may be the list of the environment itself."""
    span, name = _inherits_span(documents[conflict.name]), conflict.name
    left, right = conflict.chains[::-1] if conflict.chains[1] == parents else conflict.chains
    first, second = _find_swapped_pair(left, right)
    if not first:
        # Three or more orders conflict, but no two of them.
        message, hint = f"the parents of environment '{name}' ask for orders that conflict: {conflict}", _ORDER_HINT
        related = [
            RelatedSpan(_inherits_span(documents[chain[0]]), "its own order")
            for chain in (left, right)
            if chain != parents
        ]
        return Diagnostic(span, "ET303", message, hint, related=tuple(related), key="inherits")
    left_note, right_note = _describe_order(left, first, second), _describe_order(right, second, first)
    related = [RelatedSpan(_inherits_span(documents[right[0]]), right_note)]
    if left == parents:
        message = f"environment '{name}' inherits '{first}' before '{second}', but {right_note}"
        hint = f"put '{second}' before '{first}'" + (", which it inherits" if right[0] == second else "")
    else:
        message = f"the parents of environment '{name}' conflict: {left_note}, but {right_note}"
        hint = _ORDER_HINT
        related = [RelatedSpan(_inherits_span(documents[left[0]]), left_note), *related]
    return Diagnostic(span, "ET303", message, hint, related=tuple(related), key="inherits")


def _find_swapped_pair(left: list[str], right: list[str]) -> tuple[str, str]:
    """Return two names with opposite orders in the two lists, or empty names if there are none."""
    pairs = ((a, b) for index, a in enumerate(left) for b in left[index + 1 :])
    swapped = ((a, b) for a, b in pairs if a in right and b in right and right.index(b) < right.index(a))
    return next(swapped, ("", ""))


def _describe_order(chain: list[str], first: str, second: str) -> str:
    """Describe the order of two names that an environment demands."""
    if chain[0] == first:
        return f"'{first}' inherits '{second}'"
    return f"'{chain[0]}' inherits '{first}' before '{second}'"


def _report_cycle(chain: tuple[str, ...], documents: Mapping[str, Document], diags: Diagnostics) -> None:
    first, *others, _ = chain
    message = f"environments inherit in a circle: {' → '.join(chain)}"
    related = tuple(
        RelatedSpan(_inherits_span(documents[name], parent), "the circle goes on here")
        for name, parent in zip(others, chain[2:], strict=True)
        if name in documents
    )
    span = _inherits_span(documents[first], chain[1])
    hint = "take one of them out of 'inherits'" if others else f"take '{first}' out of its own 'inherits'"
    diags.add(Diagnostic(span, "ET302", message, hint, related=related, key="inherits"))


def _inherits_span(document: Document, parent: str = "") -> Span:
    """Return the span of a parent in `inherits`, or else that of `inherits`, or of the file."""
    inherits = get_field(document, "inherits")
    parent_node = next((scalar for scalar in get_text_scalars(inherits) if scalar.value == parent), None)
    return document.span(parent_node or inherits or document.root)
