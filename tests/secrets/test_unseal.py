"""`envtree unseal`: references and sealed files are resolved to the output of plain mode; where it may be shown."""

import bisect
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings

from envtree.model.canonical_json import encode_canonical
from envtree.model.diagnostic import RefusedError
from envtree.model.formats import FORMATS
from envtree.model.secrets_file import flatten_leaves
from envtree.output.emit import bundle_json
from envtree.secrets.unseal.bundle_loader import CompiledBundle
from envtree.secrets.unseal.placeholder_resolver import PlaceholderResolver, PlainSecrets
from tests.support.real_sops import encrypt_file, make_age_user
from tests.support.rounds import rounds
from tests.support.trees import ID as MEMORY_ID
from tests.support.trees import CheckResult, check, layers, quote_yaml, run
from tests.support.vault import ID, NUMBER, PASSWORD, ROOT, Vault, read_folder, still, vault
from tests.unit.compile.test_expression_limits import SECRET, chain, read
from tests.unit.compile.test_taint import FILE, SECRETS, SPELT, VALUES, holding, keyed, keyless

__all__ = ["still", "vault"]

HOME = "dev/default/a"
EXAMPLE = ROOT / "examples/acme"
MODES = ["ref", "seal"]


# The result is the output of plain mode.


def acme(folder: Path) -> Vault:
    shutil.copytree(EXAMPLE, folder / "tree")
    return Vault(folder, make_age_user(folder / "keys", "key")._replace(environ={"SOPS_AGE_KEY_FILE": "tree/age.key"}))


@pytest.mark.parametrize("mode", MODES)
def test_the_example_is_resolved_byte_by_byte(mode: str, tmp_path: Path) -> None:
    vault = acme(tmp_path)
    plain = vault.compile("plain", "plain", "--provenance", "--input", "RELEASE=7")
    vault.compile(mode, "other", "--provenance", "--input", "RELEASE=7")
    result = vault.envtree("unseal", "other", "-o", "again")
    assert (result.returncode, result.stdout) == (0, b""), result.stderr
    assert result.stderr == b"wrote 38 bundles to 'again'\n"
    assert read_folder(tmp_path / "again") == read_folder(plain)
    assert len(read_folder(plain)) == 3 * 38 + 2
    again = vault.envtree("compile", "-o", "again", "--provenance", "--input", "RELEASE=7", "--check")
    assert again.returncode == 0, again


@pytest.mark.parametrize("mode", MODES)
def test_one_bundle_is_printed_or_written(mode: str, still: Vault) -> None:
    plain, out = still.compile("plain", "plain"), still.compile(mode, mode)
    for named in (out / HOME, out / HOME / "bundle.json"):
        result = still.envtree("unseal", str(named), "--force")
        assert (result.returncode, result.stdout) == (0, (plain / HOME / "bundle.json").read_bytes()), result.stderr
    result = still.envtree("unseal", str(out / HOME), "-o", f"one-{mode}")
    assert result.returncode == 0, result.stderr
    assert read_folder(still.folder / f"one-{mode}") == read_folder(plain)


def test_what_is_plain_already_stays_as_it_is(still: Vault) -> None:
    plain = still.compile("plain", "plain")
    result = still.envtree("unseal", str(plain / HOME), "--force", cwd=still.folder / "home")
    assert result.stdout == (plain / HOME / "bundle.json").read_bytes()


def test_a_sealed_bundle_needs_no_tree(still: Vault, tmp_path: Path) -> None:
    shutil.copytree(still.compile("seal", "seal"), tmp_path / "here")
    command = still.command("unseal", f"here/{HOME}", "--force")
    result = subprocess.run(
        [*command[:3], *command[5:]], cwd=tmp_path, env=still.environ, capture_output=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout)["env_vars"]["PASSWORD"] == PASSWORD


def stored(checked: CheckResult) -> CompiledBundle:
    return CompiledBundle("", bundle_json(checked.bundles[MEMORY_ID], "ref"), names=(), sealed=None, extra_files=())


