"""`envtree secrets sync`: `.sops.yaml`, CODEOWNERS and secrets files are brought in line with the declarations."""

import json
import os
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from envtree.cli import invoke
from envtree.secrets.access.generated_block import split_at_block
from tests.support.command_line import CommandResult, write_files
from tests.support.real_sops import (
    HEAD,
    SEARCH_PATH,
    SopsUser,
    decrypt_file,
    encrypt_file,
    make_age_user,
    make_pgp_user,
    people_section,
    read_recipients,
    run_sops,
)

FILES = {
    "environments/production.yaml": "{}\n",
    "environments/staging.yaml": "{}\n",
    "projects/shop/project.yaml": "key: SHOP\nowners: [ben]\nsecret_readers: [ben, ci]\n",
    "projects/shop/agents/a.yaml": "{}\n",
    "projects/shop/teams/t/team.yaml": "{}\n",
    "projects/shop/teams/t/agents/b.yaml": "{}\n",
    "projects/shop-two/project.yaml": "key: TWO\n",
    "projects/shop-two/agents/a.yaml": "{}\n",
}
# The paths of possible secrets files in this tree, with their readers.
SECRETS = {
    "organization": "ana ci",
    "environments/staging": "ana ci",
    "projects/shop/project": "ben ci",
    "projects/shop/environments/staging": "ben ci",
    "projects/shop/agents/a": "ben ci",
    "projects/shop/agents/a.staging": "ben ci",
    "projects/shop/teams/t/team": "ben ci",
    "projects/shop/teams/t/environments/staging": "ben ci",
    "projects/shop/teams/t/agents/b.production": "ben ci",
    "projects/shop-two/project": "ana ci",
    "projects/shop-two/agents/a": "ana ci",
}
PLAIN = {"yaml": "A: long-enough\n", "json": '{"A": "long-enough"}', "env": "A=long-enough\n"}
LINT = "lint: {ET651: 'off'}\n"

Sync = Callable[..., CommandResult]


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, SopsUser]]:
    folder = tmp_path_factory.mktemp("keys")
    with make_pgp_user() as pgp:
        yield {name: make_age_user(folder, name) for name in ("ana", "ben", "ci", "mallory")} | {"pgp": pgp}


@pytest.fixture
def root(tmp_path: Path, crowd: Mapping[str, SopsUser]) -> Path:
    """Make a tree in a folder of a repository, before the first `sync`."""
    return plant(tmp_path / "repo/config", crowd)


def plant(root: Path, crowd: Mapping[str, SopsUser], extra: str = "owners: [ana]\nsecret_readers: [ana, ci]\n") -> Path:
    people = people_section(**{name: crowd[name] for name in ("ana", "ben", "ci")})
    write_files(root, {**FILES, "organization.yaml": HEAD + LINT + people + extra})
    (root.parent / ".git").mkdir(exist_ok=True)
    return root


