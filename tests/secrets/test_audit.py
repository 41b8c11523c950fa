"""Audit files that the real sops has made with all its options; T.. are the ids of the threats covered."""

import base64
import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envtree.cli import invoke
from envtree.model.secrets_file import EXEMPTION_SETTINGS
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
from tests.unit.frontend.test_schemas import verdict

CANARY = "hunter2-pasted"
PATH = "agents/a.secrets"
# ET651 is off: it would report the secrets that no bundle reads.
FILES = {
    "organization.yaml": HEAD + "lint: {ET651: 'off'}\n",
    "environments/production.yaml": "{}\n",
    "environments/staging.yaml": "{}\n",
    "agents/a.yaml": "{}\n",
    "agents/b.yaml": "{}\n",
}
PLAIN = {
    "yaml": "_scope: agents/a\n# a comment\ndb:\n  password: tiger-lily-7 # another\n  port: 5432\n"
    "list:\n  - one-of-many\n  # a third\n  - two-of-many\nlines: |\n  first\n  second\n",
    "json": json.dumps(
        {"_scope": "agents/a", "db": {"password": "tiger-lily-7", "port": 5432}, "list": ["one-of-many"]}
    ),
    "env": "_scope=agents/a\n# a comment\nPASSWORD=tiger-lily-7\nLINES=a\\nb-and-c\n",
}


class Staff(NamedTuple):
    """People who have keys."""

    ana: SopsUser
    ben: SopsUser
    mallory: SopsUser
    pgp: SopsUser

    def public(self, text: str) -> str:
        """Replace names in braces with public keys."""
        return text.format(**{name: user.public for name, user in self._asdict().items()})


@pytest.fixture(scope="session")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staff]:
    folder = tmp_path_factory.mktemp("keys")
    with make_pgp_user() as pgp:
        ana, ben, mallory = (make_age_user(folder, name) for name in ("ana", "ben", "mallory"))
        yield Staff(ana, ben, mallory, pgp)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_files(tmp_path / "tree", FILES)
    return tmp_path / "tree"


Audit = Callable[..., CommandResult]


