"""Threats to the writing commands of sops; T.. are the ids of the threats covered.

The real sops is started through a spy that looks at arguments, variables and files before and after each run.
"""

import json
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

import envtree
from envtree.model.diagnostic import MachineError
from envtree.model.secrets_file import DecryptError, SecretsPolicy
from envtree.secrets.edit.sops_document import SopsDocument, read_sops_document
from envtree.secrets.sops.writer import RecipientKeys, SetValue, SopsWriter, UnsetKey
from tests.support.fake_clock import exceed_time_limit_when
from tests.support.merging import make_repository
from tests.support.secrets_tree import PRODUCTION, STAGING, SecretsTree, make_person, make_secrets_tree
from tests.support.waiting import PATIENCE, wait_until

CANARY = "numbat3-numbat3"
OTHER = "wombat5-wombat5"
NEEDLES = (b"numbat3", b"wombat5", b"bnVtYmF0M", b"d29tYmF0N")
MEMORY = Path("/dev/shm")
POLICY = SecretsPolicy(frozenset({"age", "pgp"}), (), require_scope=False)
# The needles are in a file: as arguments of the spy they would be found.
SPY = """#!/bin/sh
printf '%s\\n' "$@" >> {log}/arguments
pwd >> {log}/folders
env >> {log}/variables
look() {{
    grep -rlF -f {log}/needles {places} "$(pwd)" "${{TMPDIR:-/nowhere}}" >> {log}/files 2> /dev/null
    cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\\0' ' ' | grep -aF -f {log}/needles >> {log}/processes
}}
look
{real} "$@"
code=$?
look
exit $code
"""


class Spied(NamedTuple):
    """A tree whose sops is the real one, started through the spy."""

    tree: SecretsTree
    log: Path
    path: str

    def run(self, *arguments: str, stdin_input: str = "", **variables: str) -> int:
        result = self.tree.run(
            *arguments, stdin_input=stdin_input, environ={"PATH": self.path, "ENVTREE_SOPS": "path", **variables}
        )
        output = f"{result.out}{result.err}".encode()
        assert not any(needle in output for needle in (*NEEDLES, *(needle.hex().encode() for needle in NEEDLES)))
        return result.code

    def log_text(self, name: str) -> str:
        file = self.log / name
        return file.read_text() if file.exists() else ""


@pytest.fixture
def spied(tmp_path: Path) -> Spied:
    tree = make_repository(tmp_path)
    log, program = tmp_path / "log", tmp_path / "bin/sops"
    log.mkdir()
    program.parent.mkdir()
    (log / "needles").write_bytes(b"\n".join(NEEDLES) + b"\n")
    real = shutil.which("sops", path=tree.environ["PATH"])
    program.write_text(SPY.format(log=log, places=f"{tree.root} {tree.home}", real=real))
    program.chmod(0o755)
    return Spied(tree, log, f"{program.parent}:{tree.environ['PATH']}")


@contextmanager
def watched(folders: list[Path]) -> Iterator[list[str]]:
    """Poll every file in some folders, and collect the paths of files with a needle."""
    leaks: list[str] = []
    stop_event = threading.Event()

    def look() -> None:
        while not stop_event.wait(0.01):
            for file in [file for folder in folders for file in folder.rglob("*")]:
                try:
                    data = file.read_bytes() if file.is_file() and not file.is_symlink() else b""
                except OSError:
                    continue
                if any(needle in data for needle in NEEDLES):
                    leaks.append(str(file))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield leaks
    finally:
        stop_event.set()
        thread.join()


