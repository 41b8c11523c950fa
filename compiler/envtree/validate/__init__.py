"""The stage that checks one file by itself: its schema, its directives, and what no schema can say."""

import re

import orjson

from envtree.diagnostic import Diagnostic, Diagnostics
from envtree.node import Document
from envtree.resource import Resource
from envtree.schemas import Schemas
from envtree.source import Kind
from envtree.span import whole_file
from envtree.validate.directives import check_directives, check_sealed_directives
from envtree.validate.rules import check_expressions, check_keys, check_name, check_reserved, check_secret_paths
from envtree.validate.sealed import read_sealed
from envtree.validate.sections import LAYERS, plain
from envtree.validate.shape import shape

# In JSON: a key that begins with '$', and one that holds an expression. Inside a string a quote has a backslash before
# it, so a match starts at the start of a string, and every string is read once.
_DOLLAR_KEY = re.compile(rb'[{,]"\$(?:[^"\\]|\\.)*+":')
_EXPRESSION_KEY = re.compile(rb'[{,]"(?:[^"\\$]|\\.|\$(?!\{\{))*+\$\{\{(?:[^"\\]|\\.)*+":')


def validate(document: Document, schemas: Schemas, diags: Diagnostics) -> Resource:
    """Check one file; what is wrong with it is reported, and whoever builds on it looks there."""
    if document.location.kind is not Kind.SECRETS:
        diags.extend(_check_plain(document, schemas))
        return Resource(document.location, document)
    sealed = read_sealed(document, diags)
    if sealed:
        diags.extend(check_sealed_directives(document, sealed.content))
    return Resource(document.location, document, sealed)


def _check_plain(document: Document, schemas: Schemas) -> list[Diagnostic]:
    data = document.root.value
    errors = [*check_name(document), *check_secret_paths(document)]
    # As JSON, a file shows at once whether it has any of these; to look for them costs more than its schema does.
    text = orjson.dumps(data)
    if b"${{" in text:
        errors += check_expressions(document)
        if _EXPRESSION_KEY.search(text):
            errors += check_keys(document)
    if _DOLLAR_KEY.search(text):
        errors += check_directives(document)
        if document.location.kind in LAYERS:
            data = plain(document)
    errors += _check_shape(document, data, schemas, errors)
    return [*errors, *check_reserved(document)]


def _check_shape(document: Document, data: object, schemas: Schemas, reported: list[Diagnostic]) -> list[Diagnostic]:
    kind = document.location.kind
    if schemas.is_valid(kind, data):
        return []
    found = shape(document, schemas.faults(kind, data), reported)
    if found or reported:
        return found
    return [Diagnostic(whole_file(document.path), "ET207", f"the file does not fit the schema '{kind}'")]
