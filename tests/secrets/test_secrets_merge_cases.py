"""`envtree secrets merge-driver` in real git repositories, with the real sops, case by case."""

import json
import subprocess
from pathlib import Path
from textwrap import indent
from typing import Any

import pyrage
import pytest

from envtree.secrets.edit.recipients import is_single_personal_group
from envtree.secrets.edit.sops_document import read_sops_document
from tests.support.command_line import write_files
from tests.support.merging import make_repository, read_ciphertexts, write_secrets
from tests.support.secrets_tree import (
    PRODUCTION,
    SecretsTree,
    make_person,
    make_secrets_tree,
    organization_with_people,
    secret_line,
)


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    return make_repository(tmp_path)


def branch(tree: SecretsTree, name: str, start: str = "main") -> None:
    tree.git("checkout", "-q", "-b", name, start)


def commit_and_branch(tree: SecretsTree, document: Any, path: str = PRODUCTION) -> None:
    """Commit a file, and check out a new branch."""
    write_secrets(tree, path, document)
    tree.commit()
    branch(tree, "theirs")


def commit_and_return(tree: SecretsTree) -> None:
    """Commit the changes on the branch, and check out main."""
    tree.commit()
    tree.git("checkout", "-q", "main")


def merge(tree: SecretsTree, code: int = 0) -> str:
    tree.commit()
    return tree.git("merge", "-q", "-m", "merged", "theirs", code=code)


BASE = {"_scope": "environments/production", "db": {"user": "somebody", "password": "first-one"}, "token": "old-token"}


def test_order_and_comments_of_ours_stay_and_those_of_theirs_come(tree: SecretsTree) -> None:
    head = "# the head\n_scope: environments/production\n"
    text = f"{head}db:\n  # who\n  user: somebody\n  password: first-one\n# old\ntoken: t1\n"
    (tree.root / PRODUCTION).write_text(text)
    tree.sops("encrypt", "-i", "--age", tree.owner.public, f"./{PRODUCTION}")
    tree.commit()
    branch(tree, "theirs")
    edited = text.replace("# old", "# newer").replace("first-one", "second-one")
    edit(tree, edited + "# what theirs adds\nadded:\n  # inside\n  key: value\n# at the end\n")
    commit_and_return(tree)
    edit(tree, text.replace("# who", "# who is it").replace("t1", "t2") + "# mine\nmine: value\n")
    merge(tree)
    assert tree.sops("decrypt", f"./{PRODUCTION}") == (
        f"{head}db:\n    # who is it\n    user: somebody\n    password: second-one\n# newer\ntoken: t2\n"
        "# mine\nmine: value\n# what theirs adds\nadded:\n    # inside\n    key: value\n# at the end\n"
    )


def test_a_list_comes_with_its_comments(tree: SecretsTree) -> None:
    text = "_scope: environments/production\nhosts:\n  - first\n  # the second\n  - second\ntoken: t1\n"
    (tree.root / PRODUCTION).write_text(text)
    tree.sops("encrypt", "-i", "--age", tree.owner.public, f"./{PRODUCTION}")
    tree.commit()
    branch(tree, "theirs")
    edit(tree, text.replace("  - second\n", "  - second\n  # the third\n  - third\n"))
    commit_and_return(tree)
    edit(tree, text.replace("t1", "t2"))
    merge(tree)
    shown = tree.sops("decrypt", f"./{PRODUCTION}")
    assert "    - first\n    # the second\n    - second\n    # the third\n    - third\ntoken: t2\n" in shown


def edit(tree: SecretsTree, text: str, path: str = PRODUCTION) -> None:
    """Replace the plaintext of a file by `sops edit`."""
    (tree.home / "edited").write_text(text)
    environ = {**tree.environ, "EDITOR": f"cp {tree.home / 'edited'}"}
    subprocess.run(["sops", "edit", f"./{path}"], cwd=tree.root, env=environ, check=True, capture_output=True)


