"""JSON Schema: the official suite of draft 2020-12, for all three validators of envtree."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from envtree.compile.bundle_lint.partial_validator import PartialValidator
from envtree.frontend.link.policies import REGEX_OPTIONS
from envtree.frontend.schema_faults import FaultFinder
from envtree.model.resolved import UNKNOWN, HiddenValue
from tests.conformance.case import Case, Refused
from tests.conformance.packages import JSON_SCHEMA_SUITE, unpack

SUITE = "json/tests/draft2020-12"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
# Features that envtree does not support: policies cannot refer to other documents, nor assert formats.
EXCLUDED = ("refRemote", "vocabulary", "format", "content", "default")


@cache
def groups() -> list[tuple[str, dict[str, Any]]]:
    """Return the groups of cases with the names of their files, except the optional ones."""
    (root,) = unpack(JSON_SCHEMA_SUITE).glob("jsonschema-*")
    files = sorted((root / SUITE).glob("*.json"))
    return [
        (file.stem, group)
        for file in files
        if file.stem not in EXCLUDED
        for group in json.loads(file.read_text("utf-8"))
    ]


def _fast_validator(schema: Any) -> Callable[[Any], Any]:
    try:
        return jsonschema_rs.Draft202012Validator(schema, pattern_options=REGEX_OPTIONS, offline=True).is_valid
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return lambda data: Refused("unusable")


def _explaining_validator(schema: Any) -> Callable[[Any], Any]:
    finder = FaultFinder({})
    return lambda data: not finder.find_faults("suite", schema, data)


def json_schema() -> Iterator[Case]:
    """Yield cases for the fast validator, the one that supports unknown values (here none are unknown), and the
    explaining one, if it supports all keywords of the schema.
    """
    for name, group in groups():
        schema = group["schema"]
        is_valid = _fast_validator(schema)
        find_breaches = PartialValidator(schema)
        for test in group["tests"]:
            id = f"{name}: {group['description']}: {test['description']}"
            answer = is_valid(test["data"])
            yield Case(f"{id} (decided)", answer, test["valid"], f"{name}, unusable" if _is_refused(answer) else "")
            if not _is_refused(answer):
                breaches, undecided = find_breaches(test["data"])
                yield Case(f"{id} (judged)", not breaches and not undecided, test["valid"], f"{name}, judged")
            if not _is_refused(answer) and _is_explained(schema):
                explained = _explaining_validator(schema)(test["data"])
                yield Case(f"{id} (explained)", explained, test["valid"], f"{name}, explained")


def _is_refused(answer: Any) -> bool:
    return isinstance(answer, Refused)


def _is_explained(schema: Any) -> bool:
    """Report whether the explaining validator supports a schema: it is made for envtree's, which use none of these."""
    text = json.dumps(schema)
    return isinstance(schema, dict) and not any(
        keyword in text for keyword in ("patternProperties", "unevaluated", "$dynamic", '"$id"', '"$ref"', '"$anchor"')
    )


def unknown_values() -> Iterator[Case]:
    """Yield cases with each part of the data unknown; a certain verdict must equal that of the suite for the whole."""
    for name, group in groups():
        if _is_refused(_fast_validator(group["schema"])(None)):
            continue
        find_breaches = PartialValidator(group["schema"])
        for test in group["tests"]:
            for path in _paths(test["data"], ()):
                breaches, undecided = find_breaches(_hide(test["data"], path))
                certain = None if undecided and not breaches else not breaches
                id = f"{name}: {group['description']}: {test['description']}, without {'/'.join(map(str, path))}"
                yield Case(id, test["valid"] if certain is None else certain, test["valid"], name)


def _paths(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield path
    for key, inner in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from _paths(inner, (*path, key))


def _hide(data: Any, path: tuple[str | int, ...]) -> Any:
    unknown = HiddenValue(UNKNOWN, secret=True, symbol=None)
    if not path:
        return unknown
    data = copy.deepcopy(data)
    container = data
    for key in path[:-1]:
        container = container[key]
    container[path[-1]] = unknown
    return data
