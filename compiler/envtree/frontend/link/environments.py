"""Environments: those of the root, and those that only one project declares."""

from collections.abc import Mapping

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.link.circles import circles
from envtree.frontend.link.inheritance import Conflict, Cycle, orders
from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.fields import field, flag, scalar_fields, text, texts
from envtree.model.nodes import Document
from envtree.model.resource import Resources
from envtree.model.source import Kind
from envtree.model.span import Span, whole_file
from envtree.model.tree_layout import is_name
from envtree.model.workspace import Environment

_TYPES = ("development", "staging", "production")
_ONE_ORDER = "write the names in one order in every 'inherits'"


def root_environments(resources: Resources, diags: Diagnostics) -> dict[str, Environment]:
    """The environments of `environments/`, by name."""
    return _link(resources.documents(Kind.ENVIRONMENT), {}, resources, "", diags)


def project_environments(
    project: str, root: Mapping[str, Environment], resources: Resources, diags: Diagnostics
) -> dict[str, Environment]:
    """All environments that a project can see: the root's and its own."""
    documents = resources.documents(Kind.ENVIRONMENT, project)
    for name, document in documents.items():
        message = f"environment '{name}' is declared by project '{project}' only"
        hint = f"declare it in environments/{name}.yaml, so that all projects use one set of names"
        diags.add(Diagnostic(whole_file(document.path), "ET351", message, hint))
    own = _link(documents, root, resources, project, diags)
    return dict(sorted({**root, **own}.items()))


def _link(
    documents: Mapping[str, Document],
    known: Mapping[str, Environment],
    resources: Resources,
    project: str,
    diags: Diagnostics,
) -> dict[str, Environment]:
    parents = {name: list(_direct_parents(environment.document)) for name, environment in known.items()}
    for name, document in documents.items():
        parents[name] = _known_parents(name, document, {*known, *documents}, diags)

    every = {name: environment.document for name, environment in known.items()} | {**documents}

    def report(name: str, wrong: Cycle | Conflict) -> None:
        # Circles are told below, and those that inherit from a conflict conflict as well.
        if name in documents and isinstance(wrong, Conflict) and name == wrong.name:
            diags.add(_conflict(wrong, parents[name], every))

    found = orders(parents, report)
    for chain in circles(parents):
        if chain[0] in documents:
            _report_circle(chain, documents, diags)
    return {
        name: Environment(
            name,
            document,
            _type(name, document),
            flag(field(document, "abstract")),
            found[name],
            scalar_fields(document, name=name, type=_type(name, document)),
            resources.secrets(Kind.ENVIRONMENT, name, project),
        )
        for name, document in documents.items()
    }


def _type(name: str, document: Document) -> str:
    return text(field(document, "type")) or (name if name in _TYPES else "development")


def _direct_parents(document: Document) -> list[str]:
    # One that is named twice has been told by the schema.
    return list(dict.fromkeys(str(parent.value) for parent in texts(field(document, "inherits"))))


def _known_parents(name: str, document: Document, known: set[str], diags: Diagnostics) -> list[str]:
    for parent in texts(field(document, "inherits")):
        if parent.value not in known and is_name(str(parent.value)):
            message = f"environment '{name}' inherits '{parent.value}', which does not exist"
            hint = did_you_mean(str(parent.value), known - {name})
            diags.add(Diagnostic(document.span(parent), "ET301", message, hint, key="inherits"))
    return [parent for parent in _direct_parents(document) if parent in known]


def _conflict(wrong: Conflict, parents: list[str], documents: Mapping[str, Document]) -> Diagnostic:
    """Names that have to stand in two orders; one of the orders may be the list of the environment itself."""
    place, name = _place(documents[wrong.name]), wrong.name
    one, other = wrong.chains[::-1] if wrong.chains[1] == parents else wrong.chains
    first, second = _swapped(one, other)
    if not first:
        # Three or more orders conflict, no two of them.
        message, hint = f"the parents of environment '{name}' ask for orders that conflict: {wrong}", _ONE_ORDER
        related = [Related(_place(documents[chain[0]]), "its own order") for chain in (one, other) if chain != parents]
        return Diagnostic(place, "ET303", message, hint, tuple(related), "inherits")
    ours, theirs = _order(one, first, second), _order(other, second, first)
    related = [Related(_place(documents[other[0]]), theirs)]
    if one == parents:
        message = f"environment '{name}' inherits '{first}' before '{second}', but {theirs}"
        hint = f"put '{second}' before '{first}'" + (", which it inherits" if other[0] == second else "")
    else:
        message = f"the parents of environment '{name}' conflict: {ours}, but {theirs}"
        hint = _ONE_ORDER
        related = [Related(_place(documents[one[0]]), ours), *related]
    return Diagnostic(place, "ET303", message, hint, tuple(related), "inherits")


def _swapped(one: list[str], other: list[str]) -> tuple[str, str]:
    """Two names whose order in one list is not that in the other; empty if there are none."""
    pairs = ((a, b) for n, a in enumerate(one) for b in one[n + 1 :])
    swapped = ((a, b) for a, b in pairs if a in other and b in other and other.index(b) < other.index(a))
    return next(swapped, ("", ""))


def _order(chain: list[str], first: str, second: str) -> str:
    """What an environment says about two names."""
    if chain[0] == first:
        return f"'{first}' inherits '{second}'"
    return f"'{chain[0]}' inherits '{first}' before '{second}'"


def _report_circle(chain: tuple[str, ...], documents: Mapping[str, Document], diags: Diagnostics) -> None:
    first, *others, _ = chain
    message = f"environments inherit in a circle: {' → '.join(chain)}"
    related = tuple(
        Related(_place(documents[name], to), "the circle goes on here")
        for name, to in zip(others, chain[2:], strict=True)
        if name in documents
    )
    place = _place(documents[first], chain[1])
    hint = "take one of them out of 'inherits'" if others else f"take '{first}' out of its own 'inherits'"
    diags.add(Diagnostic(place, "ET302", message, hint, related, "inherits"))


def _place(document: Document, parent: str = "") -> Span:
    """Where an environment says what it inherits, or that it inherits one."""
    inherits = field(document, "inherits")
    named = next((one for one in texts(inherits) if one.value == parent), None)
    return document.span(named or inherits or document.root)
