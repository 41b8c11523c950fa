"""Quotes for a plain scalar that readers type differently, where it is text beyond doubt."""

import re

from envtree.frontend.parse.plain_scalars import read_plain_scalar
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate.execution_environment import EXECUTION_ENVIRONMENT, OVERLAYS_KEY
from envtree.model.diagnostic import Diagnostic
from envtree.model.keypath import KeyPath
from envtree.refactor.fix.parsed_file import ParsedFile, Replacement, parse_file

# ET150 is text in envtree anyway; ET106 is an error because nobody knows what was meant.
QUOTABLE_CODES = frozenset({"ET106", "ET150"})

_NULLS = frozenset({"~", "Null", "NULL"})
_BOOLEANS = frozenset({"True", "TRUE", "False", "FALSE"})
_BASES = {"0x": 16, "0o": 8}
_SPECIAL = re.compile(r'["\\]')
# Longer digits than a float has are no number that anybody meant.
_MAX_NUMBER_LENGTH = 32


def quote_scalar(parsed: ParsedFile, finding: Diagnostic, schemas: Schemas) -> Replacement | None:
    """The scalar of a finding in double quotes; None where it may not be text that is meant."""
    token = parsed.token_at(finding.span)
    doubt = read_plain_scalar(token.text)[1] if token.text else None
    if doubt is None or doubt.code != finding.code:
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
    places = [path for path, _ in parsed.nodes_at(mark)]
    if all(map(_is_env_var, places)):
        return bool(places)
    return len(places) == 1 and _is_valid_only_as_text(parsed, token, schemas)


def _is_env_var(path: KeyPath) -> bool:
    """Whether a value is among `env_vars`, where all are text as written, in an overlay or a directive, too."""
    own = path[2:] if path[:1] == (OVERLAYS_KEY,) else path
    return own[:2] == (EXECUTION_ENVIRONMENT, "env_vars")


def _is_valid_only_as_text(parsed: ParsedFile, token: Replacement, schemas: Schemas) -> bool:
    """Whether the file would be wrong if the scalar were what other readers take it for."""
    spelled = _as_json(token.text)
    other = parse_file(parsed.with_replacements([token._replace(text=spelled)]), schemas) if spelled else None
    return other is not None and bool(other.finding_counts() - parsed.finding_counts())


def _as_json(text: str) -> str:
    """What YAML's core schema reads, in JSON; empty where JSON has no such value."""
    if text in _BOOLEANS:
        return text.lower()
    if len(text) > _MAX_NUMBER_LENGTH:
        return ""
    base = _BASES.get(text[:2])
    number = float(int(text, base) if base else text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return repr(number) if abs(number) < float("inf") else ""
