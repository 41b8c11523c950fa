"""The stage that checks one file by itself: its schema, its directives, and what no schema can say."""

import re
from typing import Any

import orjson

from envtree.diagnostics.deduplicate import distinct
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate import reserved
from envtree.frontend.validate.credentials import check_credentials, check_inputs
from envtree.frontend.validate.definitions import check_definitions
from envtree.frontend.validate.directives import check_directives, check_sealed_directives
from envtree.frontend.validate.rules import (
    check_edition,
    check_expressions,
    check_keys,
    check_name,
    check_reserved,
    check_rounded,
    check_secret_paths,
    named,
)
from envtree.frontend.validate.schedule import check_schedule
from envtree.frontend.validate.sealed import read_sealed
from envtree.frontend.validate.sections import LAYERS, SECTION, below_section, plain
from envtree.frontend.validate.shape import shape
from envtree.frontend.validate.templates import check_templates, may_hold
from envtree.model import credential_patterns as credential
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import format_path, parse_path
from envtree.model.nodes import Document
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.model.span import whole_file

# In JSON, where only a key is followed by ':': a key that begins with '$', and one that holds an expression.
_DOLLAR_KEY = re.compile(rb'"\$[^"\\]*+(?:\\.[^"\\]*+)*+":')
_EXPRESSION_KEY = re.compile(rb'\$\{\{[^"\\]*+(?:\\.[^"\\]*+)*+":')


def validate(document: Document, schemas: Schemas, diags: Diagnostics) -> Resource:
    """Check one file; what is wrong with it is reported, and whoever builds on it looks there."""
    if document.location.kind is not Kind.SECRETS:
        diags.extend(_as_in_bundle(finding) for finding in distinct(_check_plain(document, schemas), (document,)))
        return Resource(document.location, document)
    findings = Diagnostics()
    sealed = read_sealed(document, findings)
    if sealed:
        findings.extend(check_sealed_directives(document, sealed.content))
    diags.extend(distinct(findings, (document,)))
    return Resource(document.location, document, sealed)


def _check_plain(document: Document, schemas: Schemas) -> list[Diagnostic]:
    data = document.root.value
    # As JSON, a file shows at once whether it has any of these; to look for them costs more than its schema does.
    text = orjson.dumps(data)
    errors = [*check_name(document), *check_edition(document), *check_schedule(document), *check_definitions(document)]
    if b'"secrets"' in text:
        errors += check_secret_paths(document)
    if b"${{" in text:
        errors += check_expressions(document)
        if _EXPRESSION_KEY.search(text):
            errors += check_keys(document)
    if _DOLLAR_KEY.search(text):
        errors += check_directives(document)
        if document.location.kind in LAYERS:
            data = plain(document)
    errors += _check_shape(document, data, schemas, errors)
    errors += check_rounded(document)
    if document.location.kind is Kind.ORGANIZATION:
        errors += check_inputs(document)
    if reserved.may_be_in(text):
        errors += check_reserved(document)
    if credential.may_be_in(text):
        errors += check_credentials(document)
    return [*errors, *check_templates(document)] if may_hold(text) else errors


def _as_in_bundle(finding: Diagnostic) -> Diagnostic:
    """The finding with the key that the later stages would give it."""
    inside = f"{SECTION}." in finding.key
    return finding._replace(key=format_path(below_section(parse_path(finding.key)))) if inside else finding


def _check_shape(
    document: Document, data: dict[str, Any], schemas: Schemas, reported: list[Diagnostic]
) -> list[Diagnostic]:
    kind, data = document.location.kind, named(document, data)
    if schemas.is_valid(kind, data):
        return []
    found = shape(document, schemas.faults(kind, data), reported)
    if found or reported:
        return found
    return [Diagnostic(whole_file(document.path), "ET207", f"the file does not fit the schema '{kind}'")]
