"""SOPS files read without a key, and the checks before sops may start; ids with T.. are threats."""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

import pytest

from envtree.frontend.link.declared_readers import find_declared_readers
from envtree.frontend.link.secrets_file_checks import check_readers, check_scope, check_secrets_policy
from envtree.frontend.parse import parse
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import EncryptedValue, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.secrets_file import Endpoint, SecretsFile, SecretsPolicy
from envtree.model.source import Kind, Location, Source
from envtree.model.span import Span
from tests.support.trees import parse_document

CANARY = "hunter2-pasted"
PATH = "environments/production.secrets.yaml"
DEFAULT = SecretsPolicy(frozenset({"age", "pgp"}), (), require_scope=False)
ALICE = "age1" + "q" * 58
BOB = "age1" + "z" * 58
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


def ciphertext(length: int = 5, kind: str = "str") -> str:
    """Return an encrypted value in the form of sops, which no key can decrypt."""
    data, iv, tag = (base64.b64encode(bytes(size)).decode() for size in (length, 32, 16))
    return f"ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{kind}]"


def sops_map(**changes: Any) -> dict[str, Any]:
    """Return a `sops` map; a change to None removes the key."""
    defaults = {
        "age": [{"recipient": ALICE, "enc": "stanza"}],
        "lastmodified": "2026-11-24T20:40:04Z",
        "mac": ciphertext(128),
        "unencrypted_suffix": "_unencrypted",
        "version": "3.11.0",
    }
    return {key: value for key, value in (defaults | changes).items() if value is not None}


def read(content: dict[str, Any], path: str = PATH, **changes: Any) -> tuple[SecretsFile | None, list[Diagnostic]]:
    """Read a file with this content and `sops` map, written as JSON, which is YAML."""
    return read_text(json.dumps(content | {"sops": sops_map(**changes)}, indent=1), path)


def read_text(text: str, path: str = PATH) -> tuple[SecretsFile | None, list[Diagnostic]]:
    data = text.encode()
    location = Location(Kind.SECRETS, "", "", PurePosixPath(path).name.partition(".")[0], Kind.ENVIRONMENT)
    diags = Diagnostics()
    document = parse(Source(path, location, data, hashlib.sha256(data).hexdigest()), diags)
    assert document is not None, list(diags)
    assert not list(diags)
    return read_secrets_file(document, diags), list(diags)


def read_valid(content: dict[str, Any], path: str = PATH, **changes: Any) -> SecretsFile:
    """Read a file without findings."""
    file, findings = read(content, path, **changes)
    assert not findings
    assert file is not None
    return file


