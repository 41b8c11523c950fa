"""`envtree secrets install` and `diff-driver`: the diffs of secrets files in git, and its configuration for them."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from envtree.cli.support import git_drivers
from envtree.secrets.edit.textconv import UNREADABLE, render_textconv
from tests.support.merging import make_repository, write_secrets
from tests.support.secrets_tree import PRODUCTION, STAGING, SecretsTree, make_secrets_tree, secret_line

VALUE = "quokka7-quokka7"


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    return make_repository(tmp_path)


def diff(tree: SecretsTree, *arguments: str) -> list[str]:
    """Return the changed lines of a diff."""
    output = tree.git("diff", *arguments)
    return [line for line in output.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def names(lines: list[str]) -> list[str]:
    """Return the keys in changed lines, each with its sign."""
    return [line.partition(":")[0] for line in lines if not line[1:].startswith("sops:")]


@pytest.mark.parametrize("path", [PRODUCTION, STAGING, "agents/clerk.secrets.env"])
def test_a_diff_names_what_was_changed_added_and_removed(tree: SecretsTree, path: str) -> None:
    base = {"_scope": path.partition(".secrets.")[0], "kept": VALUE, "gone": VALUE, "other": VALUE}
    write_secrets(tree, path, base)
    tree.commit()
    del base["gone"]
    write_secrets(tree, path, base | {"other": f"{VALUE}!", "new": "1234"})
    lines = diff(tree)
    assert sorted(names(lines)) == ["+new", "+other", "-gone", "-other"]
    assert next(line for line in lines if line.startswith("+new")).startswith("+new: str, 4 bytes, ciphertext ")
    assert "quokka" not in tree.git("diff")
    assert "ENC[" not in tree.git("diff")
    assert "ENC[" not in tree.git("log", "-p", "--", path)


def test_a_new_data_key_changes_every_line_of_a_value(tree: SecretsTree) -> None:
    write_secrets(tree, PRODUCTION, {"a": VALUE, "deep": {"b": [VALUE, 7]}})
    tree.commit()
    tree.sops("rotate", "-i", f"./{PRODUCTION}")
    lines = diff(tree)
    assert sorted(names(lines)) == sorted(f"{sign}{key}" for sign in "+-" for key in ("a", "deep.b.0", "deep.b.1"))
    assert sum("opens with age" in line for line in lines) == 2


def test_t45_t47_who_can_open_it_and_when_it_was_written(tree: SecretsTree) -> None:
    write_secrets(tree, PRODUCTION, {"a": VALUE})
    text = render_textconv(tree.read(PRODUCTION).encode(), PRODUCTION)
    first, reader, written = text.splitlines()
    assert first.startswith("a: str, 15 bytes, ciphertext ")
    assert reader.startswith(f"sops: opens with age {tree.owner.public}, data key ")
    assert written == f"sops: written {secret_line(tree.read(PRODUCTION), 'lastmodified').split()[1].strip(chr(34))}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a: quokka7\nb: {c: [quokka7, {d: 7}], e: {}}\n", ["a", "b.c.0", "b.c.1.d", "b.e"]),
        ('{"a": "quokka7", "b": null}\n', ["a", "b"]),
        ("", []),
    ],
)
def test_t50_what_is_not_encrypted_is_named_and_not_shown(text: str, shown: list[str]) -> None:
    rendered = render_textconv(text.encode(), "x.secrets.yaml")
    assert rendered.splitlines() == [f"{key}: NOT ENCRYPTED" for key in shown] + ["sops: MISSING"] * bool(text)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a: [quokka7", b"- quokka7\n", b"quokka7", b"a: \x1b[2Jquokka7\n"])
def test_what_cannot_be_read_is_one_line(data: bytes) -> None:
    assert render_textconv(data, "x.secrets.yaml") == f"{UNREADABLE}\n"


def test_a_pasted_value_and_a_missing_mac_stand_out(tree: SecretsTree) -> None:
    write_secrets(tree, PRODUCTION, {"a": VALUE})
    text = "".join(line for line in tree.read(PRODUCTION).splitlines(True) if not line.startswith("    mac:"))
    rendered = render_textconv(text.replace("sops:", f"pasted: {VALUE}\nsops:", 1).encode(), PRODUCTION)
    assert "pasted: NOT ENCRYPTED\n" in rendered
    assert rendered.endswith("sops: NO MAC\n")
    assert "quokka" not in rendered


def test_keys_that_draw_on_the_terminal(tree: SecretsTree) -> None:
    rendered = render_textconv(b'"a\\x1b[2Jb": x\n', "x.secrets.yaml")
    assert "\x1b" not in rendered


def test_the_driver_needs_neither_tree_nor_key_nor_sops(tree: SecretsTree, tmp_path: Path) -> None:
    write_secrets(tree, PRODUCTION, {"a": VALUE})
    (tmp_path / "elsewhere.secrets.yaml").write_text(tree.read(PRODUCTION))
    result = tree.run("secrets", "diff-driver", "--", str(tmp_path / "elsewhere.secrets.yaml"), environ={"PATH": ""})
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("a: str, 15 bytes, ")


@pytest.mark.parametrize("name", ["-x", "--help", "a b"])
def test_t52_a_file_name_is_no_option_to_the_diff_driver(tree: SecretsTree, name: str) -> None:
    write_secrets(tree, PRODUCTION, {"a": VALUE})
    (tree.root / PRODUCTION).rename(tree.root / f"{name}.secrets.yaml")
    tree.commit()
    tree.sops("set", "--value-stdin", "--", f"./{name}.secrets.yaml", '["b"]', stdin_input='"x-x-x-x-x"')
    assert names(diff(tree)) == ["+b"]


# ── install ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_lines_can_be_run(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path)
    tree.git("init", "-q", ".")
    result = tree.run("secrets", "install")
    assert result.code == 0
    commands, _, attributes = result.out.partition("\n\n")
    subprocess.run(["sh", "-c", commands], cwd=tree.root, env=tree.environ, check=True)
    settings = tree.git("config", "--local", "--list")
    assert not (tree.root / ".gitattributes").exists()
    assert tree.run("secrets", "install", "--write").code == 0
    assert tree.git("config", "--local", "--list") == settings
    lines = [line for line in attributes.splitlines() if line.startswith("*")]
    assert len(lines) == 3
    assert set(lines) < set(tree.read(".gitattributes").splitlines())
    attributes_set = tree.git("check-attr", "merge", "diff", "--", PRODUCTION, "organization.yaml")
    assert attributes_set.count("envtree-secrets") == 2


def test_other_lines_of_gitattributes_stay(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path)
    tree.git("init", "-q", ".")
    (tree.root / ".gitattributes").write_bytes(b"*.png binary\n# caf\xe9")
    assert tree.run("secrets", "install", "--write").code == 0
    first = (tree.root / ".gitattributes").read_bytes()
    assert first.startswith(b"*.png binary\n# caf\xe9\n# >>> envtree secrets install")
    (tree.root / ".gitattributes").write_bytes(
        first.replace(b"merge=envtree-secrets", b"merge=old") + b"*.gif binary\n"
    )
    result = tree.run("secrets", "install", "--write")
    assert (result.code, "commit" in result.err) == (0, True)
    assert (tree.root / ".gitattributes").read_bytes() == first + b"*.gif binary\n"
    result = tree.run("secrets", "install", "--write")
    assert (result.code, "commit" in result.err) == (0, False)
    assert tree.git("config", "--local", "--get-all", "merge.envtree-secrets.driver").count("\n") == 1


def test_a_block_without_an_end_is_not_touched(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path)
    tree.git("init", "-q", ".")
    (tree.root / ".gitattributes").write_text(f"{git_drivers._BEGIN}\n*.png binary\n")
    result = tree.run("secrets", "install", "--write")
    assert result.code == 1
    assert "is missing" in result.err
    assert "png" in tree.read(".gitattributes")


def test_no_repository(tmp_path: Path) -> None:
    result = make_secrets_tree(tmp_path).run("secrets", "install", "--write")
    assert result.code == 1
    assert "git init" in result.err


def test_the_program_is_found_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git passes the command line to a shell, and expands placeholders in it."""
    folder = tmp_path / "it's 100% here; touch x"
    folder.mkdir()
    (folder / "envtree").write_text('#!/bin/sh\nprintf "%s|" "$@" > "$OUT"\ncat "$6" > /dev/null\n')
    (folder / "envtree").chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(folder / "envtree")])
    settings = git_drivers.git_settings()
    assert settings["diff.envtree-secrets.textconv"] == f"{shlex.quote(str(folder / 'envtree'))} secrets diff-driver --"
    tree = make_secrets_tree(tmp_path)
    tree.git("init", "-q", "-b", "main", ".")
    for name, value in settings.items():
        tree.git("config", "--local", name, value)
    (tree.root / ".gitattributes").write_text("*.secrets.yaml merge=envtree-secrets\n")
    (tree.root / "a.secrets.yaml").write_text("1\n")
    tree.commit()
    for branch in ("theirs", "ours"):
        tree.git("checkout", "-q", "-b", branch, "main")
        (tree.root / "a.secrets.yaml").write_text(f"{branch}\n")
        tree.commit()
    environ = {**tree.environ, "OUT": str(tmp_path / "arguments")}
    subprocess.run(["git", "merge", "-q", "theirs"], cwd=tree.root, env=environ, check=True, capture_output=True)
    words = (tmp_path / "arguments").read_text().split("|")
    assert words[:3] == ["secrets", "merge-driver", "--"]
    assert words[6] == "a.secrets.yaml"
    assert sorted(os.listdir(tree.root)) == sorted(
        [".git", ".gitattributes", "a.secrets.yaml", "agents", "environments", "organization.yaml"]
    )


def test_t60_git_is_configured_without_any_key(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path)
    tree.git("init", "-q", ".")
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nenv >> "{tmp_path}/seen"\nexec /usr/bin/git "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{tree.environ['PATH']}"
    result = tree.run("secrets", "install", "--write", environ={"PATH": path, "SOPS_AGE_KEY": "quokka7"})
    assert result.code == 0
    environment = (tmp_path / "seen").read_text()
    assert "GIT_CONFIG_GLOBAL" in environment
    assert "SOPS" not in environment
    assert "quokka7" not in environment


def test_a_module_of_the_repository_is_not_imported(tree: SecretsTree) -> None:
    """Git runs the drivers in the root of the repository."""
    write_secrets(tree, PRODUCTION, {"a": VALUE})
    tree.commit()
    for name in ("envtree", "click", "json"):
        (tree.root / f"{name}.py").write_text(f"open({json.dumps(str(tree.root / 'x'))}, 'w')\n")
    tree.set(PRODUCTION, "b", VALUE)
    assert names(diff(tree, "--", PRODUCTION)) == ["+b"]
    assert not (tree.root / "x").exists()
