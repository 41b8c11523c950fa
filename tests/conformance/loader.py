"""What envtree makes of a text, by both of its parsers and by lines, and what a judge of YAML 1.2 makes of it."""

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
from tests.support.env_readers import node_modules, program

CI = Path(__file__).parents[2] / ".ci"
# Without any, a file is read by its lines where that is possible, else as libyaml reads it.
BACKENDS: tuple[Backend | None, ...] = (pure_events, *([libyaml_events, None] if yaml.__with_libyaml__ else []))
# What is read as text here and typed by others, which is told as a warning.
RETYPED = "ET150"
# What only PyYAML's own parser refuses, which reads a tree where libyaml is not installed.
PURE = "refused without libyaml"


def read(text: str, path: str = "a.yaml") -> tuple[Any, str]:
    """The value of a text, or Refused with the first code; and what explains a difference.

    Without libyaml a little more is refused; nothing is read in another way.
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
    codes = [one.code for one in diags]
    errors = [code for code in codes if CODES[code].severity == "error"]
    if errors or document is None:
        return Refused(errors[0] if errors else ""), ""
    return document.root.value, RETYPED if RETYPED in codes else ""


def judged(texts: list[str]) -> list[Any]:
    """What npm's `yaml` makes of texts."""
    node_modules()
    done = subprocess.run(
        [program("node"), str(CI / "yaml12.mjs")],
        input="\n".join(map(json.dumps, texts)),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(texts)
    return [answer["data"] if "data" in answer else Refused(answer["refused"]) for answer in answers]


def package(name: str, expression: str) -> Any:
    """The data of a package of npm, by an expression over what it exports."""
    node_modules()
    code = f"const given = await import({name!r}); console.log(JSON.stringify({expression}));"
    command = [program("node"), "--input-type=module", "--eval", code]
    return json.loads(subprocess.run(command, cwd=CI, capture_output=True, text=True, check=True).stdout)