def shape(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {key: shape(child) for key, child in node.entries.items()}
    if isinstance(node, SequenceNode):
        return [shape(item) for item in node.items]
    return node.value


def policy_findings(
    file: SecretsFile, policy: SecretsPolicy, readers: Iterable[str] | None = None, others: Iterable[str] = ()
) -> list[Diagnostic]:
    """Check a file against an organization in which the readers and the others are people."""
    people = {
        f"{kind}{index}": {"age": key}
        for kind, keys in (("r", readers or ()), ("o", others))
        for index, key in enumerate(keys)
    }
    declaration = {} if readers is None else {"secret_readers": [name for name in people if name.startswith("r")]}
    organization = parse_document(json.dumps({"people": people, **declaration}), Kind.ORGANIZATION, "organization.yaml")
    diags = Diagnostics()
    check_secrets_policy(file, policy, organization, diags)
    declared = find_declared_readers(None, organization)
    if declared:
        check_readers(file, policy, declared, diags)
    return list(diags)


def test_content_is_ciphers_with_their_types_lengths_and_paths() -> None:
    nested = {
        "a.b": ciphertext(1),
        "list": [ciphertext(2), {"k": ciphertext(3)}, [ciphertext(4)]],
        "$replace": ciphertext(6),
    }
    file = read_valid({"PORT": ciphertext(4, "int"), "WHEN": ciphertext(20, "time"), "nested": nested})
    assert shape(file.content) == {
        "PORT": EncryptedValue("int", 4, PATH, "PORT"),
        "WHEN": EncryptedValue("str", 20, PATH, "WHEN"),
        "nested": {
            "a.b": EncryptedValue("str", 1, PATH, 'nested."a.b"'),
            "list": [
                EncryptedValue("str", 2, PATH, "nested.list.0"),
                {"k": EncryptedValue("str", 3, PATH, "nested.list.1.k")},
                [EncryptedValue("str", 4, PATH, "nested.list.2.0")],
            ],
            "$replace": EncryptedValue("str", 6, PATH, "nested.$replace"),
        },
    }


@pytest.mark.parametrize("length", range(1, 8))
def test_a_length_is_that_of_the_plaintext(length: int) -> None:
    file = read_valid({"A": ciphertext(length)})
    assert shape(file.content) == {"A": EncryptedValue("str", length, PATH, "A")}


def test_a_comment_in_a_list_is_no_item_of_it() -> None:
    file = read_valid({"list": [ciphertext(1), ciphertext(9, "comment"), ciphertext(3)]})
    assert shape(file.content)["list"][1] == EncryptedValue("str", 3, PATH, "list.1")


def test_recipients_scope_and_metadata() -> None:
    keys: dict[str, Any] = {
        "pgp": [{"fp": FINGERPRINT, "enc": "armor", "created_at": "2026-11-24T20:40:04Z"}],
        "kms": [],
    }
    file = read_valid({"_scope": ciphertext(23), "A": ciphertext()}, **keys)
    assert file.scope == EncryptedValue("str", 23, PATH, "_scope")
    assert "_scope" not in file.content.entries
    assert file.expected_scope == "environments/production"
    assert file.key_types == {"age", "pgp"}
    assert {recipient.value for recipient in file.recipients} == {ALICE, FINGERPRINT}
    assert file.format == "yaml"
    assert file.lastmodified == "2026-11-24T20:40:04Z"
    assert file.endpoints == ()


def test_a_file_may_contain_no_values() -> None:
    assert shape(read_valid({}).content) == {}


def test_dotenv() -> None:
    lines = [
        f"#{ciphertext(9, 'comment')}",
        f"A={ciphertext(3)}",
        "sops_age__list_0__map_enc=-----BEGIN AGE ENCRYPTED FILE-----\\nxx\\n",
        f"sops_age__list_0__map_recipient={ALICE}",
        "sops_lastmodified=2026-11-24T20:40:04Z",
        f"sops_mac={ciphertext(128)}",
        "sops_unencrypted_suffix=_unencrypted",
        "sops_version=3.11.0",
    ]
    path = "environments/production.secrets.env"
    file, findings = read_text("\n".join(lines) + "\n", path)
    assert not findings
    assert file is not None
    assert (file.format, shape(file.content)) == ("env", {"A": EncryptedValue("str", 3, path, "A")})
    assert [recipient.value for recipient in file.recipients] == [ALICE]


# Content that is refused, with the code and the key of the finding.
CONTENT = {
    "T40-a-plain-key-that-the-mac-does-not-cover": ({"owner_unencrypted": ciphertext()}, "ET607", "owner_unencrypted"),
    "T40-below-such-a-key": ({"m": {"x_unencrypted": {"y": ciphertext()}}}, "ET607", "m.x_unencrypted"),
    "T41-a-plain-value": ({"info": "alice"}, "ET602", "info"),
    "T42-null": ({"extra": None}, "ET607", "extra"),
    "T42-an-empty-text": ({"extra": ""}, "ET607", "extra"),
    "T42-an-empty-map": ({"m": {"extra": {}}}, "ET607", "m.extra"),
    "T42-an-empty-list": ({"extra": []}, "ET607", "extra"),
    "T42-a-list-of-comments": ({"extra": [ciphertext(1, "comment")]}, "ET607", "extra"),
    "T43-a-key-that-reads-as-a-path": ({"db:password": ciphertext()}, "ET607", "db:password"),
    "T50-a-pasted-value": ({"db": {"password": CANARY}}, "ET602", "db.password"),
    "T50-in-a-list": ({"list": [ciphertext(), CANARY]}, "ET602", "list.1"),
    "T55-a-number": ({"port": 5432}, "ET602", "port"),
    "T55-a-boolean": ({"on": True}, "ET602", "on"),
    "a-comment-as-value": ({"a": ciphertext(3, "comment")}, "ET607", "a"),
    "a-second-sops-map": ({"SOPS": {"mac": ciphertext()}}, "ET607", "SOPS"),
    "a-second-sops-map-in-another-alphabet": ({"\u017fops": ciphertext()}, "ET607", "\u017fops"),
    "ciphertext-without-data": ({"a": ciphertext(0)}, "ET602", "a"),
    "ciphertext-of-an-unknown-type": ({"a": ciphertext(3, "map")}, "ET602", "a"),
    "ciphertext-with-a-short-tag": ({"a": ciphertext().replace("==,type", ",type")}, "ET602", "a"),
    "ciphertext-with-a-tail": ({"a": ciphertext() + "\n"}, "ET602", "a"),
    "ciphertext-in-ciphertext": ({"a": ciphertext().replace(",iv:", f",iv:{ciphertext()},iv:")}, "ET602", "a"),
    "another-cipher": ({"a": ciphertext().replace("AES256_GCM", "AES128_GCM")}, "ET602", "a"),
    "a-scope-in-plain-text": ({"_scope": CANARY}, "ET608", "_scope"),
    "a-scope-that-is-a-map": ({"_scope": {"a": ciphertext()}}, "ET608", "_scope"),
    "a-scope-that-is-a-number": ({"_scope": ciphertext(23, "int")}, "ET608", "_scope"),
}


@pytest.mark.parametrize(("content", "code", "key"), CONTENT.values(), ids=CONTENT)
def test_content_that_is_refused(content: dict[str, Any], code: str, key: str) -> None:
    file, findings = read({"ok": ciphertext()} | content)
    assert file is None
    assert [(finding.code, finding.key) for finding in findings] == [(code, key)]
    assert CANARY not in repr(findings)
    assert findings[0].span.line > 2


VAULT = {"engine_path": "transit", "key_name": "k", "created_at": "2026-11-24T20:40:04Z", "enc": "x"}
AT_VAULT = VAULT | {"vault_address": "http://127.0.0.1:8200"}

# `sops` maps that are refused.
METADATA = {
    "T44-no-mac": ({"mac": None}, "ET606", "sops"),
    "T44-an-empty-mac": ({"mac": ""}, "ET606", "sops"),
    "T44-a-plain-mac": ({"mac": CANARY}, "ET606", "sops"),
    "T44-a-partial-mac": ({"mac_only_encrypted": True}, "ET606", "sops.mac_only_encrypted"),
    "T44-a-partial-mac-in-yaml-1.1": ({"mac_only_encrypted": "yes"}, "ET606", "sops.mac_only_encrypted"),
    "T44-a-partial-mac-in-capitals": ({"MAC_Only_Encrypted": True}, "ET607", "sops.MAC_Only_Encrypted"),
    "no-date": ({"lastmodified": None}, "ET606", "sops"),
    "a-date-that-is-none": ({"lastmodified": "yesterday"}, "ET606", "sops"),
    "another-plain-suffix": ({"unencrypted_suffix": "_plain"}, "ET607", "sops.unencrypted_suffix"),
    "an-encrypted-suffix": ({"encrypted_suffix": "_enc"}, "ET607", "sops.encrypted_suffix"),
    "an-encrypted-regex": ({"encrypted_regex": "^data$"}, "ET607", "sops.encrypted_regex"),
    "an-unencrypted-regex": ({"unencrypted_regex": "^x"}, "ET607", "sops.unencrypted_regex"),
    "a-comment-regex": ({"unencrypted_comment_regex": "x"}, "ET607", "sops.unencrypted_comment_regex"),
    "an-encrypted-comment-regex": ({"encrypted_comment_regex": "x"}, "ET607", "sops.encrypted_comment_regex"),
    "T39-a-kind-of-key-in-capitals": ({"HC_VAULT": [AT_VAULT]}, "ET607", "sops.HC_VAULT"),
    "T39-a-kind-of-key-that-nobody-knows": ({"quantum": [{"enc": "x"}]}, "ET607", "sops.quantum"),
    "T39-in-a-key-group": ({"key_groups": [{"Hc_vault": [AT_VAULT]}]}, "ET607", "sops.key_groups.0.Hc_vault"),
    "T39-a-field-in-capitals": (
        {"hc_vault": [AT_VAULT | {"VAULT_ADDRESS": "http://127.0.0.1:1"}]},
        "ET607",
        "sops.hc_vault.0.VAULT_ADDRESS",
    ),
    "no-key-at-all": ({"age": None}, "ET603", "sops"),
    "no-recipient": ({"age": [{"enc": "x"}]}, "ET603", "sops.age.0"),
    "no-data-key": ({"age": [{"recipient": ALICE, "enc": ""}]}, "ET603", "sops.age.0"),
    "keys-that-are-a-text": ({"pgp": FINGERPRINT}, "ET603", "sops.pgp"),
    "a-key-that-is-a-text": ({"pgp": [FINGERPRINT]}, "ET603", "sops.pgp.0"),
}


@pytest.mark.parametrize(("changes", "code", "key"), METADATA.values(), ids=METADATA)
def test_metadata_that_is_refused(changes: dict[str, Any], code: str, key: str) -> None:
    file, findings = read({"ok": ciphertext()}, **changes)
    assert file is None
    assert [(finding.code, finding.key) for finding in findings] == [(code, key)]
    assert CANARY not in repr(findings)


def test_metadata_that_sops_writes_is_accepted() -> None:
    changes: dict[str, Any] = {
        "kms": None,
        "gcp_kms": [],
        "pgp": [],
        "mac_only_encrypted": False,
        "shamir_threshold": 2,
    }
    assert read_valid({"A": ciphertext()}, **changes)
    text = json.dumps({"A": ciphertext(), "sops": sops_map()}).replace('"version"', '"hc_vault": null, "version"')
    assert read_text(text)[0] is not None


@pytest.mark.parametrize(
    ("written", "threshold"), [(1, 1), ("1", 1), (2, 2), (None, 3), (0, 3), ("x", 3), ("9" * 5000, 3), ("-1", 3)]
)
def test_how_many_groups_are_needed(written: Any, threshold: int) -> None:
    groups = [{"age": [{"recipient": ALICE, "enc": "x"}]} for _ in range(3)]
    file = read({"A": ciphertext()}, age=None, key_groups=groups, shamir_threshold=written)[0]
    assert file is None or file.threshold == threshold
    assert file or not str(written).isdecimal()


@pytest.mark.parametrize("text", ["A: hunter2-pasted\n", "{}\n", "sops: hunter2-pasted\n", "sops: []\nA: x\n"])
def test_a_file_that_is_not_from_sops(text: str) -> None:
    file, findings = read_text(text)
    assert file is None
    assert [finding.code for finding in findings] == ["ET603"]
    assert CANARY not in repr(findings)


def test_every_mistake_is_reported_at_its_place() -> None:
    file, findings = read_text(
        f"a: {CANARY}\nb: {ciphertext()}\nc:\n  d_unencrypted: {ciphertext()}\nsops: {json.dumps(sops_map())}\n"
    )
    assert file is None
    assert [(finding.code, finding.span) for finding in findings] == [
        ("ET602", Span(PATH, 1, 4, 1, 4 + len(CANARY))),
        ("ET607", Span(PATH, 4, 3, 4, 16)),
    ]


# Keys that the default policy refuses, by kind, and as written in the `sops` map.
FOREIGN = {
    "T38-hc_vault": ("hc_vault", {"hc_vault": [AT_VAULT]}),
    "T39-kms": (
        "kms",
        {"kms": [{"arn": "arn:aws:kms:eu-west-1:1:key/a", "enc": "x", "created_at": "x", "aws_profile": ""}]},
    ),
    "T39-gcp_kms": (
        "gcp_kms",
        {"gcp_kms": [{"resource_id": "projects/p/locations/l/keyRings/r/cryptoKeys/k", "enc": "x"}]},
    ),
    "T39-azure_kv": (
        "azure_kv",
        {"azure_kv": [{"vault_url": "https://v.vault.azure.net", "name": "n", "version": "", "enc": "x"}]},
    ),
    "T39-hckms": ("hckms", {"hckms": [{"key_id": "region:uuid", "enc": "x", "created_at": "x"}]}),
    "T39-in-key-groups": (
        "hc_vault",
        {"age": None, "key_groups": [{"age": [{"recipient": ALICE, "enc": "x"}]}, {"hc_vault": [AT_VAULT]}]},
    ),
    "T49-age-plugin": ("age-plugin", {"age": [{"recipient": "age1evil1qqqqqqqqqq", "enc": "x"}]}),
    "T49-age-ssh": ("age-ssh", {"age": [{"recipient": "ssh-ed25519 AAAA me", "enc": "x"}]}),
    "T49-age-nonsense": ("age-plugin", {"age": [{"recipient": "../../bin/sh", "enc": "x"}]}),
}


@pytest.mark.parametrize(("kind", "keys"), FOREIGN.values(), ids=FOREIGN)
def test_keys_that_the_default_policy_refuses(kind: str, keys: dict[str, Any]) -> None:
    file = read_valid({"A": ciphertext()}, **keys)
    findings = policy_findings(file, DEFAULT)
    assert [finding.code for finding in findings] == ["ET604"]
    assert f"'{kind}'" in findings[0].message
    assert findings[0].span in {recipient.span for recipient in file.recipients}
    assert not DEFAULT.allows_file(file)
    allowed = DEFAULT._replace(key_types=DEFAULT.key_types | {kind})
    assert not [finding for finding in policy_findings(file, allowed) if finding.code == "ET604"]


ENDPOINTS = [
    ("https://vault.example.com", "https://vault.example.com", True),
    ("https://vault.example.com", "https://vault.example.com/", True),
    ("https://vault.example.com/", "https://vault.example.com", True),
    ("https://vault.example.com", "https://vault.example.com/ns/a", True),
    ("https://vault.example.com:8200", "https://vault.example.com:8200/x", True),
    ("http://[::1]:8200", "http://[::1]:8200", True),
    ("https://vault.example.com", "https://vault.example.com.evil.net", False),
    ("https://vault.example.com", "https://vault.example.com@evil.net", False),
    ("https://vault.example.com", "https://vault.example.com:8200", False),
    ("https://vault.example.com", "http://vault.example.com", False),
    ("https://vault.example.com/a", "https://vault.example.com/a/../b", False),
    ("https://vault.example.com/a", "https://vault.example.com/a/%2e%2e/b", False),
    ("https://vault.example.com", "https://vault.example.com/\\@evil.net", False),
    ("https://vault.example.com", "https://vault.example.com/?x", False),
    ("https://vault.example.com", "https://vault.example.com/\n", False),
    ("arn:aws:kms:eu-west-1:1:key", "arn:aws:kms:eu-west-1:1:key/a", True),
    ("arn:aws:kms:eu-west-1:1:key/a", "arn:aws:kms:eu-west-1:1:key/ab", False),
    ("projects/p", "projects/p/locations/l/keyRings/r/cryptoKeys/k", True),
    ("projects/p", "projects/p2/locations/l", False),
    ("", "https://evil.net", False),
    ("/", "/x", False),
]


@pytest.mark.parametrize(("allowed", "endpoint", "verdict"), ENDPOINTS)
def test_an_endpoint_is_allowed_as_listed_or_below(allowed: str, endpoint: str, verdict: bool) -> None:
    policy = SecretsPolicy(frozenset({"hc_vault"}), (allowed,), require_scope=False)
    assert policy.allows_endpoint(Endpoint("hc_vault", endpoint, Span(PATH, 1, 1, 1, 1))) is verdict


def test_t38_an_allowed_kind_at_an_endpoint_that_is_not() -> None:
    file = read_valid({"A": ciphertext()}, hc_vault=[AT_VAULT])
    policy = SecretsPolicy(frozenset({"age", "hc_vault"}), ("https://vault.example.com",), require_scope=False)
    findings = policy_findings(file, policy)
    assert [(finding.code, finding.span) for finding in findings] == [("ET605", file.endpoints[0].span)]
    assert not policy.allows_file(file)
    assert policy._replace(endpoints=("http://127.0.0.1:8200",)).allows_file(file)


def test_t39_the_role_of_a_kms_key_is_an_endpoint_too() -> None:
    key = {"arn": "arn:aws:kms:eu-west-1:1:key/a", "role": "arn:aws:iam::2:role/x", "enc": "x", "created_at": "x"}
    file = read_valid({"A": ciphertext()}, kms=[key])
    policy = SecretsPolicy(frozenset({"age", "kms"}), ("arn:aws:kms:eu-west-1:1:key",), require_scope=False)
    assert [finding.code for finding in policy_findings(file, policy)] == ["ET605"]
    assert policy._replace(endpoints=(*policy.endpoints, "arn:aws:iam::2:role")).allows_file(file)


PGP = [{"fp": FINGERPRINT, "enc": "x", "created_at": "x"}]
# Recipients of the file, declared readers, codes.
READERS = {
    "nothing-is-declared": ([ALICE], None, []),
    "the-same": ([ALICE, BOB], {ALICE, BOB}, []),
    "T48-an-unknown-recipient": ([ALICE, BOB], {ALICE}, ["ET609"]),
    "a-missing-reader": ([ALICE], {ALICE, BOB}, ["ET609"]),
    "both": ([ALICE], {BOB}, ["ET609", "ET609"]),
    "nobody-may-read": ([ALICE], set[str](), ["ET609"]),
}


@pytest.mark.parametrize(("recipients", "readers", "codes"), READERS.values(), ids=READERS)
def test_recipients_against_readers(recipients: list[str], readers: set[str] | None, codes: list[str]) -> None:
    file = read_valid({"A": ciphertext()}, age=[{"recipient": recipient, "enc": "x"} for recipient in recipients])
    findings = policy_findings(file, DEFAULT, readers)
    assert [finding.code for finding in findings] == codes


def test_readers_and_strangers_are_named_where_their_keys_are_known() -> None:
    file = read_valid({"A": ciphertext()}, age=[{"recipient": ALICE, "enc": "x"}])
    undeclared, missing = policy_findings(file, DEFAULT, [FINGERPRINT, BOB], [ALICE])
    assert undeclared.message == "the file is encrypted for 'o0', who is not among its readers"
    assert [related.message for related in undeclared.related] == ["the readers", "the key of 'o0'"]
    assert missing.message == "the file is not encrypted for its readers 'r0', 'r1'"
    assert [related.message for related in missing.related] == ["the readers", "the key of 'r0'", "the key of 'r1'"]
    assert missing.hint == f"run 'envtree secrets rotate {PATH}'"


@pytest.mark.parametrize("reader", [FINGERPRINT, FINGERPRINT.lower(), f"{FINGERPRINT[:20]}  {FINGERPRINT[20:]}"])
def test_a_fingerprint_may_be_written_in_groups(reader: str) -> None:
    file = read_valid({"A": ciphertext()}, age=None, pgp=PGP)
    assert policy_findings(file, DEFAULT, [reader]) == []


def test_a_service_is_no_reader() -> None:
    file = read_valid({"A": ciphertext()}, hc_vault=[AT_VAULT])
    policy = SecretsPolicy(frozenset({"age", "hc_vault"}), ("http://127.0.0.1:8200",), require_scope=False)
    assert policy_findings(file, policy, [ALICE]) == []


SCOPES = [
    (len("environments/production"), False, []),
    (len("environments/staging"), False, ["ET608"]),
    (None, False, ["ET650"]),
    (None, True, ["ET608"]),
]


@pytest.mark.parametrize(("length", "required", "codes"), SCOPES)
def test_t46_scope_without_a_key(length: int | None, required: bool, codes: list[str]) -> None:
    content = {"A": ciphertext()} | ({"_scope": ciphertext(length)} if length else {})
    diags = Diagnostics()
    check_scope(read_valid(content), DEFAULT._replace(require_scope=required), diags)
    assert [finding.code for finding in diags] == codes


SCOPES_BY_PATH = {
    "organization.secrets.yaml": "organization",
    "projects/shop/teams/checkout/team.secrets.json": "projects/shop/teams/checkout/team",
    "projects/shop/agents/triage.production.secrets.env": "projects/shop/agents/triage.production",
}


@pytest.mark.parametrize(("path", "scope"), SCOPES_BY_PATH.items(), ids=SCOPES_BY_PATH)
def test_the_scope_of_a_place(path: str, scope: str) -> None:
    assert read_valid({})._replace(path=path).expected_scope == scope


def test_a_leaf_keeps_its_place() -> None:
    file = read_valid({"A": ciphertext()})
    leaf = file.content.entries["A"]
    assert isinstance(leaf, ScalarNode)
    assert leaf.mark[0] == 2
