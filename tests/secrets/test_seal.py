"""`compile --secrets seal`: the secrets of a bundle in a file next to it, which the real sops opens."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envtree.frontend.schemas import Schemas
from tests.support.real_sops import (
    HEAD,
    SopsUser,
    decrypt_file,
    make_age_user,
    make_pgp_user,
    people_section,
    read_recipients,
    run_sops,
)
from tests.support.vault import ID, NUMBER, PASSWORD, Vault, read_folder, still, vault

__all__ = ["still", "vault"]

EXAMPLE = Path(__file__).parents[2] / "examples/acme"
HOME = "dev/default/a"
SEALED = f"{HOME}/secrets.sops.json"


def bundle(out: Path, home: str = HOME) -> Any:
    return json.loads((out / home / "bundle.json").read_bytes())


def keyless(vault: Vault) -> dict[str, str | None]:
    return {"SOPS_AGE_KEY_FILE": str(vault.folder / "nowhere")}


# Written files.


def test_each_sensitive_value_is_an_entry_that_sops_opens(still: Vault) -> None:
    out, plain = still.compile("seal", "sealed"), still.compile("plain", "plain")
    sealed_bundle, plain_bundle = bundle(out), bundle(plain)
    entries = decrypt_file(out, SEALED, still.reader)
    assert entries is not None
    assert entries.pop("id") == ID
    assert entries == {
        "env_vars.PASSWORD": PASSWORD,
        "env_vars.SHORT": "abc",
        "env_vars.FLAG": "true",
        "env_vars.PIN": str(NUMBER),
        "env_vars.URL": plain_bundle["env_vars"]["URL"],
        "config.nested.list.0": PASSWORD,
        "config.nested.pin": NUMBER,
    }
    assert sealed_bundle["env_vars"]["PASSWORD"] == {"$sealed": "env_vars.PASSWORD"}
    assert sealed_bundle["env_vars"]["PLAIN"] == "nothing-secret"
    assert sealed_bundle["config"]["nested"] == {
        "list": [{"$sealed": "config.nested.list.0"}, 1],
        "pin": {"$sealed": "config.nested.pin"},
    }
    assert sealed_bundle["sensitive"] == plain_bundle["sensitive"]
    assert Schemas().is_valid("bundle", sealed_bundle)


def test_nothing_beside_it_holds_a_secret(still: Vault) -> None:
    out = still.compile("seal", "beside", "--provenance")
    assert read_folder(out).keys() == {
        "manifest.json",
        *(f"{HOME}/{name}" for name in ("bundle.json", ".env", "provenance.json", "secrets.sops.json")),
    }
    for data in read_folder(out).values():
        assert not re.search(rb"quokka|canary|third-line|918273", data)
    assert (out / HOME / ".env").read_text() == (
        '# sensitive, left out: FLAG, PASSWORD, PIN, SHORT, URL\nPLAIN="nothing-secret"\n'
    )
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert (manifest["mode"], Schemas().is_valid("output/manifest", manifest)) == ("seal", True)
    assert "secrets.sops.json" in manifest["bundles"][ID]["files"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in out.rglob("*")}
    assert modes == {0o755, 0o644}


def test_it_is_encrypted_for_the_declared_readers_and_nobody_else(vault: Vault) -> None:
    ana, bob = (make_age_user(vault.folder / "keys", name) for name in ("ana", "bob"))
    vault.write({"organization.yaml": HEAD + people_section(ci=vault.reader, ana=ana, bob=bob)})
    vault.write({"organization.yaml": (vault.root / "organization.yaml").read_text() + "secret_readers: [ci, ana]\n"})
    run_sops(vault.root, "rotate", "-i", "--add-age", ana.public, "organization.secrets.yaml", user=vault.reader)
    out = vault.compile("seal", "out")
    assert read_recipients(out / SEALED) == {vault.reader.public, ana.public}
    assert [bool(decrypt_file(out, SEALED, user)) for user in (vault.reader, ana, bob)] == [True, True, False]


def test_a_project_has_readers_of_its_own(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "acme")
    own = Vault(tmp_path, SopsUser("", {"SOPS_AGE_KEY_FILE": str(tmp_path / "acme/age.key")}))
    result = own.envtree("-C", "acme", "compile", "--secrets", "seal", "-o", "out")
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "acme/organization.yaml").read_text()
    keys = dict(re.findall(r"^  (\w+):.*\n    age: (\S+)", text, re.MULTILINE))
    for project in ("platform", "storefront", "delivery"):
        file = (tmp_path / f"acme/projects/{project}/project.yaml").read_text()
        names = re.search(r"^secret_readers: \[(.*)\]", file, re.MULTILINE)
        expected = {keys[name] for name in (names[1] if names else "dana, ci").split(", ")}
        sealed = list((tmp_path / "out").glob(f"*/{project}/**/secrets.sops.json"))
        assert sealed
        assert all(read_recipients(path) == expected for path in sealed)


@pytest.fixture(scope="module")
def pgp() -> Iterator[SopsUser]:
    with make_pgp_user() as person:
        yield person


def test_a_reader_may_have_a_pgp_key(vault: Vault, pgp: SopsUser) -> None:
    vault.write({"organization.yaml": HEAD + people_section(ci=vault.reader, ana=pgp) + "secret_readers: [ana, ci]\n"})
    (vault.root / "organization.secrets.yaml").unlink()
    environ = {**vault.environ, **pgp.environ}
    (vault.root / "organization.secrets.yaml").write_text(json.dumps({"db": {"password": PASSWORD, "pin": 1234}}))
    options = ["sops", "encrypt", "-i", f"--age={vault.reader.public}", f"--pgp={pgp.public}"]
    subprocess.run([*options, "organization.secrets.yaml"], cwd=vault.root, env=environ, check=True)
    vault.write({"agents/a.yaml": "execution_environment: {secrets: {PASSWORD: db.password}}\n"})
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out", environ=pgp.environ)
    assert result.returncode == 0, result.stderr
    out = vault.folder / "out"
    assert read_recipients(out / SEALED) == {vault.reader.public, pgp.public}
    assert [bool(decrypt_file(out, SEALED, user)) for user in (vault.reader, pgp)] == [True, True]
    again = vault.envtree("compile", "--secrets", "seal", "-o", "out", "--check", environ=pgp.environ)
    assert again.returncode == 0, again
    # Without the public key sops cannot encrypt.
    shutil.rmtree(out)
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out")
    assert (result.returncode, b"gpg needs the public key" in result.stderr) == (3, True)
    assert not out.exists()


ODD = """\
execution_environment:
  env_vars:
    TOKEN_unencrypted: ${{ secrets.t }}
    sops: ${{ secrets.t }}
    EMPTY: ${{ secrets.t | replace(secrets.t, '') }}
    LONG: ${{ secrets.long ~ secrets.long }}
  working_dir: ${{ secrets.t }}
  config:
    "a:b": ${{ secrets.t }}
    "50%": ${{ secrets.t }}
    "x.y_unencrypted": ${{ secrets.t }}
    sops: ${{ secrets.t }}
    _scope: ${{ secrets.t }}
    none: ${{ none if secrets.t else 1 }}
    half: ${{ secrets.n / 2 }}
    whole: ${{ secrets.n / 1 }}
    big: ${{ secrets.n }}
    sure: ${{ secrets.t is string }}
    list: ${{ [secrets.t, 1, [], {}] }}
    map: "${{ {'k:1': secrets.t, '$json': none} }}"
    nothing: "${{ [secrets.t, 1] | length * 0 }}"