def run_all_commands(spied: Spied) -> None:
    """Run all commands that handle secrets, on files that contain the canaries."""
    tree = spied.tree
    assert spied.run("secrets", "set", PRODUCTION, "token", stdin_input=CANARY) == 0
    assert (
        spied.run("secrets", "set", STAGING, "deep", "--json", stdin_input=json.dumps({"a": [CANARY, {"b": OTHER}]}))
        == 0
    )
    assert spied.run("secrets", "set", "agents/clerk.secrets.env", "A", stdin_input=CANARY) == 0
    assert spied.run("secrets", "set", PRODUCTION, "db.list", "--json", stdin_input=json.dumps([CANARY, [OTHER]])) == 0
    assert spied.run("secrets", "set", PRODUCTION, "token", stdin_input=OTHER) == 0
    for refused in (("token.x",), ("token", "--type", "int"), ("token", "--json"), ("db",), ("_scope",)):
        assert spied.run("secrets", "set", PRODUCTION, *refused, stdin_input=CANARY) == 2
    assert spied.run("secrets", "rotate") == 0
    tree.commit()
    tree.git("checkout", "-q", "-b", "theirs")
    assert spied.run("secrets", "set", PRODUCTION, "theirs", stdin_input=CANARY) == 0
    assert spied.run("secrets", "set", PRODUCTION, "both", stdin_input=CANARY) == 0
    tree.commit()
    tree.git("checkout", "-q", "main")
    assert spied.run("secrets", "set", PRODUCTION, "ours", stdin_input=OTHER) == 0
    assert spied.run("secrets", "set", PRODUCTION, "both", stdin_input=OTHER) == 0
    tree.commit()
    environ = {**tree.environ, "PATH": spied.path, "ENVTREE_SOPS": "path"}
    result = subprocess.run(["git", "merge", "theirs"], cwd=tree.root, env=environ, check=False, capture_output=True)
    assert result.returncode == 1
    assert not any(needle in result.stdout + result.stderr for needle in NEEDLES)
    assert tree.plain(PRODUCTION)["theirs"] == CANARY
    assert not any(needle in tree.git("diff", "HEAD").encode() for needle in NEEDLES)


def test_t59_t61_no_secret_in_arguments_or_files_whatever_is_done(spied: Spied) -> None:
    folders = [spied.tree.root, spied.tree.home]
    with watched(folders) as leaks:
        run_all_commands(spied)
    assert "--value-stdin" in spied.log_text("arguments")
    for needle in NEEDLES:
        assert needle.decode() not in spied.log_text("arguments")
        assert needle.decode() not in spied.log_text("variables")
    assert spied.log_text("files") == ""
    assert spied.log_text("processes") == ""
    assert leaks == []
    remaining = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert not [file for file in remaining if any(needle in file.read_bytes() for needle in NEEDLES)]
    copies = {Path(folder) for folder in spied.log_text("folders").splitlines()} - {spied.tree.root}
    assert copies
    assert not [folder for folder in copies if folder.exists()]


def test_t61_the_plaintext_of_the_editor_is_in_memory_and_only_ours(spied: Spied) -> None:
    assert spied.run("secrets", "set", PRODUCTION, "token", stdin_input=CANARY) == 0
    script = spied.log / "editor"
    script.write_text(
        f'#!/bin/sh\nfor f in "$1" "${{1%/*}}" "${{1%/*}}/.."; do ls -ldn "$f"; done > {spied.log}/modes\n'
        f'echo "$1" >> {spied.log}/where\nsed -i s/{CANARY}/{OTHER}/ "$1"\n'
    )
    script.chmod(0o755)
    with watched([spied.tree.root]) as leaks:
        assert spied.run("secrets", "edit", PRODUCTION, EDITOR=str(script)) == 0
    assert leaks == []
    assert spied.tree.plain(PRODUCTION)["token"] == OTHER
    (where,) = spied.log_text("where").splitlines()
    if MEMORY.is_dir():
        assert where.startswith(f"{MEMORY}/envtree-")
    modes = [line.split()[0][:10] for line in spied.log_text("modes").splitlines()]
    assert modes == ["-rw-------", "drwx------", "drwx------"]
    assert not Path(where).parents[1].exists()
    # There is no plaintext before sops starts and after it ends.
    assert spied.log_text("files") == ""
    assert CANARY not in spied.log_text("variables")


CRASHES = ["set_value", "replace_file", "check_fits", "parse_value"]


