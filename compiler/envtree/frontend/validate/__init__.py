"""The stage `validate`: a `Document` goes in, a `Resource` comes out.

Each file is checked by itself: its schema, its directives, and rules beyond the schema.
"""

import re
from typing import Any

import orjson

from envtree.diagnostics.deduplicate import deduplicate_findings
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate.credentials import check_credentials, check_inputs
from envtree.frontend.validate.cron_schedule import check_schedule
from envtree.frontend.validate.directives import check_directives, check_secrets_file_directives
from envtree.frontend.validate.execution_environment import (
    EXECUTION_ENVIRONMENT,
    LAYER_KINDS,
    data_without_directives,
    to_bundle_path,
)
from envtree.frontend.validate.reserved_names import may_contain_reserved_names
from envtree.frontend.validate.schema_findings import report_faults
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.frontend.validate.semantic_checks import (
    check_edition,
    check_expression_keys,
    check_expressions,
    check_name,
    check_own,
    check_reserved_names,
    check_rounded_numbers,
    check_secret_paths,
    check_templates,
    may_contain_templates,
    with_name,
)
from envtree.frontend.validate.workflow_definitions import check_workflow_definitions
from envtree.model.credential_patterns import may_contain_credential
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import format_path, parse_path
from envtree.model.nodes import Document
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.model.span import file_span

# In JSON, where only a key is followed by ':': a key that begins with '$', and one that contains an expression.
_DOLLAR_KEY = re.compile(rb'"\$[^"\\]*+(?:\\.[^"\\]*+)*+":')
_EXPRESSION_KEY = re.compile(rb'\$\{\{[^"\\]*+(?:\\.[^"\\]*+)*+":')


def validate(document: Document, schemas: Schemas, diags: Diagnostics) -> Resource:
    """Check one file, and report problems; the resource is returned even if there are any."""
    if document.location.kind is not Kind.SECRETS:
        diags.extend(
            _with_bundle_key(finding)
            for finding in deduplicate_findings(_check_unencrypted(document, schemas), (document,))
        )
        return Resource(document.location, document)
    findings = Diagnostics()
    secrets_file = read_secrets_file(document, findings)
    if secrets_file:
        findings.extend(check_secrets_file_directives(document, secrets_file.content))
    diags.extend(deduplicate_findings(findings, (document,)))
    return Resource(document.location, document, secrets_file)


def _check_unencrypted(document: Document, schemas: Schemas) -> list[Diagnostic]:
    data = document.root.value
    # Searching the file as JSON is a cheap pre-check; the checks themselves cost more than that of the schema.
    text = orjson.dumps(data)
    errors = [
        *check_name(document),
        *check_own(document),
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
    if may_contain_reserved_names(text):
        errors += check_reserved_names(document)
    if may_contain_credential(text):
        errors += check_credentials(document)
    return [*errors, *check_templates(document)] if may_contain_templates(text) else errors


def _with_bundle_key(finding: Diagnostic) -> Diagnostic:
    """Return the finding with the key that later stages use: the path in the bundle."""
    is_inside_layer = f"{EXECUTION_ENVIRONMENT}." in finding.key
    return finding._replace(key=format_path(to_bundle_path(parse_path(finding.key)))) if is_inside_layer else finding


def _check_schema(
    document: Document, data: dict[str, Any], schemas: Schemas, reported: list[Diagnostic]
) -> list[Diagnostic]:
    kind, data = document.location.kind, with_name(document, data)
    if schemas.is_valid(kind, data):
        return []
    findings = report_faults(document, schemas.find_faults(kind, data), reported)
    if findings or reported:
        return findings
    return [Diagnostic(file_span(document.path), "ET207", f"the file does not fit the schema '{kind}'")]
