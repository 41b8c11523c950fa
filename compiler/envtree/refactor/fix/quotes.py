"""Quotes for a plain scalar that readers type differently, where it is text beyond doubt."""

import re

from envtree.frontend.parse.plain import read_plain
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate.sections import OVERLAYS, SECTION
from envtree.model.diagnostic import Diagnostic
from envtree.model.keypath import KeyPath
from envtree.refactor.fix.reading import Reading, Replacement, read

# ET150 is text in envtree anyway; ET106 is an error because nobody knows what was meant.
QUOTABLE = frozenset({"ET106", "ET150"})

_NULLS = frozenset({"~", "Null", "NULL"})
_BOOLEANS = frozenset({"True", "TRUE", "False", "FALSE"})
_BASES = {"0x": 16, "0o": 8}
_SPECIAL = re.compile(r'["\\]')
# Longer digits than a float has are no number that anybody meant.
_LONGEST = 32


def quote(reading: Reading, finding: Diagnostic, schemas: Schemas) -> Replacement | None:
    """The scalar of a finding in double quotes; None where it may not be text that is meant."""
    token = reading.token(finding.span)
    doubt = read_plain(token.text)[1] if token.text else None
    if doubt is None or doubt.code != finding.code:
        return None
    if finding.code == "ET106" and not _is_text(reading, finding, token, schemas):
        return None
    escaped = _SPECIAL.sub(r"\\\g<0>", token.text)
    return token._replace(text=f'"{escaped}"')


def _is_text(reading: Reading, finding: Diagnostic, token: Replacement, schemas: Schemas) -> bool:
    if token.text in _NULLS:
        return False
    mark = finding.span[1:]
    if any(mark in mapping.keys.values() for _, mapping in reading.maps()):
        return True
    places = [path for path, _ in reading.nodes_at(mark)]
    if all(map(_is_variable, places)):
        return bool(places)
    return len(places) == 1 and _only_text_fits(reading, token, schemas)


def _is_variable(path: KeyPath) -> bool:
    """Whether a value is among `env_vars`, where all are text as written, in an overlay or a directive, too."""
    own = path[2:] if path[:1] == (OVERLAYS,) else path
    return own[:2] == (SECTION, "env_vars")


def _only_text_fits(reading: Reading, token: Replacement, schemas: Schemas) -> bool:
    """Whether the file would be wrong if the scalar were what other readers take it for."""
    spelled = _as_json(token.text)
    other = read(reading.with_text([token._replace(text=spelled)]), schemas) if spelled else None
    return other is not None and bool(other.counted() - reading.counted())


def _as_json(text: str) -> str:
    """What YAML's core schema reads, in JSON; empty where JSON has no such value."""
    if text in _BOOLEANS:
        return text.lower()
    if len(text) > _LONGEST:
        return ""
    base = _BASES.get(text[:2])
    number = float(int(text, base) if base else text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return repr(number) if abs(number) < float("inf") else ""