@pytest.mark.parametrize("place", CRASHES)
def test_t63_a_crash_with_a_secret_in_its_hands_is_one_line(spied: Spied, place: str) -> None:
    assert spied.run("secrets", "set", PRODUCTION, "token", stdin_input=CANARY) == 0

    def crash(*arguments: object) -> None:
        raise RuntimeError(CANARY, *map(str, arguments))

    with mock.patch(f"envtree.cli.commands.secrets.set.{place}", crash):
        assert spied.run("secrets", "set", PRODUCTION, "token", stdin_input=OTHER) == 70
    assert spied.tree.plain(PRODUCTION)["token"] == CANARY


OFFERED = {
    "AWS_SECRET_ACCESS_KEY": "marsupial",
    "VAULT_TOKEN": "marsupial",
    "GITHUB_TOKEN": "marsupial",
    "SOPS_AGE_RECIPIENTS": "marsupial",
    "SOPS_CONFIG": "marsupial",
    "SOPS_KEYSERVICE": "tcp://marsupial",
    "SOPS_PGP_FP": "marsupial",
    "SOPS_KMS_ARN": "marsupial",
    "EDITOR": "true marsupial",
    "LD_PRELOAD_X": "marsupial",
}


def test_t60_sops_gets_no_variable_that_it_does_not_need(spied: Spied) -> None:
    """Some of the variables would change the recipients of a file."""
    assert spied.run("secrets", "set", PRODUCTION, "token", stdin_input=CANARY, **OFFERED) == 0
    assert spied.run("secrets", "set", PRODUCTION, "token", stdin_input=OTHER, **OFFERED) == 0
    assert spied.run("secrets", "rotate", **OFFERED) == 0
    variables = spied.log_text("variables")
    assert "SOPS_AGE_KEY_FILE" in variables
    assert "marsupial" not in variables
    # The variables of the editor are passed to the editor.
    assert spied.run("secrets", "edit", PRODUCTION, **OFFERED) == 0
    names = {line.partition("=")[0] for line in spied.log_text("variables").splitlines() if "marsupial" in line}
    assert names == {"EDITOR"}
    assert spied.log_text("arguments").count("--config") == spied.log_text("arguments").count("/dev/null")


# ── sops misbehaves, or should not be started ───────────────────────────────────────────────────────────────────────


class Bench(NamedTuple):
    """A file, a folder, and a function that makes a writer whose sops is a shell script."""

    sealed: SopsDocument
    folder: Path
    stub: Callable[..., SopsWriter]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    tree = make_secrets_tree(tmp_path)
    tree.set(PRODUCTION, "token", CANARY)

    def stub(script: str, timeout: float = PATIENCE) -> SopsWriter:
        folder = tmp_path / "stub"
        folder.mkdir(exist_ok=True)
        (folder / "sops").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "sops").chmod(0o755)
        environ = {**tree.environ, "PATH": f"{folder}:/usr/bin:/bin", "ENVTREE_SOPS": "path"}
        return SopsWriter(tree.root, POLICY, environ=environ, timeout=timeout)

    return Bench(read_sops_document(tree.read(PRODUCTION).encode(), PRODUCTION), tmp_path, stub)


Verb = Callable[[SopsWriter, SopsDocument], Any]
VERBS: dict[str, Verb] = {
    "open": lambda sops, document: sops.decrypt(document.file, document.data),
    "set": lambda sops, document: sops.apply_edits(document.file, document.data, [SetValue(("token",), OTHER)]),
    "unset": lambda sops, document: sops.apply_edits(document.file, document.data, [UnsetKey(("token",))]),
    "rotate": lambda sops, document: sops.rotate(document.file, document.data, RecipientKeys(), RecipientKeys()),
    "hand_over": lambda sops, document: sops.update_keys(document.file, document.data, RecipientKeys(("age1x",))),
    "encrypt": lambda sops, document: sops.encrypt(PRODUCTION, "yaml", {"a": OTHER}, RecipientKeys(("age1x",))),
}


def edit(sops: SopsWriter, document: SopsDocument) -> Any:
    return sops.edit(document.file, document.data)


