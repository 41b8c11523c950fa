"""Render every leaf of a himl tree in memory; runs in himl's own virtual environment."""
# himl is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import glob
import json
import logging
import os
import sys
from pathlib import Path

from himl.config_generator import ConfigProcessor
from himl.config_merger import build_parent_cache


def main(tree: str, sample_file: str, result_file: str) -> None:
    """Process all leaves under `tree`, and write those in `sample_file` to `result_file` for the check."""
    logging.disable(logging.INFO)
    sample = set(json.loads(Path(sample_file).read_text(encoding="utf-8")))
    os.chdir(tree)
    leaves = sorted(glob.glob("project=*/environment=*/team=*/agent=*"))
    parents = build_parent_cache(leaves)
    processor, results = ConfigProcessor(), {}
    for leaf in leaves:
        parent = parents[os.path.abspath(os.path.dirname(leaf))]
        result = processor.process(path=leaf, precomputed_state=parent)
        if leaf in sample:
            results[leaf] = result
    answer = {"count": len(leaves), "bundles": results}
    Path(result_file).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