@pytest.fixture
def audit(root: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Run an envtree command with the keys of `user`, or without a key."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("PATH", SEARCH_PATH)

    def run(*words: str, user: SopsUser | None = None) -> CommandResult:
        with monkeypatch.context() as context:
            for name in ("SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY", "GNUPGHOME"):
                context.delenv(name, raising=False)
            context.setenv("HOME", str(root.parent))
            for name, value in (user.environ if user else {}).items():
                context.setenv(name, value)
            code = invoke(["-C", str(root), *words])
        return CommandResult(code, *capfd.readouterr())

    return run


def finding_codes(result: CommandResult) -> set[str]:
    """Return the codes of an audit in JSON, and check it against its schema."""
    data = json.loads(result.out)
    assert verdict("output/audit.schema.json", data)
    return {finding["code"] for finding in data["findings"]}


def audit_file(audit: Audit, *words: str, user: SopsUser | None = None) -> tuple[dict[str, Any], set[str], int]:
    """Audit a tree with one file; return the file, the codes and the exit code."""
    result = audit("secrets", "audit", "--output-format", "json", *words, user=user)
    (file,) = json.loads(result.out)["files"]
    return file, finding_codes(result), result.code


# ── what sops can make ──────────────────────────────────────────────────────────────────────────────────────────────


class AuditCase(NamedTuple):
    """A file to make and to audit: options of sops with names in braces, and the expected codes.

    `text` is the content by format, `formats` the possible ones, `rules` a `.sops.yaml`, and `declared` the declared
    readers. `by` is a setting of the rule that the file is encrypted with, and that is removed afterwards.
    """

    options: tuple[str, ...]
    codes: set[str]
    text: dict[str, str] = PLAIN
    formats: tuple[str, ...] = ("yaml", "json", "env")
    rules: str = ""
    declared: tuple[str, ...] = ()
    after: Callable[[str], str] = str
    by: str = ""


def without_mac(text: str) -> str:
    """Remove the MAC from a file of any format."""
    if text.startswith("{"):
        data = json.loads(text)
        del data["sops"]["mac"]
        return json.dumps(data)
    return re.sub(r"^(?: *mac: |sops_mac=).*\n", "", text, flags=re.MULTILINE)


def with_line(line: str) -> dict[str, str]:
    """Return the content with an additional line, which in JSON is a member."""
    name, _, value = line.partition(": ")
    return {
        "yaml": PLAIN["yaml"] + line + "\n",
        "json": json.dumps({**json.loads(PLAIN["json"]), name: value}),
        "env": f"{PLAIN['env']}{name}={value}\n",
    }


ONE = ("--age={ana}",)
GROUPS = """\
creation_rules:
  - key_groups:
    - age: ['{ana}']
    - age: ['{ben}']
      pgp: ['{pgp}']
"""
AUDIT_CASES = {
    "one-key": AuditCase(ONE, set()),
    "several-keys": AuditCase(("--age={ana},{ben}",), set()),
    "age-and-pgp": AuditCase(("--age={ana}", "--pgp={pgp}"), set()),
    "pgp-alone": AuditCase(("--pgp={pgp}",), set()),
    "key-groups": AuditCase((), set(), rules=GROUPS),
    "key-groups-with-a-threshold": AuditCase((), set(), rules=GROUPS + "    shamir_threshold: 2\n"),
    "the-default-suffix-unused": AuditCase((*ONE, "--unencrypted-suffix=_unencrypted"), set()),
    "the-default-suffix-used": AuditCase(ONE, {"ET607"}, with_line("owner_unencrypted: bob-and-co")),
    "another-suffix": AuditCase(
        (*ONE, "--unencrypted-suffix=_plain"), {"ET602", "ET607"}, with_line("owner_plain: bob-and-co")
    ),
    "another-suffix-unused": AuditCase((*ONE, "--unencrypted-suffix=_plain"), {"ET607"}),
    "an-encrypted-suffix": AuditCase(
        (*ONE, "--encrypted-suffix=_enc"), {"ET602", "ET607", "ET608"}, with_line("x_enc: long-enough")
    ),
    "an-encrypted-regex": AuditCase((*ONE, "--encrypted-regex=(?i)pass"), {"ET602", "ET607", "ET608"}),
    "an-encrypted-regex-for-all": AuditCase((*ONE, "--encrypted-regex=."), {"ET607"}),
    "an-unencrypted-regex": AuditCase(
        (*ONE, "--unencrypted-regex=^info$"), {"ET602", "ET607"}, with_line("info: bob-and-co")
    ),
    "what-a-comment-leaves-plain": AuditCase(
        (), {"ET602", "ET607"}, formats=("yaml",), by="unencrypted_comment_regex: a.comment"
    ),
    "what-a-comment-encrypts": AuditCase(
        (), {"ET602", "ET607", "ET608"}, formats=("yaml",), by="encrypted_comment_regex: a.comment"
    ),
    "a-mac-over-what-is-encrypted-only": AuditCase((), {"ET606"}, by="mac_only_encrypted: true"),
    "no-mac": AuditCase(ONE, {"ET606"}, after=without_mac),
    "an-empty-value": AuditCase(ONE, {"ET607"}, with_line("extra: "), formats=("env",)),
    "an-empty-text": AuditCase(ONE, {"ET607"}, {"yaml": PLAIN["yaml"] + "extra: ''\n"}, formats=("yaml",)),
    "null": AuditCase(ONE, {"ET607"}, {"yaml": PLAIN["yaml"] + "extra: null\n"}, formats=("yaml",)),
    "an-empty-map": AuditCase(ONE, {"ET607"}, {"json": '{"_scope": "agents/a", "m": {}}'}, formats=("json",)),
    "a-colon-in-a-key": AuditCase(ONE, {"ET607"}, {"json": '{"_scope": "agents/a", "a:b": "long-enough"}'}, ("json",)),
    "no-scope": AuditCase(
        ONE, {"ET650"}, {"yaml": "A: long-enough\n", "json": '{"A": "long-enough"}', "env": "A=long-enough\n"}
    ),
    "a-scope-of-elsewhere": AuditCase(ONE, {"ET608"}, {"yaml": "_scope: agents/bb\nA: long-enough\n"}, ("yaml",)),
    "a-short-secret": AuditCase(ONE, {"ET655"}, with_line("pin: 427")),
    "a-switch": AuditCase(ONE, {"ET655"}, {"yaml": PLAIN["yaml"] + "on: true\n"}, formats=("yaml",)),
    "a-switch-of-a-directive": AuditCase(
        ONE, set(), {"yaml": PLAIN["yaml"] + "kept: {$value: long-enough, $lock: true}\n"}, ("yaml",)
    ),
    "declared-readers": AuditCase(("--age={ana},{ben}",), set(), declared=("ana", "ben")),
    "a-stranger": AuditCase(("--age={ana},{mallory}",), {"ET609"}, declared=("ana",)),
    "a-reader-left-out": AuditCase(ONE, {"ET609"}, declared=("ana", "ben")),
    "its-rule": AuditCase((), set(), rules="creation_rules: [{{age: '{ana},{ben}'}}]\n"),
    "another-rule": AuditCase(ONE, {"ET653"}, rules="creation_rules: [{{age: '{ana},{ben}'}}]\n"),
    "no-rule": AuditCase(ONE, {"ET653"}, rules="creation_rules: [{{path_regex: ^x$, age: '{ana}'}}]\n"),
    "keys-in-other-groups": AuditCase(("--age={ana},{ben}", "--pgp={pgp}"), {"ET653"}, rules=GROUPS),
    "a-rule-for-a-stranger": AuditCase(
        ONE, {"ET612"}, rules="creation_rules: [{{age: '{ana},{mallory}'}}]\n", declared=("ana",)
    ),
    "a-rule-without-a-reader": AuditCase(
        ("--age={ana},{ben}",), {"ET612"}, rules="creation_rules: [{{age: '{ana}'}}]\n", declared=("ana", "ben")
    ),
    "a-rule-that-leaves-plain-text": AuditCase(
        ONE, {"ET654"}, rules="creation_rules: [{{age: '{ana}', encrypted_regex: ^data$}}]\n", formats=("yaml",)
    ),
    "a-rule-for-a-vault": AuditCase(
        ONE,
        {"ET653", "ET654"},
        rules="creation_rules: [{{age: '{ana}', hc_vault_transit_uri: 'http://127.0.0.1:9/v1/t/keys/k'}}]\n",
    ),
    "a-rule-that-is-no-expression": AuditCase(
        ONE, {"ET654"}, rules="creation_rules: [{{path_regex: '(', age: '{ana}'}}]\n", formats=("yaml",)
    ),
}
ROWS = [(name, form) for name, case in AUDIT_CASES.items() for form in case.formats]
ERRORS = {"ET602", "ET606", "ET607", "ET608", "ET609", "ET612"}


@pytest.mark.parametrize(("name", "form"), ROWS)
def test_the_verdict_is_right(name: str, form: str, root: Path, staff: Staff, audit: Audit) -> None:
    case = AUDIT_CASES[name]
    rules = staff.public(case.rules) if case.rules else ""
    options = [staff.public(option) for option in case.options]
    creation_rule = f"creation_rules:\n  - age: {staff.ana.public}\n    {case.by}\n" if case.by else rules
    if not options:
        (root / ".sops.yaml").write_text(creation_rule)
    file = encrypt_file(root, f"{PATH}.{form}", case.text[form], *options, user=staff.pgp)
    file.write_text(case.after(file.read_text()))
    (root / ".sops.yaml").write_text(rules or "{}")
    if case.declared:
        people = people_section(ana=staff.ana, ben=staff.ben)
        extra = f"{people}secret_readers: [{', '.join(case.declared)}]\n"
        (root / "organization.yaml").write_text(FILES["organization.yaml"] + extra)
    audited, codes, code = audit_file(audit)
    assert codes == case.codes
    assert code == bool(codes & ERRORS)
    expected_verdict = "ok" if not codes - {"ET612", "ET654"} else "error" if codes & ERRORS else "warning"
    assert audited["verdict"] == expected_verdict
    readable = not codes & {"ET602", "ET606", "ET607"} and "ET608" not in codes - {"ET608"}
    if audited["recipients"] is not None:
        assert {recipient["key"] for recipient in audited["recipients"]} == read_recipients(file)
        assert audited["threshold"] == (2 if "groups" in name and name != "keys-in-other-groups" else 1)
    assert (audited["recipients"] is not None) is readable
    # `check` reports the same findings.
    check = json.loads(audit("check", "--output-format", "json").out)
    assert {finding["code"] for finding in check["findings"]} == codes


@pytest.mark.parametrize("setting", [*EXEMPTION_SETTINGS, "mac_only_encrypted"])
def test_a_hint_names_what_the_real_sops_has(setting: str, root: Path, staff: Staff, audit: Audit) -> None:
    value = "true" if setting == "mac_only_encrypted" else "x_"
    file = encrypt_file(root, "agents/a.secrets.yaml", PLAIN["yaml"], staff.ana.sops_option)
    file.write_text(re.sub("( +)unencrypted_suffix:.*", rf"\1{setting}: {value}", file.read_text()))
    findings = json.loads(audit("secrets", "audit", "--output-format", "json").out)["findings"]
    hint = next(finding["hint"] for finding in findings if finding["key"] == f"sops.{setting}")
    option, command = re.findall(r"or '(--[a-z-]+)' out of 'sops (--encrypt|encrypt)'", hint)[0]
    shown = run_sops(root, *(["encrypt"] if command == "encrypt" else []), "--help").stdout.decode()
    assert re.search(rf"^ +{option}\b", shown, re.MULTILINE)


def test_the_table_tells_people_and_places(root: Path, staff: Staff, audit: Audit) -> None:
    people = people_section(ana=staff.ana, ben=staff.ben)
    (root / "organization.yaml").write_text(FILES["organization.yaml"] + people)
    encrypt_file(
        root, "agents/a.secrets.yaml", PLAIN["yaml"], staff.ana.sops_option, staff.pgp.sops_option, user=staff.pgp
    )
    encrypt_file(root, "agents/b.secrets.env", "A=long-enough\n", f"--age={staff.ana.public},{staff.mallory.public}")
    encrypt_file(root, "environments/staging.secrets.json", '{"m": {}}', staff.ana.sops_option)
    result = audit("secrets", "audit")
    lines = result.out.splitlines()
    assert lines[0].split() == ["file", "format", "readers", "secrets", "modified", "scope", "rule", "verdict"]
    short = f"{staff.mallory.public[:12]}…{staff.mallory.public[-6:]}"
    pgp = f"{staff.pgp.public[:12]}…{staff.pgp.public[-6:]}"
    assert re.fullmatch(rf"agents/a.secrets.yaml +yaml +ana, {pgp} +5  \d{{4}}-\d\d-\d\d  claimed  none  ok", lines[1])
    assert re.fullmatch(rf"agents/b.secrets.env +env +ana, {short} +1  \S+  missing  none  warning", lines[2])
    assert re.fullmatch(r"environments/staging.secrets.json +json +none  error", lines[3])
    assert lines[4] == ""
    assert (result.code, result.err) == (1, "audited 6 secrets in 3 files: 1 error, 1 warning\n")


def test_errors_elsewhere_are_counted(root: Path, staff: Staff, audit: Audit) -> None:
    encrypt_file(root, "agents/a.secrets.yaml", PLAIN["yaml"], staff.ana.sops_option)
    (root / "agents/b.yaml").write_text("descripton: x\n")
    result = audit("secrets", "audit")
    assert result.code == 1
    assert "ET201" not in result.out
    assert "there is 1 other error in the tree" in result.err
    assert json.loads(audit("secrets", "audit", "--output-format", "json").out)["summary"]["other_errors"] == 1


def test_who_may_open_a_file_does_not_spoil_its_bundles(root: Path, staff: Staff, audit: Audit) -> None:
    encrypt_file(root, "organization.secrets.yaml", "_scope: organization\nA: long-enough\n", staff.mallory.sops_option)
    declared = people_section(ana=staff.ana) + "secret_readers: [ana]\nexecution_environment: {secrets: [A, GONE]}\n"
    (root / "organization.yaml").write_text(FILES["organization.yaml"] + declared)
    result = audit("check")
    assert result.code == 1
    assert {"ET601", "ET609"} == set(re.findall(r"error (ET\d+)", result.out))
    assert "checked 4 bundles of 2 agents" in result.err


def test_a_warning_fails_a_strict_audit_only(root: Path, staff: Staff, audit: Audit) -> None:
    encrypt_file(root, "agents/a.secrets.yaml", "A: long-enough\n", staff.ana.sops_option)
    assert audit("secrets", "audit").code == 0
    assert audit("secrets", "audit", "--strict").code == 1


def test_a_tree_without_secrets_has_nothing_to_audit(root: Path, audit: Audit) -> None:
    assert audit("secrets", "audit") == (0, "", "audited 0 secrets in 0 files: no errors\n")


def test_referenced_and_missing_present_and_unused(root: Path, staff: Staff, audit: Audit) -> None:
    encrypt_file(
        root, "agents/a.secrets.yaml", "_scope: agents/a\nUSED: long-enough\nIDLE: long-enough\n", staff.ana.sops_option
    )
    (root / "organization.yaml").write_text(HEAD)
    (root / "agents/a.yaml").write_text("execution_environment: {secrets: [USED]}\n")
    assert finding_codes(audit("secrets", "audit", "--output-format", "json")) == {"ET651"}
    (root / "agents/a.yaml").write_text("execution_environment: {secrets: [USED, GONE]}\n")
    assert finding_codes(audit("secrets", "audit", "--output-format", "json")) == {"ET601"}


# ── with a key ──────────────────────────────────────────────────────────────────────────────────────────────────────

PLACEHOLDERS = [
    "changeme",
    "ChangeMe",
    "TODO",
    "todo: ask ana",
    "xxx",
    "XXXXXX",
    "password",
    "   ",
    "<token>",
    "your-key",
]
VALUES = ["tiger-lily-7", "todos", "passwords-of-all", "xxy", '["a"]', '{"a": 1}', "https://x.example/<a>b"]


def test_placeholders_are_found_with_a_key(root: Path, staff: Staff, audit: Audit) -> None:
    plain = {"_scope": "agents/a", "port": 1111, "m": {"deep": "changeme"}, "list": ["fine-value", "TODO"]}
    plain |= {f"bad{n}": value for n, value in enumerate(PLACEHOLDERS)}
    plain |= {f"fine{n}": value for n, value in enumerate(VALUES)}
    encrypt_file(root, "agents/a.secrets.yaml", json.dumps(plain), staff.ana.sops_option)
    (root / "organization.yaml").write_text(HEAD + "lint: {ET651: 'off', ET655: 'off'}\n")
    assert audit_file(audit)[:2][1] == set()
    result = audit("secrets", "audit", "--decrypt", "--output-format", "json", user=staff.ana)
    keys = {finding["key"] for finding in json.loads(result.out)["findings"]}
    assert keys == {"m.deep", "list.1", *(f"bad{n}" for n in range(len(PLACEHOLDERS)))}
    assert finding_codes(result) == {"ET657"}
    assert json.loads(result.out)["files"][0]["opened"] is True
    output = "".join(audit("secrets", "audit", "--decrypt", user=staff.ana)[1:])
    assert not [value for value in (*PLACEHOLDERS, *VALUES) if len(value.strip()) > 3 and value in output]


def test_files_without_a_key_are_told_and_the_others_opened(root: Path, staff: Staff, audit: Audit) -> None:
    encrypt_file(root, "agents/a.secrets.yaml", "_scope: agents/a\nA: changeme\n", staff.ana.sops_option)
    encrypt_file(root, "agents/b.secrets.yaml", "_scope: agents/b\nB: changeme\n", staff.ben.sops_option)
    result = audit("secrets", "audit", "--decrypt", "--output-format", "json", user=staff.ana)
    assert {file["path"]: file["opened"] for file in json.loads(result.out)["files"]} == {
        "agents/a.secrets.yaml": True,
        "agents/b.secrets.yaml": False,
    }
    assert [finding["path"] for finding in json.loads(result.out)["findings"]] == ["agents/a.secrets.yaml"]
    result = audit("secrets", "audit", "--decrypt", user=staff.ana)
    assert result.err == "audited 2 secrets in 2 files: 1 warning, no key opens 1 file\n"
    assert audit("secrets", "audit", "--decrypt").code == 3
    assert "ET621" in audit("secrets", "audit", "--decrypt", user=staff.mallory).err


def test_a_tree_with_errors_is_not_opened(root: Path, staff: Staff, audit: Audit) -> None:
    encrypt_file(root, "agents/a.secrets.yaml", "_scope: agents/a\nA: changeme\n", staff.ana.sops_option)
    (root / "agents/b.yaml").write_text("descripton: x\n")
    result = audit("secrets", "audit", "--decrypt", user=staff.ana)
    assert result.code == 1
    assert "nothing was decrypted" in result.err
    assert "ET657" not in result.out


# ── threats ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def edit(file: Path, make: Callable[[dict[str, Any]], Any]) -> None:
    data = json.loads(file.read_text())
    make(data)
    file.write_text(json.dumps(data))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def hits(server: socket.socket) -> int:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return 0
    return 1


@pytest.fixture
def spies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs that log their start first on PATH, and return the log."""
    folder = tmp_path / "spies"
    folder.mkdir()
    for name in ("sops", "gpg", "age-plugin-evil", "vault", "aws", "gcloud", "az"):
        (folder / name).write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/started\nexit 1\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{SEARCH_PATH}")
    monkeypatch.setenv("ENVTREE_SOPS", "path")
    return tmp_path / "started"


COMMANDS: list[Sequence[str]] = [
    ("check",),
    ("secrets", "audit"),
    ("secrets", "audit", "--decrypt"),
    ("secrets", "readers"),
    ("secrets", "sync", "--check", "--update-keys"),
    ("secrets", "sync", "--update-keys"),
    ("compile", "-o", "{out}"),
    ("show", "default/a@staging", "--reveal", "--force"),
]
VAULT = {"vault_address": "URL", "engine_path": "t", "key_name": "k"}
EVIL = "age1evil1" + "q" * 54
FOREIGN: dict[str, tuple[str, dict[str, str]]] = {
    "T38-hc_vault": ("hc_vault", VAULT),
    "T39-azure_kv": ("azure_kv", {"vault_url": "URL", "name": "n", "version": "v"}),
    "T39-kms": ("kms", {"arn": "arn:aws:kms:eu-west-1:1:key/a", "aws_profile": ""}),
    "T39-gcp_kms": ("gcp_kms", {"resource_id": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}),
    "T39-hckms": ("hckms", {"key_id": "eu-west-101:00000000-0000-0000-0000-000000000000"}),
    "T49-age-plugin": ("age", {"recipient": EVIL}),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_t38_t39_t49_no_command_starts_anything_for_a_key_that_is_not_allowed(
    name: str, root: Path, staff: Staff, audit: Audit, listener: socket.socket, spies: Path
) -> None:
    kind, entry = FOREIGN[name]
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    file = sealed_json(root, staff)
    key = {field: url if value == "URL" else value for field, value in entry.items()}
    key |= {"enc": "x"} if kind == "age" else {"enc": "x", "created_at": "2026-11-24T20:40:04Z"}
    edit(file, lambda data: data["sops"].setdefault(kind, []).append(key))
    (root / "agents/a.yaml").write_text("execution_environment: {secrets: [A]}\n")
    for words in COMMANDS:
        result = audit(*(word.format(out=root.parent / "out") for word in words), user=staff.ana)
        assert result.code == (0 if words[1:] == ("readers",) else 1), (words, result)
        assert not spies.exists(), words
    assert finding_codes(audit("secrets", "audit", "--output-format", "json")) == {"ET604"}
    assert hits(listener) == 0


RULES = {
    "T38-hc_vault": "hc_vault_transit_uri: URL/v1/t/keys/k",
    "T39-azure_kv": "azure_keyvault: URL/keys/k/v",
    "T39-kms": "kms: arn:aws:kms:eu-west-1:1:key/a",
    "T39-gcp_kms": "gcp_kms: projects/p/locations/l/keyRings/r/cryptoKeys/k",
    "T39-hckms": "hckms: ['eu-west-101:00000000-0000-0000-0000-000000000000']",
    "T39-in-a-group": "key_groups: [{hc_vault: [URL/v1/t/keys/k]}, {age: [ANA]}]",
}


@pytest.mark.parametrize("field", RULES.values(), ids=RULES)
def test_t38_t39_nor_for_a_rule_with_such_a_key(
    field: str, root: Path, staff: Staff, audit: Audit, listener: socket.socket, spies: Path
) -> None:
    sealed_json(root, staff)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    age = "" if "groups" in field else f"    age: {staff.ana.public}\n"
    rule = field.replace("URL", url).replace("ANA", staff.ana.public)
    (root / ".sops.yaml").write_text(f"creation_rules:\n  - path_regex: .\n{age}    {rule}\n")
    result = audit("secrets", "sync", "--update-keys", user=staff.ana)
    assert result.code == 1
    assert "left agents/a.secrets.json: it has keys that the policy does not allow" in result.err
    assert finding_codes(audit("secrets", "audit", "--output-format", "json")) == {"ET653", "ET654"}
    assert not spies.exists()
    assert hits(listener) == 0


def sealed_json(root: Path, staff: Staff) -> Path:
    return encrypt_file(root, f"{PATH}.json", '{"_scope": "agents/a", "A": "long-enough"}', staff.ana.sops_option)


OWNED = "_scope: agents/a\nowner_unencrypted: bob\ndb:\n  password: tiger-lily-7\n"
CLEAN = "_scope: agents/a\ndb:\n  password: tiger-lily-7\n"


def sealed_yaml(root: Path, staff: Staff, text: str = CLEAN) -> Path:
    return encrypt_file(root, f"{PATH}.yaml", text, staff.ana.sops_option)


def is_accepted_by_sops(root: Path, staff: Staff) -> bool:
    return run_sops(root, "decrypt", f"./{PATH}.yaml", user=staff.ana, check=False).returncode == 0


def test_t40_a_renamed_plain_key(root: Path, staff: Staff, audit: Audit) -> None:
    file = sealed_yaml(root, staff, OWNED)
    change(file, "owner_unencrypted:", "admin_unencrypted:")
    assert is_accepted_by_sops(root, staff)
    assert audit_file(audit)[1:] == ({"ET607"}, 1)


def test_t41_a_plain_value_split_in_two(root: Path, staff: Staff, audit: Audit) -> None:
    file = sealed_yaml(root, staff, OWNED)
    change(file, "owner_unencrypted: bob", "own_unencrypted: b\nx_unencrypted: ob")
    assert is_accepted_by_sops(root, staff)
    assert audit_file(audit)[1:] == ({"ET607"}, 1)


@pytest.mark.parametrize("line", ['extra: ""', "extra: null", "extra: {}", "extra: []"])
def test_t42_an_empty_value_put_in(line: str, root: Path, staff: Staff, audit: Audit) -> None:
    file = sealed_yaml(root, staff)
    change(file, "sops:", f"{line}\nsops:")
    assert is_accepted_by_sops(root, staff)
    assert audit_file(audit)[1:] == ({"ET607"}, 1)


def test_t43_a_key_that_reads_as_a_path(root: Path, staff: Staff, audit: Audit) -> None:
    file = sealed_yaml(root, staff)
    change(file, "db:\n    password:", "db:password:")
    assert is_accepted_by_sops(root, staff)
    assert audit_file(audit)[1:] == ({"ET607"}, 1)


def test_t44_a_mac_that_is_missing_or_partial(root: Path, staff: Staff, audit: Audit) -> None:
    file = sealed_yaml(root, staff)
    whole = file.read_text()
    file.write_text(without_mac(whole))
    assert audit_file(audit)[1:] == ({"ET606"}, 1)
    file.write_text(whole.replace("    lastmodified:", "    mac_only_encrypted: true\n    lastmodified:"))
    assert audit_file(audit)[1:] == ({"ET606"}, 1)


READS = "execution_environment: {secrets: [A]}\n"


@pytest.mark.parametrize("scoped", [True, False])
@pytest.mark.parametrize(("source", "target"), [("staging", "production"), ("staging", "testing")])
def test_t46_a_staging_file_replayed_elsewhere(
    source: str, target: str, scoped: bool, root: Path, staff: Staff, audit: Audit
) -> None:
    """A wrong `_scope` of the same length is only noticed with a key; without one, the copy itself is noticed."""
    write_files(root, {f"environments/{target}.yaml": READS, f"environments/{source}.yaml": READS})
    claim = f"_scope: environments/{source}\n" if scoped else ""
    file = encrypt_file(root, f"environments/{source}.secrets.yaml", f"{claim}A: long-enough\n", staff.ana.sops_option)
    copy = root / f"environments/{target}.secrets.yaml"
    copy.write_bytes(file.read_bytes())
    result = audit("secrets", "audit", "--output-format", "json")
    same_length = len(source) == len(target)
    assert finding_codes(result) == {"ET656"} | ({"ET650"} if not scoped else set() if same_length else {"ET608"})
    copied = next(finding for finding in json.loads(result.out)["findings"] if finding["code"] == "ET656")
    assert copied["message"].startswith("its one value is the ciphertext of ")
    first, second = sorted((file, copy))
    assert (copied["path"], copied["related"][0]["path"]) == tuple(
        path.relative_to(root).as_posix() for path in (second, first)
    )
    compiled = audit("compile", "-o", str(root.parent / "out"), user=staff.ana)
    if scoped:
        assert compiled.code == 1
        assert re.search(rf"environments/{target}.secrets.yaml:\d+:\d+: error ET608", compiled.err)
        assert not (root.parent / "out").exists()
    else:
        assert compiled.code == 0
        assert audit("compile", "--strict", "-o", str(root.parent / "other"), user=staff.ana).code == 1


def test_t46_one_value_carried_over_and_the_rest_changed(root: Path, staff: Staff, audit: Audit) -> None:
    file = encrypt_file(
        root, "agents/a.secrets.yaml", "_scope: agents/a\nA: long-enough\nB: long-enough\n", staff.ana.sops_option
    )
    (root / "agents/b.secrets.yaml").write_bytes(file.read_bytes())
    for path, value in ((["_scope"], "agents/b"), (["B"], "another-one")):
        index = "".join(f'["{key}"]' for key in path)
        run_sops(root, "set", "./agents/b.secrets.yaml", index, json.dumps(value), user=staff.ana)
    result = audit("secrets", "audit", user=staff.ana)
    assert "1 of 2 values is the ciphertext of 'agents/a.secrets.yaml'" in result.out
    run_sops(root, "set", "./agents/b.secrets.yaml", '["A"]', '"a-third-one"', user=staff.ana)
    result = audit("secrets", "audit", user=staff.ana)
    assert "the file has the data key of 'agents/a.secrets.yaml'" in result.out
    run_sops(root, "rotate", "--in-place", "./agents/b.secrets.yaml", user=staff.ana)
    assert finding_codes(audit("secrets", "audit", "--output-format", "json")) == set()


def test_equal_values_are_no_copy(root: Path, staff: Staff, audit: Audit) -> None:
    for name in "ab":
        text = f"_scope: agents/{name}\nA: long-enough\n"
        encrypt_file(root, f"agents/{name}.secrets.yaml", text, staff.ana.sops_option)
    assert finding_codes(audit("secrets", "audit", "--output-format", "json")) == set()


@pytest.mark.parametrize("place", ["file", "rule"])
def test_t48_a_recipient_who_is_injected_is_named(place: str, root: Path, staff: Staff, audit: Audit) -> None:
    declared = people_section(ana=staff.ana) + "secret_readers: [ana]\n"
    (root / "organization.yaml").write_text(FILES["organization.yaml"] + declared)
    keys = f"{staff.ana.public},{staff.mallory.public}"
    encrypt_file(root, f"{PATH}.yaml", CLEAN, f"--age={keys if place == 'file' else staff.ana.public}")
    if place == "rule":
        (root / ".sops.yaml").write_text(f"creation_rules:\n  - age: {keys}\n")
    for words in (("check",), ("secrets", "audit")):
        result = audit(*words)
        assert result.code == 1
        assert staff.mallory.public in result.out
        assert ("ET609" if place == "file" else "ET612") in result.out
    if place == "rule":
        # The generated rule comes first, so no key is added.
        before = (root / f"{PATH}.yaml").read_bytes()
        assert audit("secrets", "sync", "--update-keys", user=staff.ana).code == 0
        assert (root / f"{PATH}.yaml").read_bytes() == before
        assert audit("secrets", "audit").code == 0


def test_t48_a_key_for_two_is_seen(root: Path, staff: Staff, audit: Audit) -> None:
    """The data key is wrapped for the declared reader and, inside the same wrapping, for another key."""
    import pyrage

    file = sealed_json(root, staff)
    recipients = [pyrage.x25519.Recipient.from_str(user.public) for user in (staff.ana, staff.mallory)]
    wrapped = pyrage.encrypt(b"k" * 32, recipients, armored=True).decode()
    edit(file, lambda data: data["sops"]["age"][0].update(enc=wrapped))
    assert audit_file(audit)[1:] == ({"ET613"}, 1)


def test_t48_a_key_for_two_is_seen_in_a_dotenv_file(root: Path, staff: Staff, audit: Audit) -> None:
    import pyrage

    file = encrypt_file(root, f"{PATH}.env", "_scope=agents/a\nA=long-enough\n", staff.ana.sops_option)
    recipients = [pyrage.x25519.Recipient.from_str(user.public) for user in (staff.ana, staff.mallory)]
    wrapped = pyrage.encrypt(b"k" * 32, recipients, armored=True).decode().replace("\n", "\\n")
    file.write_text(re.sub("(?m)(?<=map_enc=).*", lambda _: wrapped, file.read_text()))
    assert audit_file(audit)[1:] == ({"ET613"}, 1)


def test_what_rust_adds_to_a_wrapping_is_nobody(root: Path, staff: Staff, audit: Audit) -> None:
    """age in Rust adds a meaningless stanza, so that parsers do not rely on there being none; sops ignores it."""
    import pyrage

    file = sealed_json(root, staff)
    content = json.loads(file.read_text())
    recipient = pyrage.x25519.Recipient.from_str(staff.ana.public)
    key = pyrage.decrypt(_unarmored(content["sops"]["age"][0]["enc"]), [_identity(staff.ana)])
    for _ in range(20):
        wrapped = pyrage.encrypt(key, [recipient], armored=True).decode()
        replace_wrapped_key(file, "age", wrapped)
        assert b"-grease" in _unarmored(wrapped)
        assert audit_file(audit)[1:] == (set(), 0)
    assert decrypt_file(root, f"{PATH}.json", staff.ana)


def test_t48_more_than_rust_adds_is_somebody(root: Path, staff: Staff, audit: Audit) -> None:
    import pyrage

    file = sealed_json(root, staff)
    wrapped = _unarmored(
        pyrage.encrypt(b"k" * 32, [pyrage.x25519.Recipient.from_str(staff.ana.public)], armored=True).decode()
    )
    head, _, rest = wrapped.partition(b"\n---")
    for stanza in (b"-> x-grease\nAAAA", b"-> X25519 x-grease\nAAAA"):
        forged = base64.b64encode(head + b"\n" + stanza + b"\n---" + rest).decode()
        replace_wrapped_key(file, "age", forged)
        assert audit_file(audit)[1:] == ({"ET613"}, 1)


def test_t48_a_second_key_behind_a_packet_that_gpg_passes_over_is_seen(root: Path, staff: Staff, audit: Audit) -> None:
    file, key = opened_by_gpg(root, staff)
    wrapped = gpg(staff, "--trust-model", "always", "--encrypt", "-r", staff.pgp.public, stdin_data=key)
    assert wrapped[0] == 0x84
    # The packet with the session key, whose length is its second byte; a marker packet; the whole message.
    two_keys = wrapped[: 2 + wrapped[1]] + b"\xca\x03PGP" + wrapped
    replace_wrapped_key(file, "pgp", armored(staff, two_keys))
    # Otherwise the file would not open, and the second key would be no threat.
    assert decrypt_file(root, f"{PATH}.json", staff.pgp)
    assert audit_file(audit)[1:] == ({"ET613"}, 1)


def test_t48_keys_in_an_armor_that_only_gpg_can_read_are_no_keys_of_one(root: Path, staff: Staff, audit: Audit) -> None:
    file, key = opened_by_gpg(root, staff)
    wrapped = gpg(staff, "--trust-model", "always", "--encrypt", "-r", staff.pgp.public, stdin_data=key)
    text = armored(staff, wrapped[: 2 + wrapped[1]] + wrapped)
    head, _, body = text.partition("\n\n")
    # gpg accepts a line of spaces as the empty line after the headers.
    replace_wrapped_key(file, "pgp", f"{head}\n \n{body}")
    assert decrypt_file(root, f"{PATH}.json", staff.pgp)
    assert audit_file(audit)[1:] == ({"ET613"}, 1)


def test_t48_a_passphrase_beside_a_pgp_key_is_seen(root: Path, staff: Staff, audit: Audit) -> None:
    file, key = opened_by_gpg(root, staff)
    passphrase = ("--passphrase", "known-to-mallory", "--pinentry-mode", "loopback")
    names = ("--trust-model", "always", "--encrypt", "-r", staff.pgp.public)
    replace_wrapped_key(file, "pgp", armored(staff, gpg(staff, "--symmetric", *passphrase, *names, stdin_data=key)))
    assert audit_file(audit)[1:] == ({"ET613"}, 1)


def gpg(staff: Staff, *options: str, stdin_data: bytes) -> bytes:
    """Run the real gpg with the keyring of the PGP user, and return its output."""
    environ = {"PATH": SEARCH_PATH, **staff.pgp.environ}
    return subprocess.run(
        ["gpg", "--batch", *options], input=stdin_data, env=environ, check=True, capture_output=True
    ).stdout


def opened_by_gpg(root: Path, staff: Staff) -> tuple[Path, bytes]:
    """Return a secrets file for the PGP user, and its data key."""
    file = encrypt_file(
        root, f"{PATH}.json", '{"_scope": "agents/a", "A": "long-enough"}', staff.pgp.sops_option, user=staff.pgp
    )
    wrapped = json.loads(file.read_text())["sops"]["pgp"][0]["enc"]
    return file, gpg(staff, "--decrypt", stdin_data=wrapped.encode())


def armored(staff: Staff, wrapped: bytes) -> str:
    return gpg(staff, "--enarmor", stdin_data=wrapped).decode().replace("PGP ARMORED FILE", "PGP MESSAGE")


def replace_wrapped_key(file: Path, kind: str, wrapped: str) -> None:
    """Replace the wrapped data key of a file."""
    edit(file, lambda data: data["sops"][kind][0].update(enc=wrapped))


def _unarmored(text: str) -> bytes:
    return base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-----")))


def _identity(person: SopsUser) -> Any:
    import pyrage

    return pyrage.x25519.Identity.from_str(Path(person.environ["SOPS_AGE_KEY_FILE"]).read_text().strip())


def test_t48_and_so_is_one_of_gpg(root: Path, staff: Staff, audit: Audit) -> None:
    import os

    options = (staff.ana.sops_option, staff.pgp.sops_option)
    file = encrypt_file(root, f"{PATH}.json", '{"_scope": "agents/a", "A": "long-enough"}', *options, user=staff.pgp)
    assert audit_file(audit)[1:] == (set(), 0)
    with make_pgp_user() as stranger:
        machine = os.environ | staff.pgp.environ
        key = subprocess.run(
            ["gpg", "--export", stranger.public], env=os.environ | stranger.environ, check=True, capture_output=True
        )
        subprocess.run(["gpg", "--import"], input=key.stdout, env=machine, check=True, capture_output=True)
        names = [word for user in (staff.pgp, stranger) for word in ("-r", user.public)]
        wrap = ["gpg", "--armor", "--batch", "--trust-model", "always", "--encrypt", *names]
        wrapped = subprocess.run(wrap, input=b"k" * 32, env=machine, check=True, capture_output=True).stdout.decode()
        subprocess.run(["gpg", "--batch", "--yes", "--delete-keys", stranger.public], env=machine, check=True)
    edit(file, lambda data: data["sops"]["pgp"][0].update(enc=wrapped))
    assert audit_file(audit)[1:] == ({"ET613"}, 1)


@pytest.mark.parametrize("form", ["yaml", "json", "env"])
def test_t50_a_pasted_value_is_found_and_not_quoted(form: str, root: Path, staff: Staff, audit: Audit) -> None:
    file = encrypt_file(root, f"{PATH}.{form}", PLAIN[form], staff.ana.sops_option)
    text = file.read_text()
    old = re.search(r'(?im)^\W*password\W*([:=]) ?"?(ENC\[[^\]]*\])', text)
    assert old
    file.write_text(text.replace(old[2], CANARY))
    for words in (("secrets", "audit"), ("secrets", "audit", "--output-format", "json"), ("check",)):
        result = audit(*words)
        assert result.code == 1
        assert "ET602" in result.out
        assert CANARY not in result.out + result.err


def test_t50_a_private_key_where_a_public_one_belongs_is_not_quoted(
    root: Path, staff: Staff, audit: Audit, tmp_path: Path
) -> None:
    secret = Path(staff.mallory.environ["SOPS_AGE_KEY_FILE"]).read_text().strip()
    declared = people_section(ana=staff.ana) + "secret_readers: [ana]\n"
    (root / "organization.yaml").write_text(FILES["organization.yaml"] + declared)
    file = sealed_json(root, staff)
    (root / ".sops.yaml").write_text(f"creation_rules:\n  - age: '{staff.ana.public},{secret}'\n")
    edit(file, lambda data: data["sops"]["age"].append({"recipient": secret, "enc": "x"}))
    for words in (*COMMANDS[:2], COMMANDS[3], ("secrets", "audit", "--output-format", "json"), COMMANDS[5]):
        result = audit(*words, user=staff.ana)
        assert result.code == (0 if words[1:] == ("readers",) else 1), result
        assert secret not in result.out + result.err
        assert secret.lower() not in result.out.lower() + result.err.lower()
    assert finding_codes(audit("secrets", "audit", "--output-format", "json")) == {"ET604", "ET612", "ET654"}


@pytest.mark.parametrize("reader", ["process", "native"])
def test_t51_a_wrong_mac_is_told_without_its_hash(
    reader: str, root: Path, staff: Staff, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVTREE_SOPS", reader)
    file = sealed_yaml(root, staff, "_scope: agents/a\nA: long-enough\nB: long-enough-too\n")
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("B:")))
    shown = run_sops(root, "decrypt", f"./{PATH}.yaml", user=staff.ana, check=False).stderr.decode()
    hashes = re.findall(r"[0-9A-F]{128}", shown)
    assert hashes
    result = audit("secrets", "audit", "--decrypt", user=staff.ana)
    assert result.code == 1
    assert "ET610" in result.out
    assert not [hash for hash in hashes if hash in result.out + result.err]
    assert audit_file(audit)[1:] == (set(), 0)
