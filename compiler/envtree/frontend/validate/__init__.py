"""The stage that checks one file by itself: its schema, its directives, and what no schema can say."""

import re
from typing import Any

import orjson

from envtree.diagnostics.deduplicate import deduplicate_findings
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate import reserved_names as reserved
from envtree.frontend.validate.credentials import check_credentials, check_inputs
from envtree.frontend.validate.cron_schedule import check_schedule
from envtree.frontend.validate.directives import check_directives, check_secrets_file_directives
from envtree.frontend.validate.execution_environment import (
    EXECUTION_ENVIRONMENT,
    LAYER_KINDS,
    data_without_directives,
    to_bundle_path,
)
from envtree.frontend.validate.schema_findings import report_faults
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.frontend.validate.semantic_checks import (
    check_edition,
    check_expression_keys,
    check_expressions,
    check_name,
    check_reserved_names,
    check_rounded_numbers,
    check_secret_paths,
    check_templates,
    may_contain_templates,
    with_name,
)
from envtree.frontend.validate.workflow_definitions import check_workflow_definitions
from envtree.model import credential_patterns as credential
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import format_path, parse_path
from envtree.model.nodes import Document
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.model.span import file_span

# In JSON, where only a key is followed by ':': a key that begins with '$', and one that holds an expression.
_DOLLAR_KEY = re.compile(rb'"\$[^"\\]*+(?:\\.[^"\\]*+)*+":')
_EXPRESSION_KEY = re.compile(rb'\$\{\{[^"\\]*+(?:\\.[^"\\]*+)*+":')


def validate(document: Document, schemas: Schemas, diags: Diagnostics) -> Resource:
    """Check one file; what is wrong with it is reported, and whoever builds on it looks there."""
    if document.location.kind is not Kind.SECRETS:
        diags.extend(
            _with_bundle_key(finding)
            for finding in deduplicate_findings(_check_unencrypted(document, schemas), (document,))
        )
        return Resource(document.location, document)
    findings = Diagnostics()
    sealed = read_secrets_file(document, findings)
    if sealed:
        findings.extend(check_secrets_file_directives(document, sealed.content))
    diags.extend(deduplicate_findings(findings, (document,)))
    return Resource(document.location, document, sealed)


def _check_unencrypted(document: Document, schemas: Schemas) -> list[Diagnostic]:
    data = document.root.value
    # As JSON, a file shows at once whether it has any of these; to look for them costs more than its schema does.
    text = orjson.dumps(data)
    errors = [
        *check_name(document),
        *check_edition(document),
        *check_schedule(document),
        *check_workflow_definitions(document),
    ]
    if b'"secrets"' in text:
        errors += check_secret_paths(document)
    if b"${{" in text:
        errors += check_expressions(document)
        if _EXPRESSION_KEY.search(text):
            errors += check_expression_keys(document)
    if _DOLLAR_KEY.search(text):
        errors += check_directives(document)
        if document.location.kind in LAYER_KINDS:
            data = data_without_directives(document)
    errors += _check_schema(document, data, schemas, errors)
    errors += check_rounded_numbers(document)
    if document.location.kind is Kind.ORGANIZATION:
        errors += check_inputs(document)
    if reserved.may_contain_reserved_names(text):
        errors += check_reserved_names(document)
    if credential.may_contain_credential(text):
        errors += check_credentials(document)
    return [*errors, *check_templates(document)] if may_contain_templates(text) else errors


def _with_bundle_key(finding: Diagnostic) -> Diagnostic:
    """The finding with the key that the later stages would give it."""
    inside = f"{EXECUTION_ENVIRONMENT}." in finding.key
    return finding._replace(key=format_path(to_bundle_path(parse_path(finding.key)))) if inside else finding


def _check_schema(
    document: Document, data: dict[str, Any], schemas: Schemas, reported: list[Diagnostic]
) -> list[Diagnostic]:
    kind, data = document.location.kind, with_name(document, data)
    if schemas.is_valid(kind, data):
        return []
    found = report_faults(document, schemas.find_faults(kind, data), reported)
    if found or reported:
        return found
    return [Diagnostic(file_span(document.path), "ET207", f"the file does not fit the schema '{kind}'")]
