"""Link the `output` section of organization.yaml: formats, names and templates."""

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
# Reserved regardless of the selected formats, because the selection may change. The schema refuses names that begin
# with a dot.
_RESERVED_FILE_NAMES = frozenset(
    {*FORMAT_INDEPENDENT_FILES, SECRETS_BUNDLE_FILE, *(file for entry in FORMATS for file in entry.files)} - {".env"}
)


def link_output(document: Document, diags: Diagnostics) -> OutputSettings:
    """Return the output settings; report templates that could not be written."""
    patterns = as_mapping(get_field(document, "output", "env"))
    formats = get_text_scalars(get_field(document, "output", "formats"))
    settings = OutputSettings(
        secrets_mode=_MODES.get(get_text(get_field(document, "output", "secrets")) or "", "plain"),
        formats=tuple(str(item.value) for item in formats),
        env_patterns={
            section: get_text(node) or "" for section, node in (patterns.entries if patterns else {}).items()
        },
        kubernetes=_read_kubernetes(document),
        templates=tuple(_read_templates(document, diags)),
    )
    if "template" in settings.formats and not settings.templates:
        span = document.span(next(item for item in formats if item.value == "template"))
        message, hint = "format 'template' needs a template", "name one in 'output.templates'"
        diags.add(Diagnostic(span, "ET202", message, hint, key="output.formats"))
    return settings


def _read_kubernetes(document: Document) -> KubernetesSettings:
    def text_at(*path: str) -> str:
        return get_text(get_field(document, "output", "kubernetes", *path)) or ""

    defaults = KubernetesSettings()
    name = text_at("secret_store", "name")
    return KubernetesSettings(
        name_pattern=text_at("name") or defaults.name_pattern,
        namespace=text_at("namespace"),
        hash_suffix=is_true(get_field(document, "output", "kubernetes", "hash_suffix")),
        secret_store=SecretStore(name, text_at("secret_store", "kind") or "SecretStore") if name else None,
        refresh_interval=text_at("refresh_interval") or defaults.refresh_interval,
    )


def _read_templates(document: Document, diags: Diagnostics) -> Iterator[TemplateFile]:
    declared = as_mapping(get_field(document, "output", "templates"))
    for name, node in (declared.entries if declared else {}).items():
        assert declared is not None
        path = get_text(node)
        if name in _RESERVED_FILE_NAMES:
            message, hint = f"'{name}' is a file that envtree itself writes", "choose another name"
            span = document.key_span(declared, name)
            diags.add(Diagnostic(span, "ET207", message, hint, key="output.templates"))
        elif path:
            yield TemplateFile(name, path, document.span(node))
