"""Parse texts with all readers of envtree, and with a reference parser of YAML 1.2."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from envtree.diagnostics.codes import CODES
from envtree.frontend.parse.backend import Backend
from envtree.frontend.parse.document import parse
from envtree.frontend.parse.yaml_events import libyaml_events, pure_events
from envtree.model.diagnostic import Diagnostics
from envtree.model.source import Kind, Location, Source
from tests.conformance.case import Refused
from tests.support.npm import node_modules
from tests.support.programs import program

CI = Path(__file__).parents[2] / ".ci"
# With None, a file in plain block form is read line by line, any other file with libyaml.
BACKENDS: tuple[Backend | None, ...] = (pure_events, *([libyaml_events, None] if yaml.__with_libyaml__ else []))
# The warning for scalars that envtree reads as text and other readers type.
RETYPED = "ET150"
# The rule for texts that only PyYAML's own parser refuses, which is used if libyaml is not installed.
PURE = "refused without libyaml"


def read(text: str, path: str = "a.yaml") -> tuple[Any, str]:
    """Return the value of a text, or Refused with the first code, and the rule that explains a difference.

    Without libyaml, some more texts are refused, but no text may have another value.
    """
    pure, *faster = [_read(text.encode("utf-8", "surrogatepass"), backend, path) for backend in BACKENDS]
    if len(set(map(repr, faster))) > 1:
        return {"by its lines": list(map(repr, faster))}, ""
    if not faster or pure == faster[0] or (isinstance(pure[0], Refused) and isinstance(faster[0][0], Refused)):
        return pure
    if isinstance(pure[0], Refused):
        return pure[0], PURE
    return {"the two parsers of PyYAML": [repr(pure), repr(faster[0])]}, ""


def _read(data: bytes, backend: Backend | None, path: str) -> tuple[Any, str]:
    diags = Diagnostics()
    source = Source(path, Location(Kind.AGENT, "p", "t", "a"), data, hashlib.sha256(data).hexdigest())
    document = parse(source, diags, backend=backend)
    codes = [diagnostic.code for diagnostic in diags]
    errors = [code for code in codes if CODES[code].severity == "error"]
    if errors or document is None:
        return Refused(errors[0] if errors else ""), ""
    return document.root.value, RETYPED if RETYPED in codes else ""


def read_with_npm_yaml(texts: list[str]) -> list[Any]:
    """Parse texts with the npm package `yaml`."""
    node_modules()
    process = subprocess.run(
        [program("node"), str(CI / "yaml12.mjs")],
        input="\n".join(map(json.dumps, texts)),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(answers) == len(texts)
    return [answer["data"] if "data" in answer else Refused(answer["refused"]) for answer in answers]


def load_npm_data(name: str, expression: str) -> Any:
    """Return data of an npm package: the value of a JavaScript expression over its exports, named `exported`."""
    node_modules()
    code = f"const exported = await import({name!r}); console.log(JSON.stringify({expression}));"
    command = [program("node"), "--input-type=module", "--eval", code]
    return json.loads(subprocess.run(command, cwd=CI, capture_output=True, text=True, check=True).stdout)