def assert_resolved(plain: CheckResult, references: CheckResult, secrets: Any = SECRETS, file: str = FILE) -> None:
    """Require that the references of a bundle, encoded as JSON and decoded, resolve to the plain bundle."""
    bundle = stored(references)
    bundle = bundle._replace(data=json.loads(encode_canonical(bundle.data)))
    plain_secrets = {f"{file}#{path}": value for path, value in flatten_leaves(secrets).items()}
    assert PlaceholderResolver().find_references(bundle) <= plain_secrets.keys()
    resolved = PlaceholderResolver().resolve(bundle, PlainSecrets(plain_secrets, {}))
    assert encode_canonical(bundle_json(resolved, "plain")) == encode_canonical(plain.data())


@pytest.mark.parametrize("value", SPELT.values(), ids=SPELT.keys())
def test_every_template_is_resolved(value: str) -> None:
    assert_resolved(keyed(holding(value)), keyless(holding(value)))


@settings(max_examples=rounds(gate=20, full=60))
@given(VALUES)
def test_random_templates_are_resolved(value: str) -> None:
    plain, references = keyed(holding(value)), keyless(holding(value))
    assume(not plain.codes)
    assert_resolved(plain, references)


DEEP = ["{} | lower", "[{}]", "{{'a': {}}}", "{} ~ '$'", "{} if true else 1", "1 if {} else 2"]


@pytest.mark.parametrize("form", DEEP)
def test_the_deepest_template_is_resolved(form: str) -> None:
    def check_both(count: int) -> tuple[CheckResult, CheckResult]:
        section = chain(count, form, read("secrets.s"), backwards=True)
        return run(section, secrets={0: SECRET}), check(layers(section, secrets={0: SECRET}))

    def is_too_deep(count: int) -> bool:
        plain, references = check_both(count)
        return bool(plain.codes or references.codes)

    deepest = bisect.bisect_left(range(86), True, lo=21, key=is_too_deep) - 1
    assert deepest > 20, "none of them fits"
    plain, references = check_both(deepest)
    assert_resolved(plain, references, SECRET)


def test_what_python_cannot_nest_is_told() -> None:
    section = chain(75, "{} | string | lower | upper | trim", read("secrets.s"), backwards=True)
    bundle = stored(check(layers(section, secrets={0: SECRET})))
    with pytest.raises(RefusedError, match="of the bundle cannot be resolved: this expression is nested too deeply"):
        PlaceholderResolver().find_references(bundle)


def test_the_longest_template_is_resolved() -> None:
    values = {f"m{n}": read(f"config.m{n + 1} ~ 'some \\\"text' ~ config.m{n + 1}") for n in range(9)}
    body = ", ".join(f"{key}: {quote_yaml(value)}" for key, value in (values | {"m9": read("secrets.s")}).items())
    section = f"{{config: {{{body}}}}}"
    references = check(layers(section, secrets={0: SECRET}))
    assert len(stored(references).data["config"]["m0"]["$template"]) > 4096
    assert_resolved(run(section, secrets={0: SECRET}), references, SECRET)


def test_an_input_may_hold_what_no_expression_may() -> None:
    section = "{config: {x: '${{ secrets.token ~ inputs.X }}'}}"
    options: dict[str, Any] = {"inputs": {"X": "a\u200b\u202e\u00ad}}\"'\\"}, "require_inputs": True}
    organization = "inputs: {X: {}}"
    plain = run(section, secrets={0: SECRETS}, organization=organization, **options)
    assert_resolved(plain, check(layers(section, secrets={0: SECRETS}, organization=organization), **options))


def test_what_only_looks_like_a_reference_is_a_value() -> None:
    section = (
        "{config: {x: {$$secret: 'organization.secrets.yaml#token'}, y: {$$sealed: x}, z: {$$template: '$${{ x'},"
        " s: '${{ secrets.token }}'}}"
    )
    plain = keyed(section)
    assert plain.data()["config"]["x"] == {"$secret": "organization.secrets.yaml#token"}
    assert_resolved(plain, keyless(section))


# Where plaintext may be shown and written.


@pytest.mark.parametrize("command", [("show", ID, "--reveal"), ("show", ID, "--reveal", "--format", "compose")])
def test_secrets_are_shown_to_terminals_or_by_force(command: tuple[str, ...], still: Vault) -> None:
    result = still.envtree(*command)
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"--reveal shows secrets, and stdout is not a terminal; use --force if that is meant" in result.stderr
    # The refusal comes before any decryption.
    assert still.envtree(*command, environ={"SOPS_AGE_KEY_FILE": "/nowhere"}).returncode == 2
    forced = still.envtree(*command, "--force")
    assert (forced.returncode, b"quokka7" in forced.stdout) == (0, True)
    assert still.envtree("show", ID).returncode == 0


