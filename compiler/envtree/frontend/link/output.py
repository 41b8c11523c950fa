"""What organization.yaml says about the output: formats, names, and files of its own."""

from collections.abc import Iterator, Mapping

from envtree.model.artifact import SecretsMode
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import as_mapping, get_field, get_text, get_text_scalars, is_true
from envtree.model.formats import FORMATS
from envtree.model.nodes import Document
from envtree.model.output_settings import (
    FORMAT_INDEPENDENT_FILES,
    KubernetesSettings,
    OutputSettings,
    SecretStore,
    TemplateFile,
)
from envtree.model.secret_entries import SECRETS_BUNDLE_FILE

_MODES: Mapping[str, SecretsMode] = {"plain": "plain", "ref": "ref", "seal": "seal"}
# Names that are taken, whatever the formats are: they may be others tomorrow. Those with a dot the schema has refused.
_RESERVED_FILE_NAMES = frozenset(
    {*FORMAT_INDEPENDENT_FILES, SECRETS_BUNDLE_FILE, *(file for each in FORMATS for file in each.files)} - {".env"}
)


def link_output(document: Document, diags: Diagnostics) -> OutputSettings:
    """The settings; templates that could not be written are reported."""
    patterns = as_mapping(get_field(document, "output", "env"))
    formats = get_text_scalars(get_field(document, "output", "formats"))
    found = OutputSettings(
        _MODES.get(get_text(get_field(document, "output", "secrets")) or "", "plain"),
        tuple(str(item.value) for item in formats),
        {section: get_text(node) or "" for section, node in (patterns.entries if patterns else {}).items()},
        _read_kubernetes(document),
        tuple(_read_templates(document, diags)),
    )
    if "template" in found.formats and not found.templates:
        place = document.span(next(item for item in formats if item.value == "template"))
        message, hint = "format 'template' needs a template", "name one in 'output.templates'"
        diags.add(Diagnostic(place, "ET202", message, hint, key="output.formats"))
    return found


def _read_kubernetes(document: Document) -> KubernetesSettings:
    def said(*path: str) -> str:
        return get_text(get_field(document, "output", "kubernetes", *path)) or ""

    defaults = KubernetesSettings()
    name = said("secret_store", "name")
    return KubernetesSettings(
        said("name") or defaults.name_pattern,
        said("namespace"),
        is_true(get_field(document, "output", "kubernetes", "hash_suffix")),
        SecretStore(name, said("secret_store", "kind") or "SecretStore") if name else None,
        said("refresh_interval") or defaults.refresh_interval,
    )


def _read_templates(document: Document, diags: Diagnostics) -> Iterator[TemplateFile]:
    declared = as_mapping(get_field(document, "output", "templates"))
    for name, node in (declared.entries if declared else {}).items():
        assert declared is not None
        path = get_text(node)
        if name in _RESERVED_FILE_NAMES:
            message, hint = f"'{name}' is a file that envtree itself writes", "choose another name"
            place = document.key_span(declared, name)
            diags.add(Diagnostic(place, "ET207", message, hint, key="output.templates"))
        elif path:
            yield TemplateFile(name, path, document.span(node))
