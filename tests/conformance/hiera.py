"""Hiera, the lookup of Puppet, with deep merges: the nearest layer wins, and lists are united."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.conformance.layered import LAYERS, Peer
from tests.support.programs import program


def _merge_with_hiera(_: str, cases: list[list[Any]]) -> list[Any]:
    """Merge all cases in one run, each under its own key; layers are files, with the nearest first in the hierarchy."""
    names = [f"case{number}" for number in range(len(cases))]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        levels = [{"name": f"layer{number}", "path": f"layer{number}.yaml"} for number in reversed(range(LAYERS))]
        (root / "hiera.yaml").write_text(json.dumps({"version": 5, "hierarchy": levels}))
        for number in range(LAYERS):
            layer = {name: case[number] for name, case in zip(names, cases, strict=True) if number < len(case)}
            options = {"lookup_options": {name: {"merge": "deep"} for name in names}}
            (root / f"data/layer{number}.yaml").write_text(json.dumps(layer | options))
        entries = ", ".join(f"{name} => lookup('{name}')" for name in names)
        output = f"file {{ '{root}/answer': content => inline_template('<%= JSON.generate(@all) %>') }}"
        settings = [f"--hiera_config={root}/hiera.yaml", f"--confdir={root}/conf", f"--vardir={root}/var"]
        command = [program("puppet"), "apply", *settings, "--execute", f"$all = {{ {entries} }}\n{output}"]
        subprocess.run(command, check=True, capture_output=True)
        answer = json.loads((root / "answer").read_text())
    return [answer[name] for name in names]


# Without references: Hiera's look up whole keys, so a reference in a case would refer to itself.
HIERA = Peer("hiera", "union", None, _merge_with_hiera)