def test_a_terminal_needs_no_force(still: Vault) -> None:
    from tests.unit.runner.test_run import on_a_terminal

    out = still.compile("ref", "ref")
    for command in (("show", ID, "--reveal"), ("unseal", str(out / HOME))):
        code, output = on_a_terminal(still, still.command(*command))
        assert (code, b"quokka7" in output) == (0, True)


def test_unseal_asks_for_force_as_well(still: Vault) -> None:
    out = still.compile("ref", "ref")
    result = still.envtree("unseal", str(out / HOME))
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"use --force" in result.stderr


def test_what_it_writes_is_for_its_owner_only(still: Vault) -> None:
    still.compile("seal", "seal")
    command = still.command("unseal", "seal", "-o", "private")
    subprocess.run(command, cwd=still.folder, env=still.environ, umask=0, check=True)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (still.folder / "private").rglob("*")}
    assert modes == {0o700, 0o600}
    assert (still.folder / "private/.gitignore").exists()


def test_it_writes_nothing_where_git_tracks_files(vault: Vault) -> None:
    vault.compile("ref", "ref")
    (vault.folder / "tracked").mkdir()
    (vault.folder / "tracked/a").write_text("")
    for command in (("init", "-q"), ("add", "tracked/a")):
        subprocess.run(["git", *command], cwd=vault.folder, check=True)
    result = vault.envtree("unseal", "ref", "-o", "tracked")
    assert (result.returncode, b"ET801" in result.stderr) == (1, True)
    assert list((vault.folder / "tracked").iterdir()) == [vault.folder / "tracked/a"]


@pytest.mark.parametrize("folder", ["ref", ".", "tree", "tree/projects/x"])
def test_it_does_not_write_over_what_it_reads(folder: str, vault: Vault) -> None:
    before = read_folder(vault.compile("ref", "ref"))
    result = vault.envtree("unseal", "ref", "-o", folder)
    assert result.returncode in (1, 2), result
    assert read_folder(vault.folder / "ref") == before


# Wrong outputs and trees.


def test_a_tree_that_has_moved_on_is_told(vault: Vault) -> None:
    vault.compile("ref", "ref")
    vault.encrypt("organization.secrets.yaml", {"db": {"pin": 1234}, "short": "abc", "flag": True})
    result = vault.envtree("unseal", "ref", "-o", "plain")
    assert result.returncode == 1
    assert b"ET631" in result.stderr
    # Now the tree is wrong: it refers to a secret that does not exist.
    vault.write({"agents/a.yaml": "{}\n"})
    result = vault.envtree("unseal", "ref", "-o", "plain")
    assert b"it needs 'organization.secrets.yaml#db.password', which is not there" in result.stderr
    assert not (vault.folder / "plain").exists()


def test_a_secret_of_another_type_is_told_without_it(vault: Vault) -> None:
    vault.write({"agents/a.yaml": "execution_environment: {config: {n: '${{ secrets.db.pin + 1 }}'}}\n"})
    vault.compile("ref", "ref")
    vault.encrypt("organization.secrets.yaml", {"db": {"pin": "quokka7"}})
    result = vault.envtree("unseal", "ref", "-o", "plain")
    assert (result.returncode, b"do not have the values or types" in result.stderr) == (1, True)
    assert b"quokka" not in result.stderr


def test_the_tree_is_searched_only_if_it_is_needed(still: Vault, tmp_path: Path) -> None:
    shutil.copytree(still.compile("ref", "ref"), tmp_path / "here")
    command = still.command("unseal", f"here/{HOME}", "--force")
    result = subprocess.run(
        [*command[:3], *command[5:]], cwd=tmp_path, env=still.environ, capture_output=True, check=False
    )
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"no 'organization.yaml'" in result.stderr


def test_a_broken_tree_is_not_decrypted(vault: Vault) -> None:
    vault.compile("ref", "ref")
    vault.write({"agents/b.yaml": "nope: 1\n"})
    result = vault.envtree("unseal", "ref", "-o", "plain", environ={"SOPS_AGE_KEY_FILE": "/nowhere"})
    assert (result.returncode, b"ET201" in result.stderr, b"ET621" in result.stderr) == (1, True, False)


