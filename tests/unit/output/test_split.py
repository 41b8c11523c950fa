"""`compile --split`: secrets in one folder, all the rest in another, and both together are complete."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from envtree.model.formats import FORMAT_NAMES, FORMATS
from tests.support.env_readers import READERS
from tests.support.vault import NUMBER, PASSWORD, SECRETS, Vault, make_vault, read_folder, still, vault

__all__ = ["still", "vault"]

HOME = "dev/default/a"
ONE_LINE = "quokka7-of-one-line"
SENSITIVE = {"PASSWORD", "SHORT", "FLAG", "URL", "PIN"}
VARIABLES = {"PLAIN", *SENSITIVE}
TEMPLATES = "output:\n  templates: {open.txt: open.j2, secret.txt: secret.j2, config.txt: config.j2}\n"
ALL = [option for name in FORMAT_NAMES if name != "portable" for option in ("--format", name)]


def halves(vault: Vault, *options: str) -> tuple[Path, Path]:
    result = vault.envtree("compile", "-o", "open", "--split", "secret", *options)
    assert result.returncode == 0, result.stderr
    return vault.folder / "open", vault.folder / "secret"


def with_templates(vault: Vault) -> None:
    organization = (vault.root / "organization.yaml").read_text()
    vault.write(
        {
            "organization.yaml": organization + TEMPLATES,
            "open.j2": "{{ env_vars.PLAIN }}\n",
            "secret.j2": "{{ env_vars.PLAIN }} {{ env_vars.PASSWORD }}\n",
            "config.j2": "{{ config.nested.pin }}\n",
        }
    )


def test_the_open_half_is_what_references_are(still: Vault) -> None:
    formats = [option for name in ("compose", "bash", "k8s", "json-env", "yaml") for option in ("--format", name)]
    opened, _ = halves(still, *formats)
    assert read_folder(opened) == read_folder(still.compile("ref", "ref", *formats))


def test_no_secret_is_in_the_open_half_and_nothing_else_in_the_other(vault: Vault) -> None:
    with_templates(vault)
    vault.encrypt("organization.secrets.yaml", SECRETS | {"db": {"password": ONE_LINE, "pin": NUMBER}})
    opened, secret = halves(vault, *ALL)
    needles = [str(NUMBER).encode(), b"quokka"]
    assert not [path for path, data in read_folder(opened).items() if any(needle in data for needle in needles)]
    paths = [path for path, data in read_folder(secret).items() if b"nothing-secret" in data]
    # A template cannot be split: one that reads a secret is written to the secret half.
    assert paths == [f"{HOME}/secret.txt"]
    assert {path for path in read_folder(opened) if path.endswith(".txt")} == {f"{HOME}/open.txt"}
    assert (secret / HOME / "config.txt").read_text() == f"{NUMBER}\n"
    names = {
        name
        for format in FORMATS
        if format.name not in ("bundle", "portable") and not format.is_whole_tree
        for name in format.files
    }
    assert {path.removeprefix(f"{HOME}/") for path in read_folder(secret)} == {
        *names,
        "secrets.json",
        "secret.txt",
        "config.txt",
        "manifest.json",
        ".gitignore",
    }


def test_the_values_have_the_names_of_the_bundle(still: Vault) -> None:
    opened, secret = halves(still)
    bundle = json.loads((opened / HOME / "bundle.json").read_bytes())
    secrets = json.loads((secret / HOME / "secrets.json").read_bytes())
    assert secrets["id"] == bundle["id"]
    assert sorted(secrets["values"]) == bundle["sensitive"]
    assert (secrets["values"]["PASSWORD"], secrets["values"]["PIN"]) == (PASSWORD, str(NUMBER))
    assert secrets["values"]["config.nested.pin"] == NUMBER


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """A tree whose secrets every format can represent."""
    vault = make_vault(tmp_path_factory.mktemp("lines"))
    vault.encrypt("organization.secrets.yaml", SECRETS | {"db": {"password": ONE_LINE, "pin": NUMBER}})
    return vault


@pytest.mark.parametrize("format", [format for format in READERS if format not in ("k8s", "portable")])
def test_a_reader_of_both_halves_has_the_whole(format: str, lines: Vault, tmp_path: Path) -> None:
    opened, secret = halves(lines, "--format", format)
    whole = lines.compile("plain", "whole", "--format", format)
    name = next(entry.files[0] for entry in FORMATS if entry.name == format)
    read: list[dict[str, str]] = []
    for folder in (opened, secret, whole):
        (tmp_path / folder.name).mkdir()
        variables = READERS[format][0]((folder / HOME / name).read_bytes(), tmp_path / folder.name)
        read.append({name: text for name, text in variables.items() if name in VARIABLES})
    assert read == [{"PLAIN": "nothing-secret"}, {name: read[2][name] for name in SENSITIVE}, read[2]]
    assert read[1]["PASSWORD"] == ONE_LINE


def test_kubernetes_gets_each_object_once(vault: Vault) -> None:
    organization = (vault.root / "organization.yaml").read_text()
    store = "output: {kubernetes: {secret_store: {name: vault, kind: ClusterSecretStore}}}\n"
    vault.write({"organization.yaml": organization + store})
    opened, secret = halves(vault, "--format", "k8s")
    objects = [list(yaml.safe_load_all((folder / HOME / "env.k8s.yaml").read_text())) for folder in (opened, secret)]
    assert [[resource["kind"] for resource in half] for half in objects] == [["ConfigMap"], ["Secret"]]
    assert objects[0][0]["metadata"]["name"] == objects[1][0]["metadata"]["name"]


def test_a_bundle_without_secrets_has_an_empty_half(vault: Vault) -> None:
    vault.write({"agents/b.yaml": "execution_environment: {env_vars: {ONLY: x}}\n"})
    _, secret = halves(vault, "--format", "k8s", "--format", "compose")
    files = {path: data for path, data in read_folder(secret).items() if "/b/" in path}
    # kubectl fails on an empty file.
    assert files.keys() == {"dev/default/b/.env", "dev/default/b/secrets.json"}
    assert json.loads(files["dev/default/b/secrets.json"])["values"] == {}


def test_only_the_secret_half_is_closed(still: Vault) -> None:
    opened, secret = halves(still)
    bits = [{path.stat().st_mode & 0o777 for path in folder.rglob("*")} for folder in (opened, secret)]
    assert bits == [{0o644, 0o755}, {0o600, 0o700}]
    assert (secret / ".gitignore").exists()
    assert not (opened / ".gitignore").exists()


def test_both_halves_are_compared_and_pruned(vault: Vault) -> None:
    check = ("compile", "-o", "open", "--split", "secret", "--check")
    vault.write({"agents/b.yaml": "{}\n"})
    opened, secret = halves(vault)
    assert vault.envtree(*check).returncode == 0
    (secret / HOME / "secrets.json").write_text("{}")
    result = vault.envtree(*check)
    assert (result.returncode, result.stdout) == (4, f"secret/{HOME}/secrets.json\n".encode())
    (vault.root / "agents/b.yaml").unlink()
    halves(vault)
    assert not [path for folder in (opened, secret) for path in read_folder(folder) if "/b/" in path]


def test_without_the_key_neither_half_is_written(vault: Vault) -> None:
    halves(vault)
    before = read_folder(vault.folder)
    vault.write({"environments/dev.yaml": "execution_environment: {env_vars: {NEW: x}}\n"})
    result = vault.envtree("compile", "-o", "open", "--split", "secret", environ={"SOPS_AGE_KEY_FILE": None})
    assert result.returncode == 3
    after = read_folder(vault.folder)
    assert {path for path in before if before[path] != after[path]} == {"tree/environments/dev.yaml"}


def test_where_the_secret_half_cannot_be_the_open_one_stays(vault: Vault) -> None:
    (vault.folder / "secret").mkdir()
    (vault.folder / "secret/tracked").touch()
    for command in (["git", "init", "-q"], ["git", "add", "secret"]):
        subprocess.run(command, cwd=vault.folder, check=True)
    result = vault.envtree("compile", "-o", "open", "--split", "secret")
    assert (result.returncode, b"ET801" in result.stderr) == (1, True)
    assert not (vault.folder / "open").exists()


REFUSED = {
    "references": ("--secrets", "ref"),
    "sealed": ("--secrets", "seal"),
    "the same folder": ("-o", "secret"),
    "one in the other": ("-o", "secret/open"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_exclude_a_split(case: str, still: Vault) -> None:
    result = still.envtree("compile", "--split", "secret", *REFUSED[case])
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"Traceback" not in result.stderr


def test_an_archive_has_the_open_half(still: Vault, tmp_path: Path) -> None:
    opened, _ = halves(still, "--archive", str(tmp_path / "open.zip"))
    subprocess.run(["unzip", "-q", tmp_path / "open.zip", "-d", tmp_path / "unpacked"], check=True)
    assert read_folder(tmp_path / "unpacked") == read_folder(opened)
    for output in ("open", "secret", str(tmp_path / "open.zip")):
        assert still.envtree("verify", output).returncode == 0


def test_no_template_makes_the_file_of_the_secrets(vault: Vault) -> None:
    organization = (vault.root / "organization.yaml").read_text()
    vault.write({"organization.yaml": f"{organization}output: {{templates: {{secrets.json: x.j2}}}}\n", "x.j2": "x\n"})
    result = vault.envtree("compile", "-o", "open", "--split", "secret", "--format", "template")
    assert (result.returncode, b"'secrets.json' is a file that envtree itself writes" in result.stderr) == (1, True)
