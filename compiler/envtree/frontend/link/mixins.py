"""Link mix-ins, and the entities that use them."""

from collections.abc import Mapping

from envtree.frontend.link.ancestry import Ancestry
from envtree.frontend.link.inheritance import InheritanceError, linearize
from envtree.frontend.link.overlays import own_file_overlays
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text_scalars, use_span
from envtree.model.nodes import Document, Node
from envtree.model.resource import Resources
from envtree.model.source import Kind
from envtree.model.workspace import Mixin, Workspace

_ANCESTRY = Ancestry("mix-in", "uses", "mix-ins use each other in a circle")


def link_mixins(resources: Resources, diags: Diagnostics) -> dict[str, Mixin]:
    """Return the mix-ins of a tree by name."""
    documents = resources.documents(Kind.MIXIN)
    parents = {
        name: _ANCESTRY.existing_parents(name, document, documents, diags) for name, document in documents.items()
    }
    lineages = _ANCESTRY.link(parents, documents, {}, diags)
    return {
        name: Mixin(
            name=name,
            document=document,
            overlays=own_file_overlays(document, resources, resources.name_index.environment_names, diags),
            lineage=lineages[name],
            secrets=resources.secrets_file(Kind.MIXIN, name),
        )
        for name, document in documents.items()
    }


class MixinUses:
    """Finds the mix-ins of entities; equal lists are put in order once."""

    def __init__(self, mixins: Mapping[str, Mixin]) -> None:
        self._mixins = mixins
        self._documents = {name: mixin.document for name, mixin in mixins.items()}
        self._parents = {
            name: [parent for parent in _ANCESTRY.direct_parents(mixin.document) if parent in mixins]
            for name, mixin in mixins.items()
        }
        self._orders: dict[tuple[str, ...], tuple[Mixin, ...] | None] = {}

    def find(self, document: Document | None, owner: str, diags: Diagnostics) -> tuple[Mixin, ...]:
        """Return the mix-ins that an entity uses, lowest first; report those that do not exist or have no order."""
        if document is None or get_field(document, "uses") is None:
            return ()
        ancestry = _ANCESTRY._replace(owner=owner)
        used = ancestry.existing_parents("", document, self._mixins, diags)
        if tuple(used) not in self._orders:
            self._orders[tuple(used)] = self._in_order(used)
        order = self._orders[tuple(used)]
        if order is None:
            ancestry.link({**self._parents, "": used}, {"": document}, self._documents, diags)
        return order or ()

    def _in_order(self, used: list[str]) -> tuple[Mixin, ...] | None:
        """Return the mix-ins of a list, with those that they use; None if there is no order."""
        try:
            names = linearize("", {**self._parents, "": used})
        except InheritanceError:
            return None
        return tuple(self._mixins[name] for name in names if name)


def check_mixin_readers(workspace: Workspace, diags: Diagnostics) -> None:
    """Report each use of a mix-in with secrets in a project whose readers differ from those of the organization."""
    organization = get_field(workspace.organization.document, "secret_readers")
    for project in workspace.projects:
        declared = get_field(project.document, "secret_readers")
        if project.document is None or declared is None or _names(declared) == _names(organization):
            continue
        related = RelatedSpan(project.document.span(declared), "the readers of this project")
        for document, mixin in project.mixin_uses():
            if _has_secrets(mixin):
                diags.add(_reader_finding(document, mixin, related))


def _names(readers: Node | None) -> set[str]:
    return {str(name.value) for name in get_text_scalars(readers)}


def _has_secrets(mixin: Mixin) -> bool:
    return bool(mixin.secrets) or any(overlay.secrets for overlay in mixin.overlays.values())


def _reader_finding(user: Document, mixin: Mixin, related: RelatedSpan) -> Diagnostic:
    message = f"the secrets of mix-in '{mixin.name}' are for the readers of the organization, not of this project"
    hint = "take it out of 'uses', or remove 'secret_readers' from the project"
    return Diagnostic(use_span(user, mixin.name), "ET316", message, hint, (related,), "uses")
