"""Merge layers with OmegaConf."""
# The peer is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

import json
import sys
from typing import Any

from omegaconf import OmegaConf


def merge_layers(layers: list[str]) -> Any:
    """Return the merged and resolved data, or the name of OmegaConf's exception."""
    try:
        merged = OmegaConf.merge(*(OmegaConf.create(json.loads(layer)) for layer in layers))
        return {"data": OmegaConf.to_container(merged, resolve=True)}
    except Exception as error:  # noqa: BLE001 -- any exception is a refusal
        return {"refused": type(error).__name__}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(merge_layers(json.loads(line))))
