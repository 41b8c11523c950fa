"""What reclass makes of layers: each is a class, and a node lists them in their order."""
# The peer is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from reclass_rs import Config, Reclass


def merged(layers: list[str]) -> Any:
    """The parameters of the node, or nothing where reclass gives up."""
    with tempfile.TemporaryDirectory() as folder:
        classes, nodes = Path(folder, "classes"), Path(folder, "nodes")
        classes.mkdir()
        nodes.mkdir()
        for number, layer in enumerate(layers):
            (classes / f"layer{number}.yml").write_text(f"parameters: {layer}\n", encoding="utf-8")
        listed = "".join(f"- layer{number}\n" for number in range(len(layers)))
        (nodes / "node.yml").write_text(f"classes:\n{listed}", encoding="utf-8")
        settings = {"nodes_uri": "nodes", "classes_uri": "classes"}
        try:
            found = Reclass.from_config(Config.from_dict(folder, settings)).nodeinfo("node").parameters
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is no result
            return {"refused": type(error).__name__}
        return {"data": {key: value for key, value in found.items() if key != "_reclass_"}}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(merged(json.loads(line))))
