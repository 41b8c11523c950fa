"""What OmegaConf makes of layers."""
# The peer is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

import json
import sys
from typing import Any

from omegaconf import OmegaConf


def merged(layers: list[str]) -> Any:
    """The merged and resolved data, or nothing where OmegaConf gives up."""
    try:
        found = OmegaConf.merge(*(OmegaConf.create(json.loads(layer)) for layer in layers))
        return {"data": OmegaConf.to_container(found, resolve=True)}
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is no result
        return {"refused": type(error).__name__}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(merged(json.loads(line))))
