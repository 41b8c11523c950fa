"""What himl makes of layers: each is a file in a folder inside of the folder of the one before."""
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


def merged(layers: list[str]) -> Any:
    """The data of the innermost folder, or nothing where himl gives up."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        path = ""
        for number, layer in enumerate(layers):
            path = os.path.join(path, f"level{number}=x") if number else "level=x"
            Path(path).mkdir()
            (Path(path) / "layer.yaml").write_text(layer, encoding="utf-8")
        try:
            return {"data": json.loads(json.dumps(ConfigProcessor().process(path=path)))}
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is no result
            return {"refused": type(error).__name__}
        finally:
            os.chdir("/")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(merged(json.loads(line))))
