"""Merge layers with himl; each layer is a file in a folder inside the folder of the previous layer."""
# himl is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from himl.config_generator import ConfigProcessor


def merge_layers(layers: list[str]) -> Any:
    """Return the data of the innermost folder, or the name of himl's exception."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        path = ""
        for number, layer in enumerate(layers):
            path = os.path.join(path, f"level{number}=x") if number else "level=x"
            Path(path).mkdir()
            (Path(path) / "layer.yaml").write_text(layer, encoding="utf-8")
        try:
            return {"data": json.loads(json.dumps(ConfigProcessor().process(path=path)))}
        except Exception as error:  # noqa: BLE001 -- any exception is a refusal
            return {"refused": type(error).__name__}
        finally:
            os.chdir("/")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(merge_layers(json.loads(line))))