"""


def test_values_and_names_that_sops_would_not_keep_are_kept(vault: Vault) -> None:
    vault.encrypt("organization.secrets.yaml", {"t": "tÖken\n", "n": 9007199254740991, "long": "é" * 20_000})
    vault.write({"agents/a.yaml": ODD})
    out, plain = vault.compile("seal", "out"), vault.compile("plain", "plain")
    assert "Öken" not in (out / SEALED).read_text()
    # Only the `sops` map is in clear.
    for value in re.findall(r'^\t"(?!sops")[^"]+": (.*?),?$', (out / SEALED).read_text(), re.MULTILINE):
        assert value.startswith(('"ENC[', "{"))
    vault.compile("seal", "out", "--check")
    result = vault.envtree("unseal", "out", "-o", "again")
    assert result.returncode == 0, result.stderr
    assert read_folder(vault.folder / "again") == read_folder(plain)
    names = json.loads((out / SEALED).read_bytes())
    assert {
        "env_vars.TOKEN%5Funencrypted",
        "config.a%3Ab",
        "config.50%25",
        "env_vars.sops",
        "working_dir",
    } <= names.keys()


def test_a_bundle_without_secrets_has_no_sealed_file_and_needs_no_readers(vault: Vault) -> None:
    vault.write({"organization.yaml": HEAD, "agents/a.yaml": "{}\n"})
    (vault.root / "organization.secrets.yaml").unlink()
    assert read_folder(vault.compile("seal", "out")).keys() == {"manifest.json", f"{HOME}/bundle.json", f"{HOME}/.env"}


def test_the_organization_can_ask_for_it(vault: Vault) -> None:
    text = (vault.root / "organization.yaml").read_text()
    vault.write({"organization.yaml": text + "output: {secrets: seal, directory: sealed}\n"})
    assert vault.envtree("compile").returncode == 0
    assert decrypt_file(vault.root / "sealed", SEALED, vault.reader)


# Reuse of existing files.


def test_what_holds_the_same_for_the_same_readers_is_kept(vault: Vault) -> None:
    before = read_folder(vault.compile("seal", "out"))
    assert read_folder(vault.compile("seal", "out")) == before
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out", "--check")
    assert (result.returncode, result.stdout) == (0, b"")


def reseal(vault: Vault) -> list[str]:
    """Return the files that --check would change; then compile, and require that sops opens the result."""
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out", "--check")
    assert result.returncode == (4 if result.stdout else 0), result.stderr
    vault.compile("seal", "out")
    assert vault.envtree("compile", "--secrets", "seal", "-o", "out", "--check").returncode == 0
    assert decrypt_file(vault.folder / "out", SEALED, vault.reader)
    return result.stdout.decode().splitlines()


def test_a_changed_value_is_sealed_anew(vault: Vault) -> None:
    out = vault.compile("seal", "out")
    # The new value has the same length, so that the length does not reveal the change.
    vault.encrypt(
        "organization.secrets.yaml", {"db": {"password": PASSWORD, "pin": NUMBER}, "short": "abd", "flag": True}
    )
    assert reseal(vault) == [SEALED, "manifest.json"]
    assert "abd" in json.dumps(decrypt_file(out, SEALED, vault.reader))


def test_other_readers_have_it_sealed_anew(vault: Vault) -> None:
    out = vault.compile("seal", "out")
    ana = make_age_user(vault.folder / "keys", "ana")
    organization = HEAD + people_section(ci=vault.reader, ana=ana)
    run_sops(vault.root, "rotate", "-i", "--add-age", ana.public, "organization.secrets.yaml", user=vault.reader)
    vault.write({"organization.yaml": organization + "secret_readers: [ci, ana]\n"})
    assert reseal(vault) == [SEALED, "manifest.json"]
    # A recipient was added to the sealed file by hand.
    bob = make_age_user(vault.folder / "keys", "bob")
    run_sops(out, "rotate", "-i", "--add-age", bob.public, SEALED, user=vault.reader)
    assert reseal(vault) == [SEALED, "manifest.json"]
    assert read_recipients(out / SEALED) == {vault.reader.public, ana.public}


@pytest.mark.parametrize("damage", ["not json", "{}", "mac", "plain", "folder of another"])
def test_a_file_that_is_not_what_it_was_is_sealed_anew(vault: Vault, damage: str) -> None:
    file = vault.compile("seal", "out") / SEALED
    text = file.read_text()
    if damage == "mac":
        text = re.sub(r'"lastmodified": "[^"]*"', '"lastmodified": "2020-01-01T00:00:00Z"', text)
    elif damage == "plain":
        text = re.sub(r'"env_vars.SHORT": "[^"]*"', '"env_vars.SHORT": "abc"', text)
    elif damage == "folder of another":
        foreign = re.sub(
            r'"id": "[^"]*"',
            '"id": "default/b@dev"',
            json.dumps(decrypt_file(vault.folder / "out", SEALED, vault.reader)),
        )
        file.write_text(foreign)
        run_sops(file.parent, "encrypt", "-i", vault.reader.sops_option, file.name)
        text = file.read_text()
    else:
        text = damage
    file.write_text(text)
    assert reseal(vault) == [SEALED, "manifest.json"]


def test_without_a_key_for_the_old_one_a_new_one_is_made(vault: Vault) -> None:
    out = vault.compile("seal", "out")
    ana = make_age_user(vault.folder / "keys", "ana")
    # The build can read the tree, but not the file that was sealed earlier for another reader.
    plain = decrypt_file(out, SEALED, vault.reader)
    (out / SEALED).write_text(json.dumps(plain))
    run_sops(out, "encrypt", "-i", ana.sops_option, SEALED)
    vault.write({"organization.yaml": HEAD + people_section(ana=ana) + "secret_readers: [ana]\n"})
    vault.write({"organization.yaml": HEAD + people_section(ana=ana, ci=vault.reader) + "secret_readers: [ana]\n"})
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out", "--check")
    assert result.returncode == 1, result.stderr  # the tree's own file is not encrypted for its readers
    vault.write({"projects/shop/project.yaml": "key: SHOP\nsecret_readers: [ana]\n", "projects/shop/agents/a.yaml": ""})
    shutil.rmtree(vault.root / "agents")
    vault.write({"organization.yaml": HEAD + people_section(ana=ana, ci=vault.reader) + "secret_readers: [ci]\n"})
    vault.write({"projects/shop/agents/a.yaml": "execution_environment: {secrets: {S: short}}\n"})
    shutil.rmtree(out)
    vault.compile("seal", "out")
    sealed = out / "dev/shop/a/secrets.sops.json"
    first = sealed.read_bytes()
    assert read_recipients(sealed) == {ana.public}
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out", "--check")
    assert (result.returncode, b"ET621" in result.stderr) == (3, True)
    vault.compile("seal", "out")
    assert sealed.read_bytes() != first


def test_modes_follow_each_other_in_one_folder(vault: Vault) -> None:
    for mode in ("seal", "plain", "ref", "seal"):
        out = vault.compile(mode, "out")
        assert (out / SEALED).exists() == (mode == "seal")
        assert (out / ".gitignore").exists() == (mode == "plain")


# Readers for whom nothing can be sealed.


def test_without_readers_it_is_refused(vault: Vault) -> None:
    vault.write({"organization.yaml": HEAD})
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out")
    assert result.returncode == 1
    assert (
        b"organization.yaml:1:1: error ET630: there is nobody to seal the secrets of project 'default'" in result.stderr
    )
    assert not (vault.folder / "out").exists()


def test_a_key_of_a_type_that_is_not_allowed_is_not_sealed_for(vault: Vault) -> None:
    ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
    plugin = f"age1evil1{'q' * 44}mudyuh"
    vault.write({"projects/shop/project.yaml": "key: SHOP\nsecret_readers: [ana, eve]\n"})
    vault.write({"projects/shop/agents/a.yaml": "execution_environment: {secrets: {S: short}}\n"})
    shutil.rmtree(vault.root / "agents")
    text = (
        HEAD
        + people_section(ci=vault.reader)
        + f"  ana: {{age: '{ssh}'}}\n  eve: {{age: {plugin}}}\nsecret_readers: [ci]\n"
    )
    vault.write({"organization.yaml": text})
    marker = vault.folder / "started"
    (vault.folder / "bin").mkdir()
    for name in ("age-plugin-evil", "age-plugin-evil1"):
        (vault.folder / "bin" / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (vault.folder / "bin" / name).chmod(0o755)
    path = f"{vault.folder / 'bin'}{os.pathsep}{vault.environ['PATH']}"
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out", environ={"PATH": path, "ENVTREE_SOPS": "path"})
    assert result.returncode == 1
    output = result.stderr.decode()
    assert output.count("error ET630") == 2, output
    assert "key of type 'age-ssh', allowed: 'age', 'pgp'" in output
    assert "key of type 'age-plugin'" in output
    assert not marker.exists()


def test_nothing_is_sealed_of_a_tree_with_errors(vault: Vault) -> None:
    vault.write({"agents/b.yaml": "nope: 1\n"})
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out")
    assert (result.returncode, b"ET201" in result.stderr) == (1, True)
    assert not (vault.folder / "out").exists()
    vault.write({"agents/b.yaml": "{}\n"})
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out", environ=keyless(vault))
    assert (result.returncode, b"ET621" in result.stderr) == (3, True)


SPY = """#!{python}
import os, sys
with open({log!r}, "a") as log:
    log.write(repr((sys.argv, dict(os.environ))) + "\\n")
