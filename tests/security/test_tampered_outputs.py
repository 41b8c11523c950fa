"""Tampered bundles for `unseal`, and secrets files with entries that nobody asked for."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import write_files
from tests.support.secrets_tree import PRODUCTION, SecretsTree, make_secrets_tree

CANARY, FOREIGN = "numbat7-canary-value", "numbat7-never-in-this-bundle"
AGENT = """\
execution_environment:
  secrets: {TOKEN: token}
  env_vars: {URL: "${{ 'u:' ~ secrets.token }}", PLAIN: text}
"""
VALUES: list[Any] = [None, 7, "${{ secrets.foreign }}", "../../x", [], {"$secret": "foreign"}]


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    tree = make_secrets_tree(tmp_path)
    write_files(tree.root, {"agents/clerk.yaml": AGENT})
    (tree.root / "environments/staging.yaml").unlink()
    for name, value in (("token", CANARY), ("foreign", FOREIGN)):
        tree.set(PRODUCTION, name, value)
    return tree


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(data)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return changed


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
@pytest.mark.parametrize("mode", ["ref", "seal"])
def test_t107_an_edited_bundle_opens_nothing_more(tree: SecretsTree, mode: str, value: Any) -> None:
    assert tree.run("compile", "--secrets", mode, "-o", str(tree.home / "out")).code == 0
    for file in sorted((tree.home / "out").rglob("*.json")):
        original = file.read_bytes()
        data = json.loads(original)
        for path in places(data):
            file.write_text(json.dumps(put(data, path, value)))
            result = tree.run("unseal", str(tree.home / "out"), "--force")
            assert result.code in (0, 1, 2, 3), (file.name, path, result)
            assert FOREIGN not in result.out + result.err, (file.name, path)
            assert CANARY not in result.err
            assert "Traceback" not in result.err
            assert {path.name for path in tree.home.iterdir()} == {".cache", "out"}
        file.write_bytes(original)


Edit = Callable[[dict[str, Any]], Any]
KMS = {"arn": "arn:aws:kms:eu-west-1:1:key/a", "enc": "eA==", "created_at": "2015-01-01T00:00:00Z"}
ENTRIES: dict[str, Edit] = {
    "kms": lambda sops: sops.update(kms=[KMS]),
    "kms with a role": lambda sops: sops.update(kms=[KMS | {"role": "arn:aws:iam::1:role/x"}]),
    "kms beside age": lambda sops: sops.update(kms=[KMS], lastmodified="2015-01-01T00:00:00Z"),
    "gcp": lambda sops: sops.update(gcp_kms=[{"resource_id": "projects/p/k", "enc": "eA==", "created_at": ""}]),
    "vault": lambda sops: sops.update(hc_vault=[{"vault_address": "http://127.0.0.1:9", "enc": "x"}]),
    "azure": lambda sops: sops.update(azure_kv=[{"vault_url": "http://127.0.0.1:9", "enc": "x"}]),
    "a new kind": lambda sops: sops.update(quantum_kms=[{"enc": "x"}]),
    "key groups": lambda sops: sops.update(key_groups=[{"age": sops["age"], "kms": [KMS]}], shamir_threshold=1),
    "a version without a MAC": lambda sops: (sops.update(version="1.0"), sops.pop("mac")),
    "no date": lambda sops: sops.pop("lastmodified"),
    "a partial MAC": lambda sops: sops.update(mac_only_encrypted=True),
    "plain keys": lambda sops: sops.update(unencrypted_regex=".*"),
    "a MAC of another type": lambda sops: sops.update(mac=7),
    "text instead of entries": lambda sops: sops.update(age="x"),
    "null instead of metadata": lambda sops: sops.clear(),
}
# sops 3.0 wrote such a version, and other readers accept any; the ciphertexts have the same form.
OLD_VERSIONS = [None, "3.0.0", "1.0", "99.0.0", "", "../../x", "3.0.0\n"]
COMMANDS = [
    ("check",),
    ("secrets", "audit"),
    ("compile", "-o", "{out}"),
    ("run", "default/clerk@production", "--", "true"),
    ("secrets", "rotate"),
]


def with_metadata(tree: SecretsTree, edit: Edit) -> None:
    """Convert the secrets file to JSON, which is YAML too, and edit the metadata of sops."""
    import yaml

    data = yaml.safe_load(tree.read(PRODUCTION))
    edit(data["sops"])
    (tree.root / PRODUCTION).write_text(json.dumps(data, indent=4, default=str))


@pytest.mark.parametrize("entry", ENTRIES)
def test_t39_t44_entries_that_no_one_allowed_start_no_sops(tree: SecretsTree, entry: str) -> None:
    with_metadata(tree, ENTRIES[entry])
    stub = tree.home / "bin/sops"
    write_files(tree.home, {"bin/sops": f"#!/bin/sh\ntouch {tree.home}/started\nexit 1\n"})
    stub.chmod(0o755)
    environ = {"PATH": f"{stub.parent}:/usr/bin:/bin", "ENVTREE_SOPS": "process", "AWS_ACCESS_KEY_ID": "numbat7"}
    for command in COMMANDS:
        words = [word.format(out=tree.home / "out") for word in command]
        result = tree.run(*words, environ=environ)
        assert result.code in (0, 1, 3), (command, result)
        assert "numbat7" not in result.out + result.err
        assert command[0] in ("check", "secrets") or result.code != 0, (command, result)
        assert not (tree.home / "started").exists(), command
    assert not (tree.home / "out").exists()


@pytest.mark.parametrize("version", OLD_VERSIONS)
@pytest.mark.parametrize("reader", ["process", "native"])
def test_t55_other_versions_give_the_same_values_or_none(tree: SecretsTree, version: str | None, reader: str) -> None:
    with_metadata(tree, lambda sops: sops.update(version=version))
    result = tree.run("show", "default/clerk@production", "--reveal", "--force", environ={"ENVTREE_SOPS": reader})
    assert result.code in (0, 1, 3), result
    assert (CANARY in result.out) == (result.code == 0)
    assert "Traceback" not in result.err
