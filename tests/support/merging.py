"""Repositories that merge secrets files with envtree, and their files as git and the real sops see them."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.properties.merge_model import flat
from tests.support.secrets_tree import SecretsTree, make_secrets_tree


def make_repository(folder: Path) -> SecretsTree:
    """Make a tree in a repository that merges secrets files with envtree."""
    tree = make_secrets_tree(folder)
    tree.git("init", "-q", "-b", "main", ".")
    assert tree.run("secrets", "install", "--write").code == 0
    return tree


def write_secrets(tree: SecretsTree, path: str, document: Any) -> None:
    """Encrypt a new file with the real sops, or edit an existing one, which keeps unchanged ciphertexts."""
    plain_file = tree.home / path.rpartition("/")[2]
    form = path.rpartition(".")[2]
    text = "".join(f"{key}={value}\n" for key, value in document.items()) if form == "env" else json.dumps(document)
    plain_file.write_text(text.replace("lines\nof\ntext", "lines\\nof\\ntext") if form == "env" else text)
    if (tree.root / path).exists():
        command = ["sops", "edit", f"./{path}"]
        environ = {**tree.environ, "EDITOR": f"cp {shlex.quote(str(plain_file))}"}
        result = subprocess.run(command, cwd=tree.root, env=environ, capture_output=True, text=True, check=False)
        assert result.returncode in (0, 200), result
    else:
        (tree.root / path).parent.mkdir(parents=True, exist_ok=True)
        (tree.root / path).write_bytes(plain_file.read_bytes())
        tree.sops("encrypt", "-i", "--age", tree.owner.public, f"./{path}")


def read_ciphertexts(tree: SecretsTree, path: str, revision: str = "") -> dict[tuple[str, ...], Any]:
    """Return the encrypted values of a file by their paths."""
    text = tree.git("show", f"{revision}:{path}") if revision else tree.read(path)
    if path.endswith(".env"):
        return {(line.partition("=")[0],): line for line in text.splitlines() if not line.startswith(("sops_", "#"))}
    document = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    del document["sops"]
    return dict(flat(document))