os.execv({sops!r}, ["sops", *sys.argv[1:]])
"""


def test_t59_t60_t61_plaintext_goes_to_sops_through_a_pipe_only(vault: Vault) -> None:
    binary, log = vault.folder / "bin/sops", vault.folder / "log"
    binary.parent.mkdir()
    real = shutil.which("sops", path=vault.environ["PATH"])
    python = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or sys.executable
    binary.write_text(SPY.format(python=python, log=str(log), sops=real))
    binary.chmod(0o755)
    environ = {"PATH": f"{binary.parent}{os.pathsep}{vault.environ['PATH']}", "ENVTREE_SOPS": "path", "OTHER": "x"}
    result = vault.envtree("compile", "--secrets", "seal", "-o", "out", environ=environ)
    assert result.returncode == 0, result.stderr
    calls = log.read_text()
    assert calls.count("encrypt") == 1
    assert not re.search("quokka|canary|918273|OTHER", calls)
    for path in vault.folder.rglob("*"):
        assert not path.is_file() or b"quokka" not in path.read_bytes(), path


def test_many_are_sealed_at_once(vault: Vault) -> None:
    for n in range(30):
        vault.write({f"agents/a{n}.yaml": "execution_environment: {secrets: {S: short}}\n"})
    out = vault.compile("seal", "out")
    sealed = sorted(out.rglob("secrets.sops.json"))
    assert len(sealed) == 31
    owners = {decrypt_file(file.parent, file.name, vault.reader)["id"] for file in sealed[:3]}  # type: ignore[index]
    assert owners == {f"default/{file.parent.name}@dev" for file in sealed[:3]}
