"""Quote a plain scalar that YAML readers type differently, if it is certainly meant as text."""

import re

from envtree.diagnostics.codes import CODES, Topic, codes_about
from envtree.frontend.parse.plain_scalars import read_plain_scalar
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate.execution_environment import EXECUTION_ENVIRONMENT, OVERLAYS_KEY
from envtree.model.diagnostic import Diagnostic
from envtree.model.keypath import KeyPath
from envtree.refactor.fix.parsed_file import ParsedFile, Replacement, parse_file

# ET150 is text in envtree anyway; ET106 is an error because the meaning is unclear.
QUOTABLE_CODES = frozenset(name for name in codes_about(Topic.SCALARS) if CODES[name].fixable)

_NULLS = frozenset({"~", "Null", "NULL"})
_BOOLEANS = frozenset({"True", "TRUE", "False", "FALSE"})
_BASES = {"0x": 16, "0o": 8}
_SPECIAL = re.compile(r'["\\]')
# A number with more digits than a float has is not meant as a number.
_MAX_NUMBER_LENGTH = 32


def quote_scalar(parsed: ParsedFile, finding: Diagnostic, schemas: Schemas) -> Replacement | None:
    """Return the replacement of a finding's scalar by one in double quotes; None if it may not be meant as text."""
    token = parsed.token_at(finding.span)
    ambiguity = read_plain_scalar(token.text)[1] if token.text else None
    if ambiguity is None or ambiguity.code != finding.code:
        return None
    if finding.code == "ET106" and not _is_meant_as_text(parsed, finding, token, schemas):
        return None
    escaped = _SPECIAL.sub(r"\\\g<0>", token.text)
    return token._replace(text=f'"{escaped}"')


def _is_meant_as_text(parsed: ParsedFile, finding: Diagnostic, token: Replacement, schemas: Schemas) -> bool:
    if token.text in _NULLS:
        return False
    mark = finding.span[1:]
    if any(mark in mapping.key_marks.values() for _, mapping in parsed.maps()):
        return True
    paths = [path for path, _ in parsed.nodes_at(mark)]
    if all(map(_is_env_var, paths)):
        return bool(paths)
    return len(paths) == 1 and _is_valid_only_as_text(parsed, token, schemas)


def _is_env_var(path: KeyPath) -> bool:
    """Report whether a value is in `env_vars`, in overlays and directives too: there all values are text as written."""
    own_path = path[2:] if path[:1] == (OVERLAYS_KEY,) else path
    return own_path[:2] == (EXECUTION_ENVIRONMENT, "env_vars")


def _is_valid_only_as_text(parsed: ParsedFile, token: Replacement, schemas: Schemas) -> bool:
    """Report whether the file would be invalid if the scalar had the type that other readers give it."""
    json_text = _as_json(token.text)
    retyped = parse_file(parsed.with_replacements([token._replace(text=json_text)]), schemas) if json_text else None
    return retyped is not None and bool(retyped.finding_counts() - parsed.finding_counts())


def _as_json(text: str) -> str:
    """Return the value that YAML's core schema reads, as JSON; an empty string if JSON has no such value."""
    if text in _BOOLEANS:
        return text.lower()
    if len(text) > _MAX_NUMBER_LENGTH:
        return ""
    base = _BASES.get(text[:2])
    number = float(int(text, base) if base else text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return repr(number) if abs(number) < float("inf") else ""
