"""The measured tools: envtree, the floor, and the peers, each with its own form of one tree."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.encryption import make_keys
from tests.benchmarks.forms.envtree import envtree_folder, write_envtree
from tests.benchmarks.forms.himl import himl_leaf, write_himl
from tests.benchmarks.forms.jsonnet import jsonnet_key, write_jsonnet
from tests.benchmarks.forms.reclass import reclass_node, write_reclass
from tests.benchmarks.installed import python_of
from tests.benchmarks.measure import HERE, Tool, measure
from tests.benchmarks.model import SIZES, Bundle, Layer, Size, bundles, sample

# The values of ENVTREE_SOPS that select how envtree opens secrets files, by the name of the variant.
READERS = {"envtree, native": "native", "envtree, sops": "process"}
RECIPIENTS = 2


class Peer(NamedTuple):
    """A peer: the writer of its tree, its key of a bundle, and why size L leaves it out."""

    write: Callable[[Size, Path], None]
    key: Callable[[Bundle], str]
    too_large: str = ""


PEERS = {
    "himl": Peer(write_himl, himl_leaf, "takes minutes a round"),
    "reclass": Peer(write_reclass, reclass_node, "takes minutes a round and more than 5 GB of memory"),
    "rjsonnet": Peer(write_jsonnet, jsonnet_key),
}


def envtree(work: Path, size: Size, name: str = "envtree") -> Tool:
    """Return envtree from this checkout, writing every bundle to disk."""
    tree = work / f"tree-{size.bundles}"
    if not tree.exists():
        write_envtree(size, tree)
    return _compile(name, size, tree, work / f"out-{size.bundles}")


def with_secrets(work: Path, size: Size) -> list[Tool]:
    """Return envtree on the tree in which every team has secrets, opened by the native reader and by sops."""
    tree, keys = work / "secrets", make_keys(work / "keys", RECIPIENTS)
    write_envtree(size, tree, keys)
    plain = _compile("", size, tree, work / "out-secrets")._replace(expected=Bundle.expected_with_secrets)
    return [
        plain._replace(name=name, environ=keys.environ | {"ENVTREE_SOPS": reader}) for name, reader in READERS.items()
    ]


def floor(work: Path, size: Size) -> Tool:
    """Return the minimum of a Python program: read, parse, and write ready files."""
    tool = envtree(work, SIZES["XS"])
    measure(tool)
    shutil.copytree(tool.output / envtree_folder(next(sample(tool.size))), work / "ready")
    shutil.rmtree(tool.output)
    folders, output = work / "folders.txt", work / "out-floor"
    folders.write_text("".join(f"{envtree_folder(bundle)}\n" for bundle in bundles(size)), encoding="utf-8")
    command = [sys.executable, str(HERE / "floor.py"), str(work / "ready"), str(folders), str(output)]
    return Tool("floor", size, work / f"tree-{size.bundles}", command, output, _count)


def peer(name: str, work: Path, size: Size) -> Tool:
    """Return a peer's API in one process, rendering in memory."""
    peer_info, tree, output = PEERS[name], work / name, work / f"{name}.json"
    peer_info.write(size, tree)
    sample_file = work / f"{name}-wanted.json"
    sample_file.write_text(json.dumps([peer_info.key(bundle) for bundle in sample(size)]), encoding="utf-8")
    python = python_of(name)
    command = [str(python), str(HERE / f"peers/{name}_render.py"), str(tree), str(sample_file), str(output)]

    def read(output: Path, size: Size) -> tuple[int, list[Layer] | None]:
        answer = json.loads(output.read_bytes())
        return answer["count"], [answer["bundles"].get(peer_info.key(bundle), {}) for bundle in sample(size)]

    return Tool(name, size, tree, command, output, read)


def _compile(name: str, size: Size, tree: Path, output: Path) -> Tool:
    command = [sys.executable, "-m", "envtree", "compile", "--no-cache", "-o", str(output)]
    return Tool(name, size, tree, command, output, _read_envtree)


def _read_envtree(output: Path, size: Size) -> tuple[int, list[Layer] | None]:
    paths = [output / envtree_folder(bundle) / "bundle.json" for bundle in sample(size)]
    return _count(output, size)[0], [json.loads(path.read_bytes()) if path.exists() else {} for path in paths]


def _count(output: Path, size: Size) -> tuple[int, None]:
    return sum(1 for _ in output.glob("*/*/*/*/bundle.json")), None
