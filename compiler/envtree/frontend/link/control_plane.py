"""What organization.yaml says about the control plane, with defaults for what it does not."""

from envtree.model.control_plane import ControlPlane, Patterns
from envtree.model.fields import field, mapping, text
from envtree.model.nodes import Document


def link_control_plane(document: Document) -> ControlPlane:
    """The settings; that the section is there means that the tree describes an organization of the control plane."""
    section = mapping(field(document, "control_plane"))
    if section is None:
        return ControlPlane()
    names = {name: text(field(document, "control_plane", "names", name)) for name in Patterns._fields}
    return ControlPlane(
        Patterns()._replace(**{name: pattern for name, pattern in names.items() if pattern}),
        "none" if text(section.entries.get("workflows")) == "none" else "skill",
        text(field(document, "control_plane", "terraform", "source")) or ControlPlane().source,
        document.key_span(document.root, "control_plane"),
    )
