"""Merge layers with reclass; each layer is a class, and a node lists the classes in order."""
# The peer is never installed beside envtree, so a type checker cannot find it:
# mypy: disable-error-code="import-not-found"

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from reclass_rs import Config, Reclass


def merge_layers(layers: list[str]) -> Any:
    """Return the parameters of the node, or the name of reclass's exception."""
    with tempfile.TemporaryDirectory() as folder:
        classes, nodes = Path(folder, "classes"), Path(folder, "nodes")
        classes.mkdir()
        nodes.mkdir()
        for number, layer in enumerate(layers):
            (classes / f"layer{number}.yml").write_text(f"parameters: {layer}\n", encoding="utf-8")
        class_list = "".join(f"- layer{number}\n" for number in range(len(layers)))
        (nodes / "node.yml").write_text(f"classes:\n{class_list}", encoding="utf-8")
        settings = {"nodes_uri": "nodes", "classes_uri": "classes"}
        try:
            parameters = Reclass.from_config(Config.from_dict(folder, settings)).nodeinfo("node").parameters
        except Exception as error:  # noqa: BLE001 -- any exception is a refusal
            return {"refused": type(error).__name__}
        return {"data": {key: value for key, value in parameters.items() if key != "_reclass_"}}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(merge_layers(json.loads(line))))
