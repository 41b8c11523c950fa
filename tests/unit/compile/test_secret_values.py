"""Secrets in a bundle: their paths in a file, their comparison by ciphertext, and all of them in clear."""

from typing import Any

import pytest

from envtree.compile.resolve.expression_cache import ExpressionCache
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.model.resolved import UNKNOWN, HiddenValue
from envtree.model.secrets_file import parse_ciphertext, printable_key
from envtree.output.emit.comparison_key import comparison_key
from envtree.output.emit.plaintexts import collect_plaintexts
from tests.support.trees import ID, check, layers, quote_yaml, run

SECRETS: dict[str, Any] = {"token": "s3cret", "pin": 4711, "db": {"user": "ana", "pass": "w0rd"}, "hosts": ["h1", "h2"]}
FILE = "organization.secrets.yaml"
CONFIG = "deep: {a: [{b: '${{ secrets.token }}'}], k: 1}, text: 'x-${{ secrets.pin }}', copy: '${{ secrets.db }}'"


def section(value: str, more: str = "") -> str:
    return f"{{config: {{{CONFIG}, value: {quote_yaml(value)}}}{more}}}"


def resolve_value(value: str) -> Any:
    """Resolve a value of `config`, with the key."""
    return run(section(value), secrets={0: SECRETS}).data()["config"]["value"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hosts[0]", "h1"),
        ("hosts[1]", "h2"),
        ("hosts['1']", "h2"),
        ("db", {"user": "ana", "pass": "w0rd"}),
        ("db['user']", "ana"),
        ("hosts", ["h1", "h2"]),
    ],
)
def test_a_secret_by_its_path(path: str, value: Any) -> None:
    assert resolve_value(f"${{{{ secrets.{path} }}}}") == value


@pytest.mark.parametrize("path", ["hosts[2]", "hosts.x", "token[0]", "token.x", "db.x", "db.user.x", "hosts[0].x", "x"])
def test_a_path_to_nothing_is_a_finding(path: str) -> None:
    assert run(section(f"${{{{ secrets.{path} }}}}"), secrets={0: SECRETS}).codes == ["ET601"]


@pytest.mark.parametrize("step", ["2", "-1", "--1", "01", "+1", "1.0", "\u0661", "x", "9" * 5000])
def test_an_element_of_a_list_has_one_spelling(step: str) -> None:
    assert run(f"{{secrets: {{A: hosts.{step}}}}}", secrets={0: SECRETS}).codes == ["ET601"]
    assert run("{secrets: {A: hosts.1}}", secrets={0: SECRETS}).data()["env_vars"] == {"A": "h2"}


@pytest.mark.parametrize("path", ["db", "hosts"])
def test_what_is_injected_is_one_secret(path: str) -> None:
    finding = run(f"{{secrets: {{A: {path}}}}}", secrets={0: SECRETS}).only_finding()
    assert (finding.code, finding.key) == ("ET508", "secrets.A")
    assert finding.message == f"'{path}' is a map or a list of secrets, expected one secret"


VALUES = [
    "${{ secrets.token }}",
    "x${{ secrets.token }}",
    "${{ secrets.db }}",
    "${{ config.deep }}",
    "x${{ config.deep }}",
    "${{ config.deep.a[0].b | upper }}",
    "${{ config.copy.user ~ 1 }}",
    "${{ [secrets.hosts] }}",
    "y${{ config.text }}",
]


@pytest.mark.parametrize("value", VALUES)
def test_marks_are_equal_where_the_ciphertexts_are(value: str) -> None:
    def marks(secrets: dict[str, Any]) -> bytes:
        return comparison_key(check(layers(section(value), secrets={0: secrets})).bundles[ID].data["config"]["value"])

    other = {"token": "S3CRET", "pin": 1147, "db": {"user": "ANA", "pass": "w0rd"}, "hosts": ["H1", "h2"]}
    assert marks(SECRETS) == marks({**SECRETS, "more": "x"})
    assert marks(SECRETS) != marks(other)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", {}),
        ("${{ secrets.token }}", {"config.value": ["s3cret"], f"{FILE}#token": ["s3cret"]}),
        ("x${{ secrets.token }}", {"config.value": ["xs3cret", "s3cret"], f"{FILE}#token": ["s3cret"]}),
        (
            "${{ secrets.db }}",
            {"config.value": ["ana", "w0rd"], f"{FILE}#db.user": ["ana"], f"{FILE}#db.pass": ["w0rd"]},
        ),
        (
            "${{ secrets.hosts }}",
            {"config.value": ["h1", "h2"], f"{FILE}#hosts.0": ["h1"], f"{FILE}#hosts.1": ["h2"]},
        ),
        ("${{ secrets.pin + 1 }}", {"config.value": ["4712", "4711"], f"{FILE}#pin": ["4711"]}),
        ("${{ secrets.pin if false else 1 }}", {"config.value": ["1", "4711"], f"{FILE}#pin": ["4711"]}),
        (
            "${{ secrets.token ~ secrets.hosts[0] }}",
            {"config.value": ["s3creth1", "s3cret", "h1"], f"{FILE}#token": ["s3cret"], f"{FILE}#hosts.0": ["h1"]},
        ),
    ],
)
def test_the_secrets_of_a_bundle_in_clear(value: str, expected: dict[str, list[str]]) -> None:
    result = run(f"{{config: {{value: {quote_yaml(value)}}}}}", secrets={0: SECRETS})
    assert collect_plaintexts(result.bundles[ID]) == {
        (name, text) for name, texts in expected.items() for text in texts
    }


