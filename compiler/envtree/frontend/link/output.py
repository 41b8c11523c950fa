"""What organization.yaml says about the output: formats, names, and files of its own."""

from collections.abc import Iterator, Mapping

from envtree.model.artifact import Mode
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import field, flag, mapping, text, texts
from envtree.model.formats import FORMATS
from envtree.model.nodes import Document
from envtree.model.output_settings import OTHERS, Kubernetes, OutputSettings, Store, TemplateFile
from envtree.model.secret_placeholders import SECRETS_FILE

_MODES: Mapping[str, Mode] = {"plain": "plain", "ref": "ref", "seal": "seal"}
# Names that are taken, whatever the formats are: they may be others tomorrow. Those with a dot the schema has refused.
_TAKEN = frozenset({*OTHERS, SECRETS_FILE, *(file for each in FORMATS for file in each.files)} - {".env"})


def link_output(document: Document, diags: Diagnostics) -> OutputSettings:
    """The settings; templates that could not be written are reported."""
    patterns = mapping(field(document, "output", "env"))
    formats = texts(field(document, "output", "formats"))
    found = OutputSettings(
        _MODES.get(text(field(document, "output", "secrets")) or "", "plain"),
        tuple(str(item.value) for item in formats),
        {section: text(node) or "" for section, node in (patterns.entries if patterns else {}).items()},
        _kubernetes(document),
        tuple(_templates(document, diags)),
    )
    if "template" in found.formats and not found.templates:
        place = document.span(next(item for item in formats if item.value == "template"))
        message, hint = "format 'template' needs a template", "name one in 'output.templates'"
        diags.add(Diagnostic(place, "ET202", message, hint, key="output.formats"))
    return found


def _kubernetes(document: Document) -> Kubernetes:
    def said(*path: str) -> str:
        return text(field(document, "output", "kubernetes", *path)) or ""

    usual = Kubernetes()
    name = said("secret_store", "name")
    return Kubernetes(
        said("name") or usual.name,
        said("namespace"),
        flag(field(document, "output", "kubernetes", "hash_suffix")),
        Store(name, said("secret_store", "kind") or "SecretStore") if name else None,
        said("refresh_interval") or usual.refresh_interval,
    )


def _templates(document: Document, diags: Diagnostics) -> Iterator[TemplateFile]:
    declared = mapping(field(document, "output", "templates"))
    for name, node in (declared.entries if declared else {}).items():
        assert declared is not None
        path = text(node)
        if name in _TAKEN:
            message, hint = f"'{name}' is a file that envtree itself writes", "choose another name"
            place = document.key_span(declared, name)
            diags.add(Diagnostic(place, "ET207", message, hint, key="output.templates"))
        elif path:
            yield TemplateFile(name, path, document.span(node))
