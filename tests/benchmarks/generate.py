"""Write the logical organization of `model.py` in one of its forms, or the bundles that must come of it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.benchmarks.forms.envtree import envtree_folder, write_envtree
from tests.benchmarks.forms.himl import write_himl
from tests.benchmarks.forms.jsonnet import write_jsonnet
from tests.benchmarks.forms.reclass import write_reclass
from tests.benchmarks.model import SIZES, Size, sample


def write_expected(size: Size, root: Path) -> None:
    """Write a sample of the expected bundles, by their folder in envtree's output."""
    root.mkdir(parents=True, exist_ok=True)
    expected = {envtree_folder(bundle): bundle.expected() for bundle in sample(size)}
    (root / "expected.json").write_text(json.dumps(expected, indent=2, sort_keys=True) + "\n", encoding="utf-8")


FORMS = {
    "envtree": write_envtree,
    "himl": write_himl,
    "reclass": write_reclass,
    "jsonnet": write_jsonnet,
    "expected": write_expected,
}


def main() -> None:
    """Write one form of one size into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--form", choices=FORMS, default="envtree")
    options = parser.parse_args()
    FORMS[options.form](SIZES[options.size], options.folder)


if __name__ == "__main__":
    main()
