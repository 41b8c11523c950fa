"""Render a whole reclass inventory in memory; runs in the virtual environment of reclass-rs."""
# The peer is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from reclass_rs import Config, Reclass


def main(tree: str, wanted: str, kept: str) -> None:
    """Render all nodes under `tree`, and write those listed in `wanted` to `kept` for the check."""
    sample = set(json.loads(Path(wanted).read_text(encoding="utf-8")))
    Reclass.set_thread_count(os.cpu_count() or 1)
    settings = {"nodes_uri": "nodes", "classes_uri": "classes"}
    nodes = Reclass.from_config(Config.from_dict(tree, settings)).inventory().nodes
    count, results = 0, {}
    for name, node in nodes.items():
        # What a caller gets is made here: until then it is Rust's.
        parameters = node.parameters
        count += 1
        if name in sample:
            results[name] = parameters
    Path(kept).write_text(json.dumps({"count": count, "bundles": results}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