@pytest.mark.parametrize("verb", VERBS)
def test_t54_a_hung_sops_is_killed_with_its_children(bench: Bench, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = bench.folder / "pids"
    exceed_time_limit_when(lambda: file.is_file() and file.read_text().count("\n") == 2, monkeypatch)
    with pytest.raises(MachineError) as caught:
        VERBS[verb](bench.stub(f"echo $$ > {file}; sleep 1000 & echo $! >> {file}; sleep 1000"), bench.sealed)
    assert caught.value.code == "ET622"
    pids = file.read_text().split()
    wait_until(lambda: not any(running(pid) for pid in pids), "the end of sops and its child")


def running(pid: str) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", pid], check=False, capture_output=True, text=True)
    return shown.stdout.strip()[:1] not in ("", "Z")


@pytest.mark.parametrize("verb", VERBS)
def test_t54_a_sops_that_writes_without_end(bench: Bench, verb: str) -> None:
    with pytest.raises(MachineError, match="more than 8 MiB"):
        VERBS[verb](bench.stub("cat /dev/zero"), bench.sealed)


def test_t54_a_sops_that_neither_reads_nor_minds(bench: Bench) -> None:
    """The input is larger than any pipe buffer."""
    large = {"a": "x" * 1_000_000}
    writer = bench.stub("exec < /dev/null; printf done")
    assert writer.encrypt(PRODUCTION, "yaml", large, RecipientKeys(("age1x",))) == b"done"
    with pytest.raises(MachineError) as caught:
        bench.stub("sleep 60", timeout=0.5).encrypt(PRODUCTION, "yaml", large, RecipientKeys(("age1x",)))
    assert caught.value.code == "ET622"


def test_t54_a_sops_that_talks_before_it_listens(bench: Bench) -> None:
    large = {"a": "x" * 1_000_000}
    writer = bench.stub("head -c 1000000 /dev/zero; wc -c; head -c 1000000 /dev/zero >&2")
    output = writer.encrypt(PRODUCTION, "yaml", large, RecipientKeys(("age1x",)))
    assert len(output) > 1_000_000
    assert int(output.strip(b"\0")) > 1_000_000


@pytest.mark.parametrize("verb", [*VERBS, "edit"])
def test_t50_what_sops_complains_about_is_not_repeated(
    bench: Bench, verb: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # The stdin of an editor stays open, so the stub must not read to its end.
    repeat = "" if verb == "edit" else "cat >&2;"
    for status in (1, 2, 7, 25, 51, 128, 201):
        with pytest.raises((MachineError, DecryptError)) as caught:
            (VERBS | {"edit": edit})[verb](bench.stub(f"{repeat} echo {CANARY} >&2; exit {status}"), bench.sealed)
        assert CANARY not in f"{caught.value!r} {vars(caught.value)} {caught.value.__context__!r}"
    assert "numbat3" not in "".join(capfd.readouterr())


def test_t44_no_mac_is_ever_ignored() -> None:
    package = Path(envtree.__file__).parent
    assert not [file for file in package.rglob("*.py") if "ignore-mac" in file.read_text()]


FOREIGN = {
    "T38-hc_vault": "hc_vault: [{vault_address: 'http://127.0.0.1:9', engine_path: t, key_name: k, enc: x}]",
    "T39-kms": "kms: [{arn: 'arn:aws:kms:eu-west-1:1:key/a', enc: x, created_at: ''}]",
    "T39-azure_kv": "azure_kv: [{vault_url: 'http://127.0.0.1:9', name: n, version: v, enc: x, created_at: ''}]",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_t38_t39_no_verb_starts_sops_for_a_service_that_is_not_allowed(bench: Bench, kind: str) -> None:
    text = bench.sealed.text.replace("sops:\n", f"sops:\n    {FOREIGN[kind]}\n", 1)
    sealed = read_sops_document(text.encode(), PRODUCTION)
    for verb in (*(VERBS[name] for name in VERBS if name != "encrypt"), edit):
        with pytest.raises(DecryptError) as caught:
            verb(bench.stub(f"touch {bench.folder}/started"), sealed)
        assert caught.value.code == "ET604"
    assert not (bench.folder / "started").exists()


def test_t49_no_verb_starts_an_age_plugin(bench: Bench) -> None:
    (public,) = (recipient.value for recipient in bench.sealed.file.recipients)
    text = bench.sealed.text.replace(public, "age1evil1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq")
    with pytest.raises(DecryptError):
        bench.stub(f"touch {bench.folder}/started").rotate(
            read_sops_document(text.encode(), PRODUCTION).file, b"", RecipientKeys(), RecipientKeys()
        )
    assert not (bench.folder / "started").exists()


def test_t53_a_sops_of_the_tree_is_not_used(spied: Spied) -> None:
    planted = spied.tree.root / "bin/sops"
    planted.parent.mkdir()
    planted.write_text(f"#!/bin/sh\ntouch {spied.log}/started\n")
    planted.chmod(0o755)
    path = f"{planted.parent}:{spied.tree.environ['PATH']}"
    result = spied.tree.run(
        "secrets", "set", PRODUCTION, "token", stdin_input=CANARY, environ={"PATH": path, "ENVTREE_SOPS": "path"}
    )
    assert (result.code, "ET620" in result.err) == (3, True)
    assert spied.tree.run("secrets", "set", PRODUCTION, "token", stdin_input=CANARY).code == 0
    spied.tree.commit()
    file = str(spied.tree.root / PRODUCTION)
    result = spied.tree.run(
        "secrets", "merge-driver", file, file, file, PRODUCTION, environ={"PATH": path, "ENVTREE_SOPS": "path"}
    )
    assert (result.code, "not used" in result.err) == (1, True)
    assert not (spied.log / "started").exists()


@pytest.mark.parametrize("name", ["-x", "--output=y", "@f", "-", "a b", "$(touch x)"])
def test_t52_a_file_name_is_no_option(tmp_path: Path, name: str) -> None:
    tree = make_secrets_tree(tmp_path)
    writer = SopsWriter(tree.root, POLICY, environ=tree.environ)
    path = f"{name}.secrets.yaml"
    sealed = read_sops_document(writer.encrypt(path, "yaml", {"a": CANARY}, RecipientKeys((tree.owner.public,))), path)
    sealed = read_sops_document(writer.apply_edits(sealed.file, sealed.data, [SetValue(("b",), OTHER)]), path)
    sealed = read_sops_document(writer.rotate(sealed.file, sealed.data, RecipientKeys(), RecipientKeys()), path)
    edited = SopsWriter(tree.root, POLICY, environ={**tree.environ, "EDITOR": f"sed -i s/{CANARY}/{OTHER}/ --"})
    data = edited.edit(sealed.file, sealed.data)
    assert data is not None
    assert writer.decrypt(sealed.file, data) == {"a": OTHER, "b": OTHER}
    assert sorted(os.listdir(tree.root)) == ["agents", "environments", "organization.yaml"]


def test_a_copy_is_private_and_gone(bench: Bench, tmp_path: Path) -> None:
    script = f'ls -ldn . > {tmp_path}/modes; ls -ldn "$(pwd)"/* >> {tmp_path}/modes; pwd > {tmp_path}/where'
    VERBS["set"](bench.stub(script), bench.sealed)
    assert (tmp_path / "modes").read_text().startswith("drwx------")
    assert not Path((tmp_path / "where").read_text().strip()).exists()


def test_a_new_reader_gets_a_file_only_by_the_policy(tmp_path: Path) -> None:
    """The recipients are the declared readers, not those of the environment or of a configuration in the tree."""
    tree = make_secrets_tree(tmp_path)
    eve = make_person("eve", tmp_path)
    (tree.root / ".sops.yaml").write_text(json.dumps({"creation_rules": [{"age": eve.public}]}))
    assert (
        tree.run(
            "secrets", "set", PRODUCTION, "A", stdin_input=CANARY, environ={"SOPS_AGE_RECIPIENTS": eve.public}
        ).code
        == 0
    )
    assert eve.public not in tree.read(PRODUCTION)
    assert stat.S_IMODE((tree.root / PRODUCTION).stat().st_mode) & 0o022 == 0
