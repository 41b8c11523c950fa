"""Environments: those of the root, and those that only one project declares."""

from collections.abc import Mapping

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.link.inheritance import (
    InheritanceConflictError,
    InheritanceCycleError,
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
    """The environments of `environments/`, by name."""
    return _link_environments(resources.documents(Kind.ENVIRONMENT), {}, resources, "", diags)


def project_environments(
    project: str, root: Mapping[str, Environment], resources: Resources, diags: Diagnostics
) -> dict[str, Environment]:
    """All environments that a project can see: the root's and its own."""
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
    parents = {name: list(_direct_parents(environment.document)) for name, environment in inherited.items()}
    for name, document in documents.items():
        parents[name] = _existing_parents(name, document, {*inherited, *documents}, diags)

    every = {name: environment.document for name, environment in inherited.items()} | {**documents}

    def report(name: str, wrong: InheritanceCycleError | InheritanceConflictError) -> None:
        # Circles are told below, and those that inherit from a conflict conflict as well.
        if name in documents and isinstance(wrong, InheritanceConflictError) and name == wrong.name:
            diags.add(_conflict_finding(wrong, parents[name], every))

    found = linearize_all(parents, report)
    for chain in find_cycles(parents):
        if chain[0] in documents:
            _report_cycle(chain, documents, diags)
    return {
        name: Environment(
            name,
            document,
            _environment_type(name, document),
            is_true(get_field(document, "abstract")),
            found[name],
            scalar_fields(document, name=name, type=_environment_type(name, document)),
            resources.secrets_file(Kind.ENVIRONMENT, name, project),
        )
        for name, document in documents.items()
    }


def _environment_type(name: str, document: Document) -> str:
    return get_text(get_field(document, "type")) or (name if name in _TYPES else "development")


def _direct_parents(document: Document) -> list[str]:
    # One that is named twice has been told by the schema.
    return list(dict.fromkeys(str(parent.value) for parent in get_text_scalars(get_field(document, "inherits"))))


def _existing_parents(name: str, document: Document, known: set[str], diags: Diagnostics) -> list[str]:
    for parent in get_text_scalars(get_field(document, "inherits")):
        if parent.value not in known and is_valid_name(str(parent.value)):
            message = f"environment '{name}' inherits '{parent.value}', which does not exist"
            hint = did_you_mean(str(parent.value), known - {name})
            diags.add(Diagnostic(document.span(parent), "ET301", message, hint, key="inherits"))
    return [parent for parent in _direct_parents(document) if parent in known]


def _conflict_finding(
    conflict: InheritanceConflictError, parents: list[str], documents: Mapping[str, Document]
) -> Diagnostic:
    """Names that have to stand in two orders; one of the orders may be the list of the environment itself."""
    place, name = _inherits_span(documents[conflict.name]), conflict.name
    one, other = conflict.chains[::-1] if conflict.chains[1] == parents else conflict.chains
    first, second = _find_swapped_pair(one, other)
    if not first:
        # Three or more orders conflict, no two of them.
        message, hint = f"the parents of environment '{name}' ask for orders that conflict: {conflict}", _ORDER_HINT
        related = [
            RelatedSpan(_inherits_span(documents[chain[0]]), "its own order")
            for chain in (one, other)
            if chain != parents
        ]
        return Diagnostic(place, "ET303", message, hint, tuple(related), "inherits")
    ours, theirs = _describe_order(one, first, second), _describe_order(other, second, first)
    related = [RelatedSpan(_inherits_span(documents[other[0]]), theirs)]
    if one == parents:
        message = f"environment '{name}' inherits '{first}' before '{second}', but {theirs}"
        hint = f"put '{second}' before '{first}'" + (", which it inherits" if other[0] == second else "")
    else:
        message = f"the parents of environment '{name}' conflict: {ours}, but {theirs}"
        hint = _ORDER_HINT
        related = [RelatedSpan(_inherits_span(documents[one[0]]), ours), *related]
    return Diagnostic(place, "ET303", message, hint, tuple(related), "inherits")


def _find_swapped_pair(one: list[str], other: list[str]) -> tuple[str, str]:
    """Two names whose order in one list is not that in the other; empty if there are none."""
    pairs = ((a, b) for n, a in enumerate(one) for b in one[n + 1 :])
    swapped = ((a, b) for a, b in pairs if a in other and b in other and other.index(b) < other.index(a))
    return next(swapped, ("", ""))


def _describe_order(chain: list[str], first: str, second: str) -> str:
    """What an environment says about two names."""
    if chain[0] == first:
        return f"'{first}' inherits '{second}'"
    return f"'{chain[0]}' inherits '{first}' before '{second}'"


def _report_cycle(chain: tuple[str, ...], documents: Mapping[str, Document], diags: Diagnostics) -> None:
    first, *others, _ = chain
    message = f"environments inherit in a circle: {' → '.join(chain)}"
    related = tuple(
        RelatedSpan(_inherits_span(documents[name], to), "the circle goes on here")
        for name, to in zip(others, chain[2:], strict=True)
        if name in documents
    )
    place = _inherits_span(documents[first], chain[1])
    hint = "take one of them out of 'inherits'" if others else f"take '{first}' out of its own 'inherits'"
    diags.add(Diagnostic(place, "ET302", message, hint, related, "inherits"))


def _inherits_span(document: Document, parent: str = "") -> Span:
    """Where an environment says what it inherits, or that it inherits one."""
    inherits = get_field(document, "inherits")
    named = next((one for one in get_text_scalars(inherits) if one.value == parent), None)
    return document.span(named or inherits or document.root)