@pytest.fixture
def sync(root: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Sync:
    """Run `envtree secrets sync`, or `check`, with the keys of `user`, or without a key."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def run(*words: str, user: SopsUser | None = None, at: Path = root) -> CommandResult:
        with monkeypatch.context() as context:
            for name in ("SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY", "GNUPGHOME"):
                context.delenv(name, raising=False)
            context.setenv("PATH", SEARCH_PATH)
            context.setenv("HOME", str(root.parents[1]))
            for name, value in (user.environ if user else {}).items():
                context.setenv(name, value)
            code = invoke(["-C", str(at), *(words if words[:1] == ("check",) else ("secrets", "sync", *words))])
        return CommandResult(code, *capfd.readouterr())

    return run


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ── .sops.yaml ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_secrets_file_is_encrypted_for_its_readers(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    assert sync() == (0, "wrote config/.sops.yaml\nwrote .github/CODEOWNERS\n", "")
    for number, (stem, names) in enumerate(SECRETS.items()):
        form = ("yaml", "json", "env")[number % 3]
        file = encrypt_file(root, f"{stem}.secrets.{form}", PLAIN[form])
        assert read_recipients(file) == {crowd[name].public for name in names.split()}, stem
    # No other path falls under these rules.
    for path in ("other.yaml", "projects/shop/values.yaml", "secrets.yaml", "projects/shop/x.secrets.toml"):
        write_files(root, {path: "A: b\n"})
        assert run_sops(root, "encrypt", f"./{path}", check=False).returncode != 0, path
        (root / path).unlink()
    assert sync("check").code == 0


def test_a_second_run_has_nothing_to_do(root: Path, sync: Sync) -> None:
    assert sync().code == 0
    before = snapshot(root.parent)
    assert sync() == (0, "", "nothing to do\n")
    assert sync("--check") == (0, "", "")
    assert snapshot(root.parent) == before


def test_check_shows_a_difference_and_writes_nothing(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    before = snapshot(root.parent)
    result = sync("--check")
    assert (result.code, result.err) == (4, "2 files would change\n")
    assert "--- /dev/null\n+++ b/config/.sops.yaml\n" in result.out
    assert snapshot(root.parent) == before
    sync()
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\nsecret_readers: [ana, ci]\n"})
    result = sync("--check")
    assert result.code == 4
    changed = {line for line in result.out.splitlines() if re.match(r"[+-][^+-]", line)}
    assert f"-      {crowd['ben'].public}," in changed or f"+      {crowd['ana'].public}," in changed
    assert "-/config/projects/shop/ @ben-acme" in changed
    assert len(changed) == 5


FOREIGN = "creation_rules:\n  # ours\n  - path_regex: ^terraform/\n    age: {0}\nstores: {{json: {{indent: 2}}}}\n"
LAYOUTS = {
    "indented": FOREIGN,
    "not-indented": "creation_rules:\n- path_regex: ^terraform/\n  age: {0}\n- age: {0}",
    "dash-alone": "creation_rules:\n    -\n      path_regex: ^x/\n      age: {0}\n",
    "after-other-keys": "stores: {{json: {{indent: 2}}}}\ncreation_rules: # here\n  - age: {0}\n",
    "crlf": FOREIGN.replace("\n", "\r\n"),
    "no-rules": "stores:\n  json: {{indent: 2}}",
    "null": "# nothing yet\ncreation_rules:\nstores: {{}}\n",
    "empty": "",
    "comment": "# only this\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_outside_of_the_block_stays(layout: str, root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    text = LAYOUTS[layout].format(crowd["mallory"].public)
    (root / ".sops.yaml").write_bytes(text.encode())
    assert sync().code == 0
    after = (root / ".sops.yaml").read_bytes().decode()
    parts = split_at_block(after, "x")
    assert parts
    rest = parts.before + parts.after
    if layout in ("no-rules", "empty", "comment"):
        rest = rest.removesuffix("creation_rules:\n").removesuffix("\n")
        assert rest.endswith(text.removesuffix("\n"))
    else:
        assert rest == text
    assert ("\r\n" in after) == (layout == "crlf")
    assert not re.search(r"[^\r]\n", after) or layout != "crlf"
    file = encrypt_file(root, "projects/shop/project.secrets.yaml", "A: long-enough\n")
    assert read_recipients(file) == {crowd["ben"].public, crowd["ci"].public}
    # With other declarations only the block changes.
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\nsecret_readers: [ci]\n"})
    assert sync(user=crowd["ci"]).code in (0, 3)
    again = split_at_block((root / ".sops.yaml").read_bytes().decode(), "x")
    assert again == parts
    assert sync("--check").code in (0, 1, 4)


REFUSED = {
    "flow": "creation_rules: [{{age: {0}}}]\n",
    "no-list": "creation_rules: {{age: {0}}}\n",
    "one-marker": "creation_rules:\n  # >>> envtree secrets sync >>>\n  - age: {0}\n",
    "two-blocks": "creation_rules:\n" + "  # >>> envtree secrets sync >>>\n  # <<< envtree secrets sync <<<\n" * 2,
    "turned": "creation_rules:\n  # <<< envtree secrets sync <<<\n  # >>> envtree secrets sync >>>\n",
    "elsewhere": "stores:\n  # >>> envtree secrets sync >>>\n  # <<< envtree secrets sync <<<\n  json: {{}}\n",
}


@pytest.mark.parametrize("layout", REFUSED)
def test_a_file_without_a_place_is_refused(layout: str, root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    (root / ".sops.yaml").write_text(REFUSED[layout].format(crowd["mallory"].public))
    before = snapshot(root.parent)
    result = sync()
    assert result.code == 1
    assert "error ET808" in result.err
    assert "hint" in result.err
    assert snapshot(root.parent) == before


def test_a_rule_in_front_of_the_block_is_refused(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    sync()
    file = root / ".sops.yaml"
    front = f"creation_rules:\n  - path_regex: shop\n    age: {crowd['mallory'].public}\n"
    file.write_text(file.read_text().replace("creation_rules:\n", front))
    encrypt_file(root, "projects/shop/project.secrets.yaml", "A: long-enough\n", crowd["ci"].sops_option)
    result = sync()
    assert result.code == 1
    assert "the rule at '.sops.yaml:3' would be used for 'projects/shop/project.secrets.yaml'" in result.err


def test_a_nearer_rules_file_is_refused(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    write_files(root, {"projects/shop/.sops.yaml": f"creation_rules:\n  - age: {crowd['mallory'].public}\n"})
    encrypt_file(root, "projects/shop/project.secrets.yaml", "A: long-enough\n", crowd["ci"].sops_option)
    result = sync()
    assert result.code == 1
    assert "the rule at 'projects/shop/.sops.yaml:2' would be used" in result.err


def test_a_rules_file_above_the_tree_is_the_one_that_is_written(
    root: Path, sync: Sync, crowd: Mapping[str, SopsUser]
) -> None:
    write_files(root.parent, {".sops.yaml": FOREIGN.format(crowd["mallory"].public)})
    assert sync().out.splitlines()[0] == "wrote .sops.yaml"
    assert not (root / ".sops.yaml").exists()
    for where, path in ((root.parent, "config/projects/shop/project"), (root, "projects/shop/agents/a")):
        file = encrypt_file(where, f"{path}.secrets.yaml", "A: long-enough\n")
        assert read_recipients(file) == {crowd["ben"].public, crowd["ci"].public}
    file = encrypt_file(root.parent, "config/organization.secrets.yaml", "A: long-enough\n")
    assert read_recipients(file) == {crowd["ana"].public, crowd["ci"].public}
    write_files(root.parent, {"other/x.secrets.yaml": "A: b\n"})
    assert run_sops(root.parent, "encrypt", "./other/x.secrets.yaml", check=False).returncode != 0
    assert "/.sops.yaml @ana-acme" in (root.parent / ".github/CODEOWNERS").read_text().splitlines()


def test_readers_without_a_key_are_no_readers(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    declared = people_section(ana=crowd["ana"], ci=crowd["ci"]) + "  ben: {github: ben}\n"
    (root / "organization.yaml").write_text(HEAD + declared + "secret_readers: [ana]\n")
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\nsecret_readers: [ben]\n"})
    result = sync()
    assert result.code == 1
    assert "project 'shop' has no reader with a key" in result.err
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\nsecret_readers: [ben, ana]\n"})
    assert sync().code == 0


def test_pgp_and_ssh_keys_and_lists_of_keys(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5H1Hf6PmsF3WTZGjxrH6KDEuJjZRHjFf6KZQnYYkGV"
    keys = f"people:\n  ana: {{age: ['{crowd['ana'].public}', '{ssh} ana@laptop'], pgp: {crowd['pgp'].public}}}\n"
    policy = "secrets: {key_types: [age, age-ssh, pgp]}\nsecret_readers: [ana]\n"
    (root / "organization.yaml").write_text(HEAD + keys + policy)
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\n"})
    assert sync().code == 0
    file = encrypt_file(root, "organization.secrets.yaml", "A: long-enough\n", user=crowd["pgp"])
    assert read_recipients(file) == {crowd["ana"].public, crowd["pgp"].public}
    assert ssh in file.read_text()
    assert sync("check").code == 0


def test_without_readers_there_are_no_rules(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    plant(root, crowd, "owners: [ana]\n")
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\n"})
    assert sync().out == "wrote .github/CODEOWNERS\n"
    assert not (root / ".sops.yaml").exists()


def test_a_tree_with_another_error_is_left_alone(root: Path, sync: Sync) -> None:
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\nsecret_readers: [nobody]\n"})
    before = snapshot(root.parent)
    result = sync()
    assert result.code == 1
    assert "ET301" in result.err
    assert snapshot(root.parent) == before


LINKS = {
    "the-rules": ("config/.sops.yaml", "outside.yaml"),
    "the-owners": (".github/CODEOWNERS", "outside.yaml"),
    "the-folder": (".github", "folder"),
}


@pytest.mark.parametrize(("link", "target"), LINKS.values(), ids=LINKS)
def test_no_link_is_followed(link: str, target: str, root: Path, sync: Sync) -> None:
    repository = root.parent
    outside = repository.parent / target
    if target == "folder":
        outside.mkdir()
    else:
        outside.write_text("{}\n")
    (repository / link).parent.mkdir(exist_ok=True)
    (repository / link).symlink_to(outside)
    before = snapshot(repository.parent)
    result = sync()
    assert result.code == 1
    assert "ET808" in result.err or "ET121" in result.err
    assert snapshot(repository.parent) == before


def test_permissions_stay(root: Path, sync: Sync) -> None:
    (root / ".sops.yaml").write_text("# mine\n")
    (root / ".sops.yaml").chmod(0o640)
    sync()
    assert (root / ".sops.yaml").stat().st_mode & 0o777 == 0o640
    assert [path for path in root.parent.rglob("*") if "draft" in path.name] == []


# ── CODEOWNERS ──────────────────────────────────────────────────────────────────────────────────────────────────────


def owner_of(repository: Path, path: str) -> str:
    """Return the owner of a path by the rules of GitHub: patterns as in .gitignore, of which the last match counts."""
    lines = [line for line in (repository / ".github/CODEOWNERS").read_text().splitlines() if line[:1] not in ("", "#")]
    owner = ""
    for line in lines:
        pattern, owners = re.fullmatch(r"((?:\\ |\S)+) *(.*)", line).groups()  # type: ignore[union-attr]
        if matches(pattern.replace("\\ ", " "), path):
            owner = owners
    return owner


def matches(pattern: str, path: str) -> bool:
    """Match as GitHub does: a slash at the end matches a folder with its content, one elsewhere anchors at the root."""
    parts = path.split("/")
    inside = ["/".join(parts[:length]) for length in range(1, len(parts) + (not pattern.endswith("/")))]
    bare = pattern.strip("/")
    if "/" in pattern.rstrip("/"):
        return any(fnmatchcase(folder, bare) for folder in inside)
    return any(fnmatchcase(folder.rpartition("/")[2], bare) for folder in inside)


def test_the_last_pattern_that_matches_names_the_owner(root: Path, sync: Sync) -> None:
    repository = root.parent
    write_files(repository, {".github/CODEOWNERS": "* @everybody\nconfig/jobs/ @jobs\n/docs/ @writers"})
    sync()
    text = (repository / ".github/CODEOWNERS").read_text()
    assert text.startswith("* @everybody\nconfig/jobs/ @jobs\n/docs/ @writers\n# >>> ")
    for path in FILES:
        assert owner_of(repository, f"config/{path}") == ("@ben-acme" if "/shop/" in path else "@ana-acme"), path
    expected = {
        "config/projects/shop/agents/a.secrets.yaml": "@ben-acme",
        "config/projects/shop-two/x": "@ana-acme",
        "config/organization.secrets.yaml": "@ana-acme",
        "config/.sops.yaml": "@ana-acme",
        ".github/CODEOWNERS": "@ana-acme",
        "docs/x": "@writers",
        "src/config/x": "@everybody",
    }
    assert {path: owner_of(repository, path) for path in expected} == expected
    write_files(root, {"projects/shop-two/project.yaml": "key: TWO\nowners: [ci, ben]\n"})
    sync()
    assert owner_of(repository, "config/projects/shop-two/x") == "@ci-acme @ben-acme"
    assert (
        owner_of(repository, "config/projects/shop-two/x") == "@ben-acme @ci-acme"
        or owner_of(repository, "config/projects/shop-two/x") == "@ci-acme @ben-acme"
    )
    after = (repository / ".github/CODEOWNERS").read_text()
    assert split_at_block(after, "x") == split_at_block(text, "x")


def test_a_tree_at_the_root_of_the_repository(tmp_path: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    plant(tmp_path / "flat", crowd)
    (tmp_path / "flat/.git").mkdir()
    assert sync(at=tmp_path / "flat").out == "wrote .sops.yaml\nwrote .github/CODEOWNERS\n"
    write_files(tmp_path / "flat", {"src/x.py": ""})
    owners = {
        path: owner_of(tmp_path / "flat", path)
        for path in ("src/x.py", "organization.yaml", ".sops.yaml", "projects/shop/project.yaml", "environments/x.yaml")
    }
    assert owners == {
        "src/x.py": "",
        "organization.yaml": "@ana-acme",
        ".sops.yaml": "@ana-acme",
        "projects/shop/project.yaml": "@ben-acme",
        "environments/x.yaml": "@ana-acme",
    }


@pytest.mark.parametrize("place", ["CODEOWNERS", "docs/CODEOWNERS"])
def test_the_file_that_github_reads_is_the_one_that_is_written(place: str, root: Path, sync: Sync) -> None:
    write_files(root.parent, {place: "* @everybody\n"})
    assert sync().out.splitlines()[1] == f"wrote {place}"
    assert not (root.parent / ".github").exists()
    assert f"/{place} @ana-acme" in (root.parent / place).read_text()


def test_owners_without_a_name_are_told_and_never_an_empty_line(
    root: Path, sync: Sync, crowd: Mapping[str, SopsUser]
) -> None:
    people = (
        people_section(ana=crowd["ana"]) + f"  ben: {{age: {crowd['ben'].public}}}\n  ci: {{email: ci@acme.example}}\n"
    )
    (root / "organization.yaml").write_text(HEAD + people + "owners: [ci]\n")
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\nowners: [ben]\n"})
    result = sync()
    assert "the owner 'ben' has neither 'github' nor 'email'" in result.err
    lines = (root.parent / ".github/CODEOWNERS").read_text().splitlines()
    assert [line for line in lines if line[:1] != "#"] == [
        "/config/ ci@acme.example",
        "/.github/CODEOWNERS ci@acme.example",
    ]


def test_a_folder_that_github_cannot_name_is_refused(tmp_path: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    plant(tmp_path / "one/[x]", crowd)
    result = sync(at=tmp_path / "one/[x]")
    assert result.code == 1
    assert "CODEOWNERS has no way to write" in result.err
    # Letters of other alphabets have no special meaning in patterns.
    plant(tmp_path / "three/größe", crowd)
    assert sync(at=tmp_path / "three/größe").code == 0
    assert "/größe/ @ana-acme" in (tmp_path / "three/.github/CODEOWNERS").read_text()
    plant(tmp_path / "two/my config", crowd)
    assert sync(at=tmp_path / "two/my config").code == 0
    assert r"/my\ config/ @ana-acme" in (tmp_path / "two/.github/CODEOWNERS").read_text()


# ── secrets files ───────────────────────────────────────────────────────────────────────────────────────────────────


def leaves(file: Path) -> list[str]:
    return re.findall(r"ENC\[AES256_GCM,data:[^\]]*\]", re.split(r"(?m)^sops|\"sops\"", file.read_text())[0])


@pytest.mark.parametrize("form", ["yaml", "json", "env"])
def test_a_missing_scope_is_added(form: str, root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    sync()
    path = f"projects/shop/agents/a.staging.secrets.{form}"
    file = encrypt_file(root, path, PLAIN[form])
    before = leaves(file)
    result = sync("--check")
    assert (result.code, result.out) == (4, f"would change {path}: _scope added\n")
    assert leaves(file) == before
    result = sync(user=crowd["ci"])
    assert (result.code, result.out) == (0, f"changed {path}: _scope added\n")
    assert decrypt_file(root, path, crowd["ben"]) == {"A": "long-enough", "_scope": "projects/shop/agents/a.staging"}
    assert leaves(file)[: len(before)] == before
    assert sync("check", "--strict").code == 0
    assert sync("--check") == (0, "", "")


def test_no_scope_is_added_where_none_is_wanted(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    encrypt_file(
        root, "organization.secrets.yaml", "A: long-enough\n", f"--age={crowd['ana'].public},{crowd['ci'].public}"
    )
    text = (root / "organization.yaml").read_text()
    (root / "organization.yaml").write_text(text.replace("ET651: 'off'", "ET651: 'off', ET650: 'off'"))
    sync()
    assert sync("--check") == (0, "", "")
    (root / "organization.yaml").write_text(text + "secrets: {require_scope: true}\n")
    assert sync(user=crowd["ana"]).out == "changed organization.secrets.yaml: _scope added\n"


def test_a_file_that_no_key_opens_is_told_and_the_others_go_on(
    root: Path, sync: Sync, crowd: Mapping[str, SopsUser]
) -> None:
    sync()
    readable = encrypt_file(root, "organization.secrets.yaml", "A: long-enough\n")
    unreadable = encrypt_file(root, "projects/shop/project.secrets.yaml", "A: long-enough\n")
    before = unreadable.read_bytes()
    result = sync(user=crowd["ana"])
    assert result.code == 3
    assert result.out == "changed organization.secrets.yaml: _scope added\n"
    assert "left projects/shop/project.secrets.yaml: no key on this machine opens" in result.err
    assert unreadable.read_bytes() == before
    assert b"_scope" in readable.read_bytes()


@pytest.mark.parametrize("form", ["yaml", "json", "env"])
def test_keys_are_updated_to_the_rule(form: str, root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    path = f"organization.secrets.{form}"
    scoped = {"yaml": "_scope: organization\n", "json": '{"_scope": "organization", ', "env": "_scope=organization\n"}
    text = scoped[form] + PLAIN[form].removeprefix("{")
    file = encrypt_file(root, path, text, f"--age={crowd['ana'].public},{crowd['ben'].public}")
    before = leaves(file)
    sync()
    content = file.read_bytes()
    result = sync("--check", "--update-keys")
    assert (result.code, result.out) == (4, f"would change {path}: now for ci; no longer for ben\n")
    # Without a key the file does not change.
    assert sync("--update-keys").code == 3
    assert sync("--update-keys", user=crowd["mallory"]).code == 3
    assert file.read_bytes() == content
    result = sync("--update-keys", user=crowd["ben"])
    assert (result.code, result.out) == (0, f"changed {path}: now for ci; no longer for ben\n")
    assert "who was taken out has seen the values" in result.err
    assert read_recipients(file) == {crowd["ana"].public, crowd["ci"].public}
    assert leaves(file) == before
    assert decrypt_file(root, path, crowd["ci"]) == decrypt_file(root, path, crowd["ana"]) != {}
    assert decrypt_file(root, path, crowd["ben"]) is None
    assert sync("check", "--strict").code == 0
    assert sync("--check", "--update-keys") == (0, "", "")


def test_keys_of_both_kinds_and_a_scope_at_once(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    people = people_section(ana=crowd["ana"], ben=crowd["ben"], ci=crowd["ci"], pgp=crowd["pgp"])
    (root / "organization.yaml").write_text(HEAD + LINT + people + "secret_readers: [ana, pgp]\n")
    encrypt_file(root, "organization.secrets.yaml", "A: long-enough\n", crowd["ben"].sops_option)
    both = SopsUser("", {**crowd["ben"].environ, **crowd["pgp"].environ})
    result = sync("--update-keys", user=both)
    assert "changed organization.secrets.yaml: _scope added; now for ana, pgp; no longer for ben\n" in result.out
    expected = {"A": "long-enough", "_scope": "organization"}
    assert decrypt_file(root, "organization.secrets.yaml", crowd["pgp"]) == expected
    assert decrypt_file(root, "organization.secrets.yaml", crowd["ana"]) == expected


def test_key_groups_are_left_to_people(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    groups = f"[{{age: [{crowd['ana'].public}]}}, {{age: [{crowd['ben'].public}]}}]"
    (root / ".sops.yaml").write_text(f"creation_rules:\n  - key_groups: {groups}\n")
    file = encrypt_file(root, "organization.secrets.yaml", "_scope: organization\nA: long-enough\n")
    (root / ".sops.yaml").unlink()
    before = file.read_bytes()
    result = sync("--update-keys", user=crowd["ana"])
    assert result.code == 1
    assert "left organization.secrets.yaml: it has key groups or services" in result.err
    assert file.read_bytes() == before


def test_t48_keys_that_nobody_declared_are_not_handed_over_to(
    root: Path, sync: Sync, crowd: Mapping[str, SopsUser]
) -> None:
    plant(root, crowd, "")
    write_files(root, {"projects/shop/project.yaml": "key: SHOP\n"})
    file = encrypt_file(
        root, "organization.secrets.yaml", "_scope: organization\nA: long-enough\n", crowd["ana"].sops_option
    )
    keys = f"{crowd['ana'].public},{crowd['mallory'].public}"
    (root / ".sops.yaml").write_text(f"creation_rules:\n  - age: {keys}\n")
    before = file.read_bytes()
    result = sync("--update-keys", user=crowd["ana"])
    assert result.code == 1
    assert "names a key that is nobody's in 'people'" in result.err
    assert file.read_bytes() == before
    # A key in `people` is added, even if no readers are declared.
    (root / ".sops.yaml").write_text(
        f"creation_rules:\n  - age: {keys.replace(crowd['mallory'].public, crowd['ben'].public)}\n"
    )
    assert sync("--update-keys", user=crowd["ana"]).out == "changed organization.secrets.yaml: now for ben\n"


def test_a_linked_secrets_file_is_left(root: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    encrypt_file(root, "real.yaml", "A: long-enough\n", f"--age={crowd['ana'].public},{crowd['ci'].public}")
    (root / "organization.secrets.yaml").symlink_to("real.yaml")
    before = (root / "real.yaml").read_bytes()
    result = sync(user=crowd["ana"])
    assert result.code == 3
    assert "left organization.secrets.yaml: cannot write" in result.err
    assert (root / "real.yaml").read_bytes() == before
    assert (root / "organization.secrets.yaml").is_symlink()


MISBEHAVIOUR = {
    "another-value": "data['A'] = data['_scope']",
    "a-value-less": "del data['B']",
    "a-stranger": "data['sops']['age'].append(dict(data['sops']['age'][0], recipient='age1' + 'q' * 58))",
    "nothing": "data = json.loads(before)",
    "no-file": "os.unlink(name); sys.exit(0)",
}


@pytest.mark.parametrize("script", MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
def test_a_sops_that_gives_back_something_else_changes_nothing(
    script: str, root: Path, sync: Sync, crowd: Mapping[str, SopsUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake sops runs the real one, and then changes the file."""
    path = "organization.secrets.json"
    flag = f"--age={crowd['ana'].public},{crowd['ci'].public}"
    file = encrypt_file(root, path, '{"A": "long-enough", "B": "long-enough"}', flag)
    sync()
    before = file.read_bytes()
    folder = root.parents[1] / "bin"
    folder.mkdir()
    real = shutil.which("sops", path=SEARCH_PATH)
    (folder / "sops").write_text(f"""#!{sys.executable}
import json, os, subprocess, sys
name = next(word for word in sys.argv if word.startswith("./"))
before = open(name).read()
result = subprocess.run([{real!r}, *sys.argv[1:]])
data = json.loads(open(name).read())
{script}
open(name, "w").write(json.dumps(data))
sys.exit(result.returncode)
""")
    (folder / "sops").chmod(0o755)
    monkeypatch.setitem(sync.__globals__, "SEARCH_PATH", f"{folder}:{SEARCH_PATH}")
    monkeypatch.setenv("ENVTREE_SOPS", "path")
    result = sync(user=crowd["ana"])
    assert result.code == (3 if "unlink" in script else 1)
    assert f"left {path}: sops gave back " in result.err
    assert file.read_bytes() == before


def test_the_example_is_in_sync(tmp_path: Path, sync: Sync) -> None:
    shutil.copytree(Path(__file__).parents[2] / "examples/acme", tmp_path / "acme")
    (tmp_path / "acme/.git").mkdir()
    assert sync("--check", "--update-keys", at=tmp_path / "acme") == (0, "", "")


# ── many trees ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_random_declarations_are_what_sops_does(tmp_path: Path, sync: Sync, crowd: Mapping[str, SopsUser]) -> None:
    draw = random.Random(9)
    names = ["ana", "ben", "ci"]
    for number in range(6):
        root = tmp_path / f"many/{number}/tree"
        projects = {name: draw.choice([None, draw.sample(names, draw.randint(1, 3))]) for name in ("p", "p-q", "q")}
        default_readers = draw.sample(names, draw.randint(1, 3))
        people = people_section(**{name: crowd[name] for name in names})
        files: dict[str, Any] = {
            "organization.yaml": HEAD + LINT + people + f"secret_readers: {json.dumps(default_readers)}\n",
            "environments/dev.yaml": "{}\n",
        }
        for name, readers in projects.items():
            own = f"secret_readers: {json.dumps(readers)}\n" if readers else ""
            key = name.upper().replace("-", "_") + "K"
            files[f"projects/{name}/project.yaml"] = f"key: {key}\n{own}"
        write_files(root, files)
        assert sync(at=root).code == 0
        expected = {f"projects/{name}/project": readers or default_readers for name, readers in projects.items()}
        expected["organization"] = default_readers
        for stem, readers in expected.items():
            file = encrypt_file(root, f"{stem}.secrets.yaml", f"_scope: {stem}\nA: long-enough\n")
            assert read_recipients(file) == {crowd[name].public for name in readers}
        assert sync("check", "--strict", at=root).code in (0, 1, 4)
        assert os.path.exists(root / ".sops.yaml")
