"""Environments: those of the root, and those that only one project declares."""

from collections.abc import Iterable, Mapping

from envtree.diagnostic import Diagnostic, Diagnostics, Related
from envtree.fields import field, flag, scalar_fields, text, texts
from envtree.link.inheritance import Conflict, Cycle, orders
from envtree.nearest import did_you_mean
from envtree.node import Document
from envtree.resource import Resources
from envtree.source import Kind
from envtree.span import whole_file
from envtree.workspace import Environment

_TYPES = ("development", "staging", "production")


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

    def report(name: str, wrong: Cycle | Conflict) -> None:
        if name in documents:
            _report(name, wrong, documents, diags)

    found = orders(parents, report)
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
    return [str(parent.value) for parent in texts(field(document, "inherits"))]


def _known_parents(name: str, document: Document, known: set[str], diags: Diagnostics) -> list[str]:
    for parent in texts(field(document, "inherits")):
        if parent.value not in known:
            message = f"environment '{name}' inherits '{parent.value}', which does not exist"
            hint = did_you_mean(str(parent.value), known - {name})
            diags.add(Diagnostic(document.span(parent), "ET301", message, hint, key="inherits"))
    return [parent for parent in _direct_parents(document) if parent in known]


def _report(name: str, wrong: Cycle | Conflict, documents: Mapping[str, Document], diags: Diagnostics) -> None:
    document = documents[name]
    place = document.span(field(document, "inherits") or document.root)
    if isinstance(wrong, Conflict):
        if name == wrong.name:  # those that inherit from it conflict as well
            message = f"the parents of environment '{name}' ask for orders that conflict: {wrong}"
            hint = "write 'inherits' in one order in all of them"
            related = _places([chain[0] for chain in wrong.chains], documents, "its own order")
            diags.add(Diagnostic(place, "ET303", message, hint, related, "inherits"))
        return
    if name != min(wrong.chain):
        return  # one circle is one mistake: its first name tells it
    related = _places(wrong.chain[1:-1], documents, "the circle goes on here")
    message = f"environments inherit in a circle: {wrong}"
    diags.add(Diagnostic(place, "ET302", message, "take one of them out of 'inherits'", related, "inherits"))


def _places(names: Iterable[str], documents: Mapping[str, Document], what: str) -> tuple[Related, ...]:
    """Where each of the environments says what it inherits."""
    found = [documents[name] for name in names if name in documents]
    return tuple(Related(one.span(field(one, "inherits") or one.root), what) for one in found)
