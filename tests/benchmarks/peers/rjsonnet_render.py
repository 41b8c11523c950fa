"""Evaluate every project of a jsonnet tree in memory; runs in the virtual environment of rjsonnet."""
# The peer is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import glob
import json
import sys
from pathlib import Path

from rjsonnet import evaluate_file


def main(tree: str, sample_file: str, result_file: str) -> None:
    """Evaluate all projects under `tree`, and write the bundles in `sample_file` to `result_file` for the check."""
    sample = set(json.loads(Path(sample_file).read_text(encoding="utf-8")))
    count, results = 0, {}
    for path in sorted(glob.glob(f"{tree}/*/all.jsonnet")):
        project = Path(path).parent.name
        # The result is one text for the whole project, which any caller must parse.
        for key, bundle in json.loads(evaluate_file(path)).items():
            count += 1
            if f"{project}/{key}" in sample:
                results[f"{project}/{key}"] = bundle
    Path(result_file).write_text(json.dumps({"count": count, "bundles": results}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