def swap(out: Path) -> None:
    """Replace the sealed file with that of another bundle, which has the same names in it."""
    shutil.copy(out / "dev/default/b/secrets.sops.json", out / HOME / "secrets.sops.json")


def test_t46_the_sealed_file_of_another_bundle_is_refused(vault: Vault) -> None:
    vault.write({"agents/b.yaml": (vault.root / "agents/a.yaml").read_text()})
    out = vault.compile("seal", "seal")
    swap(out)
    for command in (("unseal", str(out / HOME), "--force"), ("run", "--bundle", str(out / HOME), "--", "true")):
        result = vault.envtree(*command)
        assert (result.returncode, result.stdout) == (1, b"")
        assert b"holds the secrets of another bundle than 'default/a@dev'" in result.stderr


def edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no bundle": (lambda out: (out / HOME / "bundle.json").write_text("{}"), "is not as its manifest says"),
    "a changed bundle": (
        lambda out: edit(out / HOME / "bundle.json", lambda text: text.replace("nothing-secret", "something")),
        "is not as its manifest says",
    ),
    "a changed sealed file": (
        lambda out: edit(out / HOME / "secrets.sops.json", lambda text: text.replace("lastmod", "x")),
        "is not as its manifest says",
    ),
    "a lost file": (lambda out: (out / HOME / "secrets.sops.json").unlink(), "cannot be read"),
    "a manifest of another form": (lambda out: (out / "manifest.json").write_text("{}"), "is not a manifest"),
    "no manifest": (lambda out: (out / "manifest.json").unlink(), "there is neither 'bundle.json' nor 'manifest.json'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_output_that_is_not_as_compiled_is_refused(case: str, vault: Vault) -> None:
    out = vault.compile("seal", "seal")
    change, words = WRONG[case]
    change(out)
    result = vault.envtree("unseal", "seal", "-o", "plain")
    assert result.returncode in (1, 3), result
    assert words in result.stderr.decode()
    assert not (vault.folder / "plain").exists()


ALONE: dict[str, tuple[Callable[[Path], object], str]] = {
    "not JSON": (lambda home: (home / "bundle.json").write_text("quokka7"), "ET631"),
    "not a bundle": (lambda home: (home / "bundle.json").write_text('{"quokka7": 1}'), "ET631"),
    "a changed bundle": (
        lambda home: edit(home / "bundle.json", lambda text: text.replace("nothing-secret", "quokka7")),
        "was changed: its digest is that of another one",
    ),
    "no sealed file": (lambda home: (home / "secrets.sops.json").unlink(), "which is not there"),
    "not sealed": (lambda home: (home / "secrets.sops.json").write_text('{"id": "quokka7"}'), "ET603"),
    "plain text in it": (
        lambda home: edit(home / "secrets.sops.json", lambda text: text.replace('"sops"', '"x": "quokka7", "sops"')),
        "ET602",
    ),
    "a service": (
        lambda home: edit(
            home / "secrets.sops.json",
            lambda text: text.replace(
                '"age": [',
                '"hc_vault": [{"vault_address": "http://127.0.0.1:9", "engine_path": "transit", '
                '"key_name": "k", "created_at": "2026-01-01T00:00:00Z", "enc": "x"}], "age": [',
            ),
        ),
        "ET604",
    ),
    "a MAC of another": (
        lambda home: edit(
            home / "secrets.sops.json", lambda text: text.replace('"lastmodified": "2', '"lastmodified": "1')
        ),
        "ET610",
    ),
}


@pytest.mark.parametrize("case", ALONE)
def test_a_bundle_that_is_not_as_compiled_is_refused(case: str, vault: Vault) -> None:
    home = vault.compile("seal", "seal") / HOME
    change, words = ALONE[case]
    change(home)
    result = vault.envtree("unseal", str(home), "--force")
    assert (result.returncode, result.stdout) == (1, b""), result
    assert words in result.stderr.decode()
    assert b"quokka" not in result.stderr


def test_entries_that_envtree_never_writes_are_refused(vault: Vault) -> None:
    home = vault.compile("seal", "seal") / HOME
    names = [name for name in json.loads((home / "secrets.sops.json").read_bytes()) if "." in name]
    encrypt_file(
        home, "secrets.sops.json", json.dumps({"id": ID} | {name: {"a": 1} for name in names}), vault.reader.sops_option
    )
    result = vault.envtree("unseal", str(home), "--force")
    assert (result.returncode, b"ET631" in result.stderr) == (1, True)


def test_many_bundles_are_not_printed(still: Vault, tmp_path: Path) -> None:
    vault = acme(tmp_path)
    vault.compile("ref", "out")
    result = vault.envtree("unseal", "out", "--force")
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"'out' holds 38 bundles; name one, or use -o DIR" in result.stderr
    result = vault.envtree("run", "--bundle", "out", "--", "true")
    assert (result.returncode, b"holds more than one bundle" in result.stderr) == (2, True)


# Running programs with a compiled bundle.


@pytest.mark.parametrize("mode", ["ref", "seal", "plain"])
def test_a_program_runs_in_a_compiled_bundle(mode: str, still: Vault) -> None:
    out = still.compile(mode, mode)
    script = f"from os import environ as e; print(e['PASSWORD'] == {PASSWORD!r}, e['PLAIN'], e['PASSWORD'])"
    result = still.envtree("run", "--bundle", str(out / HOME), "--", "python3", "-c", script)
    assert (result.returncode, result.stdout) == (0, b"True nothing-secret [redacted]\n"), result.stderr
    result = still.envtree("run", "--bundle", str(out / HOME), "--", "sh", "-c", "exit 9")
    assert result.returncode == 9


def test_the_raw_secret_behind_a_template_is_not_readable(still: Vault) -> None:
    out = still.compile("ref", "ref")
    data = json.loads((out / HOME / "bundle.json").read_bytes())
    assert "$template" in data["env_vars"]["URL"]
    result = still.envtree("run", "--bundle", str(out / HOME), "--", "python3", "-c", f"print({PASSWORD!r})")
    assert result.stdout == b"[redacted]\n"


def test_t71_reserved_names_of_a_bundle_are_refused_too(vault: Vault) -> None:
    vault.write({"agents/a.yaml": "execution_environment:\n  env_vars:\n    EDITOR: x  # envtree: allow ET751: mine\n"})
    out = vault.compile("ref", "ref")
    result = vault.envtree("run", "--bundle", str(out / HOME), "--", "printenv", "EDITOR")
    assert (result.returncode, b"ET707" in result.stderr) == (1, True)
    result = vault.envtree("run", "--allow", "EDITOR", "--bundle", str(out / HOME), "--", "printenv", "EDITOR")
    assert result.stdout == b"x\n"


# Formats.

# Without `portable`, which refuses values that any parser changes, and without formats of the whole tree.
ALL = [
    word
    for format in FORMATS
    if format.name != "portable" and not format.is_whole_tree
    for word in ("--format", format.name)
]


@pytest.mark.parametrize("mode", MODES)
def test_every_format_is_written_as_plain_mode_writes_it(mode: str, vault: Vault) -> None:
    text = (vault.root / "organization.yaml").read_text()
    text += "output: {env: {config: X_}, templates: {app.conf: app.j2}}\n"
    vault.write({"organization.yaml": text, "app.j2": "plain = {{ env_vars.PLAIN }}\n"})
    # Without values that some formats cannot represent.
    vault.encrypt(
        "organization.secrets.yaml", {"db": {"password": "quokka7", "pin": NUMBER}, "short": "abc", "flag": True}
    )
    plain = vault.compile("plain", "plain", *ALL)
    vault.compile(mode, "other", *ALL)
    result = vault.envtree("unseal", "other", "-o", "again")
    assert (result.returncode, result.stderr) == (0, b"wrote 1 bundle to 'again'\n")
    assert read_folder(vault.folder / "again") == read_folder(plain)
    assert len(read_folder(plain)) > len(ALL) / 2


def test_what_takes_the_tree_is_left_out_without_it(vault: Vault, tmp_path: Path) -> None:
    text = (vault.root / "organization.yaml").read_text()
    vault.write({"organization.yaml": text + "output: {templates: {app.conf: app.j2}}\n", "app.j2": "x\n"})
    out = vault.compile("seal", "out", "--format", "template", "--format", "json-env")
    shutil.rmtree(vault.root)
    vault.root.mkdir()
    result = vault.envtree("unseal", str(out), "-o", "plain")
    assert result.returncode == 0, result
    assert result.stderr.startswith(b"left out, because the tree says how to make them: app.conf\n")
    home = vault.folder / "plain" / HOME
    assert sorted(path.name for path in home.iterdir()) == ["bundle.json", "env.json"]
    assert json.loads((home / "env.json").read_bytes())["PASSWORD"] == PASSWORD


def test_a_program_gets_the_variables_that_are_made_of_sections(vault: Vault) -> None:
    text = (vault.root / "organization.yaml").read_text()
    vault.write({"organization.yaml": text + "output: {env: {config: X_}}\n"})
    out = vault.compile("ref", "out")
    for words in ((ID,), ("--bundle", str(out / HOME))):
        result = vault.envtree("run", *words, "--", "sh", "-c", 'echo "${#X_NESTED_PIN}"')
        assert (result.returncode, result.stdout) == (0, b"18\n"), result.stderr


# Crashes.

CRASH = """
import importlib
from envtree.cli import main

def crash(*arguments, **_):
    raise RuntimeError("quokka7", *map(str, arguments))

module = importlib.import_module("{module}")
module.{name} = crash
main()
"""


@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        ("compile --secrets seal -o new", "envtree.secrets.seal", "sealed_entries"),
        ("compile --secrets seal -o new", "envtree.secrets.seal.sealer", "RecipientKeys.options"),
        ("compile --secrets seal -o seal --check", "envtree.secrets.seal.sealer", "encode_canonical"),
        ("unseal seal -o new", "envtree.secrets.unseal.placeholder_resolver", "unpack_entry"),
        ("unseal ref -o new", "envtree.secrets.unseal.placeholder_resolver", "compute"),
        ("unseal ref -o new", "envtree.secrets.unseal.decryption", "flatten_leaves"),
        ("unseal ref -o new", "envtree.secrets.unseal", "collect_plaintexts"),
    ],
)
def test_t63_a_crash_with_plaintext_in_its_hands_is_one_line(
    command: str, module: str, name: str, still: Vault
) -> None:
    for mode in MODES:
        still.compile(mode, mode)
    script = [sys.executable, "-c", CRASH.format(module=module, name=name), "-C", str(still.root), *command.split()]
    result = subprocess.run(script, cwd=still.folder, env=still.environ, capture_output=True, check=False)
    assert (result.returncode, result.stdout) == (70, b""), result
    assert result.stderr.startswith(b"envtree: internal error: RuntimeError at ")
    assert (result.stderr.count(b"\n"), b"quokka" in result.stderr) == (1, False)
    assert not (still.folder / "new").exists()


