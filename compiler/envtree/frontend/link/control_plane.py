"""What organization.yaml says about the control plane, with defaults for what it does not."""

from envtree.model.control_plane_settings import ControlPlaneSettings, NamePatterns
from envtree.model.fields import as_mapping, get_field, get_text
from envtree.model.nodes import Document


def link_control_plane(document: Document) -> ControlPlaneSettings:
    """The settings; that the section is there means that the tree describes an organization of the control plane."""
    section = as_mapping(get_field(document, "control_plane"))
    if section is None:
        return ControlPlaneSettings()
    names = {name: get_text(get_field(document, "control_plane", "names", name)) for name in NamePatterns._fields}
    return ControlPlaneSettings(
        NamePatterns()._replace(**{name: pattern for name, pattern in names.items() if pattern}),
        "none" if get_text(section.entries.get("workflows")) == "none" else "skill",
        get_text(get_field(document, "control_plane", "terraform", "source")) or ControlPlaneSettings().provider_source,
        document.key_span(document.root, "control_plane"),
    )
