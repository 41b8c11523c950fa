"""JSON Schema: the official suite of draft 2020-12, asked of all three ways in which envtree judges by a schema."""

import copy
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from envtree.compile.bundle_lint.partial_validator import PartialValidator
from envtree.frontend.link.policies import REGEX_OPTIONS
from envtree.frontend.schema_faults import FaultFinder
from envtree.model.resolved import UNKNOWN, HiddenValue
from tests.benchmarks.peer_programs import cache as kept
from tests.conformance.case import Case, Refused

# Its source distribution carries the suite, which no wheel has.
CARRIER = "jsonschema==4.26.0"
FOLDER = "/json/tests/draft2020-12/"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
# What envtree has no use for: policies refer to no other document, and assert no format.
LEFT_OUT = ("refRemote", "vocabulary", "format", "content", "default")


@cache
def groups() -> list[tuple[str, dict[str, Any]]]:
    """The groups of cases by the names of their files, without the optional ones."""
    archive = kept() / f"{CARRIER.replace('==', '-')}.tar.gz"
    if not archive.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--no-binary", ":all:", "--dest", str(kept()), CARRIER], check=True)
    found = []
    with tarfile.open(archive) as files:
        for member in files.getmembers():
            inside = member.name.partition(FOLDER)[2]
            name = inside.removesuffix(".json")
            content = files.extractfile(member) if inside.endswith(".json") and "/" not in inside else None
            if content and name not in LEFT_OUT:
                found += [(name, group) for group in json.loads(content.read())]
    return found


def _policy(schema: Any) -> Callable[[Any], Any]:
    try:
        return jsonschema_rs.Draft202012Validator(schema, pattern_options=REGEX_OPTIONS, offline=True).is_valid
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return lambda data: Refused("unusable")


def _explainer(schema: Any) -> Callable[[Any], Any]:
    finder = FaultFinder({})
    return lambda data: not finder.find_faults("suite", schema, data)


def json_schema() -> Iterator[Case]:
    """What decides (fast), what judges with unknowns (and none are), and what explains, where it has all keywords."""
    for name, group in groups():
        schema = group["schema"]
        usable = _policy(schema)
        judge = PartialValidator(schema)
        for test in group["tests"]:
            id = f"{name}: {group['description']}: {test['description']}"
            answer = usable(test["data"])
            yield Case(f"{id} (decided)", answer, test["valid"], f"{name}, unusable" if _refused(answer) else "")
            if not _refused(answer):
                breaches, undecided = judge(test["data"])
                yield Case(f"{id} (judged)", not breaches and not undecided, test["valid"], f"{name}, judged")
            if not _refused(answer) and _is_explained(schema):
                yield Case(f"{id} (explained)", _explainer(schema)(test["data"]), test["valid"], f"{name}, explained")


def _refused(answer: Any) -> bool:
    return isinstance(answer, Refused)


def _is_explained(schema: Any) -> bool:
    """Whether the explainer knows the schema whole: it is for our own, which have neither of these."""
    text = json.dumps(schema)
    return isinstance(schema, dict) and not any(
        word in text for word in ("patternProperties", "unevaluated", "$dynamic", '"$id"', '"$ref"', '"$anchor"')
    )


def unknown_values() -> Iterator[Case]:
    """Each part of each datum is made unknown: what is certain then has to be what the suite says of the whole."""
    for name, group in groups():
        if _refused(_policy(group["schema"])(None)):
            continue
        judge = PartialValidator(group["schema"])
        for test in group["tests"]:
            for path in _paths(test["data"], ()):
                breaches, undecided = judge(_hidden(test["data"], path))
                certain = None if undecided and not breaches else not breaches
                id = f"{name}: {group['description']}: {test['description']}, without {'/'.join(map(str, path))}"
                yield Case(id, test["valid"] if certain is None else certain, test["valid"], name)


def _paths(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield path
    for key, inner in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from _paths(inner, (*path, key))


def _hidden(data: Any, path: tuple[str | int, ...]) -> Any:
    unknown = HiddenValue(UNKNOWN, secret=True, symbol=None)
    if not path:
        return unknown
    data = copy.deepcopy(data)
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = unknown
    return data