@pytest.mark.parametrize("target", ["elsewhere", "/dev/zero"])
def test_a_strangers_bundle_brings_no_file_of_mine_along(vault: Vault, target: str) -> None:
    out = vault.compile("ref", "out", "--provenance")
    (vault.folder / "elsewhere").write_text("the key of somebody\n")
    provenance = next(out.rglob("provenance.json"))
    provenance.unlink()
    provenance.symlink_to(vault.folder / target)
    result = vault.envtree("unseal", str(provenance.parent), "-o", "plain")
    assert result.returncode == 1
    assert b"ET631" in result.stderr
    assert not (vault.folder / "plain").exists()
    # A link inside the folder, as in a volume of Kubernetes.
    (provenance.parent / "..data").mkdir()
    (provenance.parent / "..data" / "provenance.json").write_text("{}")
    provenance.unlink()
    provenance.symlink_to("..data/provenance.json")
    assert vault.envtree("unseal", str(provenance.parent), "-o", "plain").returncode == 0


@pytest.mark.parametrize("command", ["unseal", "run"])
def test_t53_a_sops_of_the_tree_does_not_open_its_output_elsewhere(command: str, vault: Vault) -> None:
    out = vault.compile("seal", "out")
    subprocess.run(["git", "init", "-q"], cwd=vault.root, check=True)
    (vault.root / "bin").mkdir()
    planted = vault.root / "bin" / "sops"
    planted.write_text(f"#!/bin/sh\nenv > {vault.folder}/stolen\nexit 1\n")
    planted.chmod(0o755)
    bundle = str(next(out.rglob("bundle.json")).parent)
    words = ("unseal", bundle, "-o", "plain") if command == "unseal" else ("run", "--bundle", bundle, "--", "true")
    environ = {"PATH": f"{planted.parent}{os.pathsep}{vault.environ['PATH']}", "ENVTREE_SOPS": "path"}
    result = vault.envtree(*words, environ=environ)
    assert not (vault.folder / "stolen").exists()
    assert (result.returncode, b"ET620" in result.stderr) == (3, True)