CONFLICTS: dict[str, tuple[Any, Any, list[str]]] = {
    "changed": ({"token": "mine-mine"}, {"token": "yours-yours"}, ["'token' changed on both sides"]),
    "removed-there": ({"token": "mine-mine"}, {"token": None}, ["'token' changed in ours, and removed in theirs"]),
    "removed-here": ({"token": None}, {"token": "yours-yours"}, ["'token' removed in ours, and changed in theirs"]),
    "added": ({"new": "mine-mine"}, {"new": "yours-yours"}, ["'new' added on both sides"]),
    "another-type": ({"new": 7}, {"new": "7"}, ["'new' added on both sides"]),
    "shapes": ({"new": {"a": "mine"}}, {"new": "yours"}, ["'new' a value on one side, and a map on the other"]),
    "several": (
        {"token": "mine-mine", "new": "mine"},
        {"token": "yours-yours", "new": "yours"},
        ["'new' added", "'token' changed"],
    ),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_a_conflict_names_the_key_and_keeps_ours(tree: SecretsTree, case: str) -> None:
    ours, theirs, words = CONFLICTS[case]
    commit_and_branch(tree, BASE)
    documents = [{key: value for key, value in (BASE | side).items() if value is not None} for side in (ours, theirs)]
    write_secrets(tree, PRODUCTION, documents[1] | {"theirs": "comes-along"})
    commit_and_return(tree)
    write_secrets(tree, PRODUCTION, documents[0])
    output = merge(tree, code=1)
    assert tree.plain(PRODUCTION) == documents[0] | {"theirs": "comes-along"}
    assert all(f"{PRODUCTION}: {word}" in output for word in words)
    assert output.count(f"{PRODUCTION}: '") == len(words)
    assert not any(str(value) in output for side in (ours, theirs) for value in side.values() if value and value != 7)
    assert "<<<<" not in tree.read(PRODUCTION)
    assert tree.git("status", "-s").startswith("UU")
    # The resolution that the message suggests.
    assert tree.run("secrets", "set", PRODUCTION, "token", stdin_input="settled-now").code == 0
    tree.git("add", PRODUCTION)
    tree.git("commit", "-q", "-m", "settled")


def test_files_that_both_sides_have_added(tree: SecretsTree) -> None:
    (tree.root / "x").write_text("")
    tree.commit()
    branch(tree, "theirs")
    write_secrets(tree, PRODUCTION, {"_scope": "environments/production", "same": "same", "theirs": "a", "both": "1"})
    commit_and_return(tree)
    write_secrets(tree, PRODUCTION, {"_scope": "environments/production", "same": "same", "ours": 7, "both": "2"})
    output = merge(tree, code=1)
    assert "'both' added on both sides" in output
    assert tree.plain(PRODUCTION) == {
        **{"_scope": "environments/production", "same": "same", "ours": 7, "both": "2"},
        "theirs": "a",
    }


def test_without_a_key_ours_stays(tree: SecretsTree) -> None:
    commit_and_branch(tree, BASE)
    tree.set(PRODUCTION, "theirs", "yours-yours")
    commit_and_return(tree)
    tree.set(PRODUCTION, "ours", "mine-mine")
    tree.commit()
    before = tree.read(PRODUCTION)
    tree.owner.file.rename(tree.home / "lost")
    output = tree.git("merge", "-q", "theirs", code=1)
    assert tree.read(PRODUCTION) == before
    lines = [line for line in output.splitlines() if line.startswith(PRODUCTION)]
    assert lines[0] == (f"{PRODUCTION}: not merged, and ours stays: no key on this machine opens '{PRODUCTION}'")
    assert len(lines) == 2


def test_a_side_that_sops_did_not_write(tree: SecretsTree) -> None:
    commit_and_branch(tree, BASE)
    text = tree.read(PRODUCTION).replace("sops:", "pasted: hunter2-hunter2\nsops:", 1)
    (tree.root / PRODUCTION).write_text(text)
    commit_and_return(tree)
    tree.set(PRODUCTION, "ours", "mine-mine")
    tree.commit()
    before = tree.read(PRODUCTION)
    output = tree.git("merge", "-q", "theirs", code=1)
    assert "ET602: 'pasted' is not a value that sops encrypted" in output
    assert "hunter2" not in output
    assert tree.read(PRODUCTION) == before


def test_a_side_with_a_wrong_mac(tree: SecretsTree) -> None:
    commit_and_branch(tree, BASE)
    (tree.root / PRODUCTION).write_text(
        tree.read(PRODUCTION).replace(f"{secret_line(tree.read(PRODUCTION), 'token')}\n", "")
    )
    commit_and_return(tree)
    tree.set(PRODUCTION, "ours", "mine-mine")
    tree.commit()
    before = tree.read(PRODUCTION)
    assert "the MAC" in tree.git("merge", "-q", "theirs", code=1)
    assert tree.read(PRODUCTION) == before


def test_a_file_for_keys_that_the_policy_does_not_allow(tree: SecretsTree) -> None:
    commit_and_branch(tree, BASE)
    tree.set(PRODUCTION, "theirs", "yours-yours")
    commit_and_return(tree)
    tree.set(PRODUCTION, "ours", "mine-mine")
    with (tree.root / "organization.yaml").open("a") as file:
        file.write("secrets: {key_types: [pgp]}\n")
    tree.commit()
    assert "does not allow" in tree.git("merge", "-q", "theirs", code=1)


def test_a_rebase_and_a_cherry_pick_merge_as_well(tree: SecretsTree) -> None:
    commit_and_branch(tree, BASE)
    tree.set(PRODUCTION, "theirs", "yours-yours")
    commit_and_return(tree)
    tree.set(PRODUCTION, "ours", "mine-mine")
    tree.commit()
    tree.git("cherry-pick", "theirs")
    assert tree.plain(PRODUCTION) == BASE | {"ours": "mine-mine", "theirs": "yours-yours"}
    tree.git("reset", "-q", "--hard", "HEAD~1")
    tree.git("checkout", "-q", "theirs")
    tree.git("rebase", "-q", "main")
    assert tree.plain(PRODUCTION) == BASE | {"ours": "mine-mine", "theirs": "yours-yours"}


def test_a_file_that_theirs_has_moved(tree: SecretsTree) -> None:
    commit_and_branch(tree, BASE)
    moved = "agents/clerk.secrets.yaml"
    tree.git("mv", PRODUCTION, moved)
    write_secrets(tree, moved, BASE | {"_scope": "agents/clerk"})
    commit_and_return(tree)
    tree.set(PRODUCTION, "token", "mine-mine")
    merge(tree)
    assert tree.plain(moved) == BASE | {"_scope": "agents/clerk", "token": "mine-mine"}
    assert not (tree.root / PRODUCTION).exists()


def test_a_tree_in_a_folder_of_the_repository(tmp_path: Path) -> None:
    """The policy of this tree applies, and .gitattributes is next to its organization.yaml."""
    tree = make_secrets_tree(tmp_path)
    tree.root.rename(tmp_path / "config")
    (tree.root / "home").mkdir(parents=True)
    (tmp_path / "config").rename(tree.root / "config")
    inside = tree._replace(root=tree.root / "config")
    tree.git("init", "-q", "-b", "main", ".")
    assert inside.run("secrets", "install", "--write").code == 0
    assert (tree.root / "config/.gitattributes").exists()
    commit_and_branch(inside, BASE)
    inside.set(PRODUCTION, "theirs", "yours-yours")
    commit_and_return(inside)
    inside.set(PRODUCTION, "ours", "mine-mine")
    merge(inside)
    assert inside.plain(PRODUCTION) == BASE | {"ours": "mine-mine", "theirs": "yours-yours"}


@pytest.mark.parametrize("name", ["-x", "--output=y", "@f", "a b", "$(touch x)", "%O", "ünicode", "a'b"])
def test_t52_an_odd_name_is_a_name_to_git_and_to_the_driver(tree: SecretsTree, name: str) -> None:
    path = f"{name}.secrets.yaml"
    write_secrets(tree, PRODUCTION, BASE)
    tree.git("mv", "-k", "--", PRODUCTION, path)
    (tree.root / PRODUCTION).rename(tree.root / path)
    tree.commit()
    branch(tree, "theirs")
    set_with_sops(tree, path, "theirs")
    commit_and_return(tree)
    set_with_sops(tree, path, "ours")
    merge(tree)
    tree.sops("decrypt", "--", f"./{path}")
    (tree.root / path).rename(tree.root / PRODUCTION)
    assert tree.plain(PRODUCTION).keys() == BASE.keys() | {"ours", "theirs"}
    assert not (tree.root / "x").exists()


def set_with_sops(tree: SecretsTree, path: str, key: str) -> None:
    tree.sops("set", "--value-stdin", "--", f"./{path}", f'["{key}"]', stdin_input='"some-value"')


# ── who can open the result ─────────────────────────────────────────────────────────────────────────────────────────


def recipients(tree: SecretsTree) -> set[str]:
    return {line.split()[-1] for line in tree.read(PRODUCTION).splitlines() if "recipient:" in line}


def update_recipients(tree: SecretsTree, *people: str) -> None:
    """Change the recipients of a file with the real sops, which keeps the data key."""
    (tree.home / "rules").write_text(json.dumps({"creation_rules": [{"age": ",".join(people)}]}))
    tree.sops("--config", str(tree.home / "rules"), "updatekeys", "-y", f"./{PRODUCTION}")


@pytest.mark.parametrize("both", [False, True])
def test_recipients_are_merged_and_a_removal_wins(tree: SecretsTree, both: bool) -> None:
    ana, bob, eve = (make_person(name, tree.home) for name in ("ana", "bob", "eve"))
    write_files(tree.root, {"organization.yaml": organization_with_people(ana, bob, readers=())})
    write_secrets(tree, PRODUCTION, BASE)
    update_recipients(tree, tree.owner.public, eve.public)
    tree.commit()
    branch(tree, "theirs")
    tree.set(PRODUCTION, "theirs", "yours-yours")
    update_recipients(tree, tree.owner.public, ana.public)
    commit_and_return(tree)
    tree.set(PRODUCTION, "ours", "mine-mine")
    if both:
        update_recipients(tree, tree.owner.public, eve.public, bob.public)
    output = merge(tree)
    assert recipients(tree) == {tree.owner.public, ana.public} | ({bob.public} if both else set())
    # If one side has the merged recipients, the merge builds on it, and removes no recipient under the old key.
    assert (f"{eve.public} is no recipient any more" in output) is both
    assert tree.plain(PRODUCTION) == BASE | {"ours": "mine-mine", "theirs": "yours-yours"}
    base, ours, theirs = (read_ciphertexts(tree, PRODUCTION, revision) for revision in ("main~2", "main~1", "theirs"))
    assert read_ciphertexts(tree, PRODUCTION) == base | ours | theirs


@pytest.mark.parametrize("change", ["ours has a new data key", "ours has another recipient, too"])
def test_t48_a_merge_hands_nothing_to_a_recipient_whom_nobody_knows(tree: SecretsTree, change: str) -> None:
    """Without any key one can write a recipient into a file, and sops would wrap a new data key for it."""
    ana, mallory = (make_person(name, tree.home) for name in ("ana", "mallory"))
    write_files(tree.root, {"organization.yaml": organization_with_people(ana, readers=())})
    commit_and_branch(tree, BASE)
    junk = pyrage.encrypt(b"j" * 32, [pyrage.x25519.Recipient.from_str(mallory.public)], armored=True).decode()
    entry = f"- recipient: {mallory.public}\n          enc: |\n" + indent(junk, " " * 12)
    text = tree.read(PRODUCTION)
    (tree.root / PRODUCTION).write_text(text.replace("    lastmodified:", f"        {entry}    lastmodified:"))
    assert tree.plain(PRODUCTION) == BASE
    commit_and_return(tree)
    if change == "ours has a new data key":
        tree.sops("rotate", "-i", f"./{PRODUCTION}")
    else:
        update_recipients(tree, tree.owner.public, ana.public)
    before = tree.read(PRODUCTION)
    output = merge(tree, code=1)
    assert f"it would be handed to {mallory.public}" in output
    assert tree.read(PRODUCTION) == before


@pytest.mark.parametrize("rotated", ["ours", "theirs", "both"])
def test_a_new_data_key_stays_and_only_what_must_be_is_encrypted_again(tree: SecretsTree, rotated: str) -> None:
    eve = make_person("eve", tree.home)
    write_secrets(tree, PRODUCTION, BASE)
    update_recipients(tree, tree.owner.public, eve.public)
    tree.commit()
    branch(tree, "theirs")
    tree.set(PRODUCTION, "theirs", "yours-yours")
    if rotated != "ours":
        tree.sops("rotate", "-i", "--rm-age", eve.public, f"./{PRODUCTION}")
    commit_and_return(tree)
    tree.set(PRODUCTION, "ours", "mine-mine")
    if rotated != "theirs":
        tree.sops("rotate", "-i", "--rm-age", eve.public, f"./{PRODUCTION}")
    merge(tree)
    assert recipients(tree) == {tree.owner.public}
    assert tree.plain(PRODUCTION) == BASE | {"ours": "mine-mine", "theirs": "yours-yours"}
    built_on = read_ciphertexts(tree, PRODUCTION, "theirs" if rotated == "theirs" else "main~1")
    after = read_ciphertexts(tree, PRODUCTION)
    again = {key for key, text in after.items() if built_on.get(key) != text}
    assert again == {("ours",) if rotated == "theirs" else ("theirs",)}


def test_who_came_later_and_cannot_open_the_base_can_merge(tree: SecretsTree) -> None:
    ana = make_person("ana", tree.home)
    write_secrets(tree, PRODUCTION, BASE)
    update_recipients(tree, ana.public)
    tree.commit()
    environ = {"SOPS_AGE_KEY_FILE": str(ana.file)}
    newcomer = tree._replace(owner=ana)
    for name in ("theirs", "ours"):
        branch(tree, name)
        update_recipients(newcomer, ana.public, tree.owner.public)
        assert tree.run("secrets", "set", PRODUCTION, name, stdin_input=f"{name}-value", environ=environ).code == 0
        tree.commit()
    tree.git("merge", "-q", "-m", "merged", "theirs")
    assert tree.plain(PRODUCTION) == BASE | {"ours": "ours-value", "theirs": "theirs-value"}


def test_services_on_both_sides_are_for_people_to_settle(tree: SecretsTree) -> None:
    """A service cannot be passed to sops by its public key."""
    write_secrets(tree, PRODUCTION, BASE)
    assert is_single_personal_group(read_sops_document(tree.read(PRODUCTION).encode(), PRODUCTION))
    kms = "{arn: 'arn:aws:kms:eu-west-1:1:key/a', created_at: '2026-01-01T00:00:00Z', enc: x}"
    text = tree.read(PRODUCTION).replace("sops:\n", f"sops:\n    kms: [{kms}]\n", 1)
    assert not is_single_personal_group(read_sops_document(text.encode(), PRODUCTION))
