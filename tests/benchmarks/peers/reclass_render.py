"""Render a whole reclass inventory in memory; runs in the virtual environment of reclass-rs."""
# The peer is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from reclass_rs import Config, Reclass


def main(tree: str, sample_file: str, result_file: str) -> None:
    """Render all nodes under `tree`, and write those in `sample_file` to `result_file` for the check."""
    sample = set(json.loads(Path(sample_file).read_text(encoding="utf-8")))
    Reclass.set_thread_count(os.cpu_count() or 1)
    settings = {"nodes_uri": "nodes", "classes_uri": "classes"}
    nodes = Reclass.from_config(Config.from_dict(tree, settings)).inventory().nodes
    count, results = 0, {}
    for name, node in nodes.items():
        # This converts the values from Rust to Python, as any caller must.
        parameters = node.parameters
        count += 1
        if name in sample:
            results[name] = parameters
    Path(result_file).write_text(json.dumps({"count": count, "bundles": results}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