def test_what_values_share_is_told_of_each_of_them() -> None:
    variables = (
        ", env_vars: {URL: 'u${{ secrets.pin }}', BOTH: '${{ env_vars.URL }}${{ env_vars.URL }}'}, secrets: [token]"
    )
    result = run(section("y${{ config.text }}", variables), secrets={0: SECRETS})
    names = {"token": {"s3cret"}, "env_vars": set(), "URL": {"u4711"}, "BOTH": {"u4711u4711"}}
    plaintexts = collect_plaintexts(result.bundles[ID])
    for name in ("token", "URL", "BOTH"):
        assert {plaintext.text for plaintext in plaintexts if plaintext.name == name} >= names[name]
    assert {("config.value", "yx-4711"), ("config.text", "x-4711"), (f"{FILE}#pin", "4711")} <= plaintexts
    assert not {plaintext for plaintext in plaintexts if "env_vars" in plaintext.name}


def test_no_text_of_a_secret_is_remembered() -> None:
    source = "x${{ env_vars.A }}"
    expression = ExpressionCompiler().compile(source)
    hidden = HiddenValue(UNKNOWN, secret=True, symbol=None)
    cache = ExpressionCache()
    for texts, result in (({"A": hidden}, "x"), ({"A": "a"}, hidden), ({}, "x")):
        cache.store_result(source, expression, texts, result)
        assert cache.get_result(source, {"A": hidden}) is cache.get_result(source, {}) is None
    cache.store_result(source, expression, {"A": "a"}, "xa")
    assert cache.get_result(source, {"A": "a"}) == "xa"
    # An expression that only embeds variables need not be computed.
    assert cache.get_result(source, {"A": "b"}) == "xb"
    cache.clear()
    assert cache.get_result(source, {"A": "a"}) is None


AGE = "age1" + "q" * 58


@pytest.mark.parametrize(
    ("kind", "key", "shown"),
    [
        ("age", AGE, AGE),
        ("age-ssh", "ssh-ed25519 AAAA+/=", "ssh-ed25519 AAAA+/="),
        ("pgp", "0123456789ABCDEF", "0123456789ABCDEF"),
        ("pgp", "https://h/x", "a key of type pgp"),
        ("age", "AGE-SECRET-KEY-1QQ", "a key of type age"),
        ("age", AGE + " x", "a key of type age"),
        ("age", "x " + AGE, "a key of type age"),
        ("kms", "arn:aws:kms:eu-west-1:1:key/a", "arn:aws:kms:eu-west-1:1:key/a"),
        ("kms", "ssh-ed25519 AAAA", "a key of type kms"),
        ("hc_vault", "https://h:8200/v1/t/keys/k", "https://h:8200/v1/t/keys/k"),
        ("hc_vault", "https://u:p@h/k", "a key of type hc_vault"),
    ],
)
def test_a_key_is_shown_if_it_has_the_form_of_a_public_one(kind: str, key: str, shown: str) -> None:
    assert printable_key(kind, key) == shown


@pytest.mark.parametrize(
    ("data", "length"), [("", None), ("YQ==", 1), ("YWI=", 2), ("YWJj", 3), ("YWJjZA==", 4), ("Y", None)]
)
def test_how_long_the_plaintext_of_a_ciphertext_is(data: str, length: int | None) -> None:
    ciphertext = parse_ciphertext(f"ENC[AES256_GCM,data:{data},iv:{'a' * 43}=,tag:{'b' * 22}==,type:str]")
    assert (ciphertext.length if ciphertext else None) == length
