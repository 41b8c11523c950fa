"""Secrecy: a value that reads a secret is secret (T66), stays so (T67), and can be computed later from its template."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from envtree.compile.filters import FILTERS, to_text
from envtree.compile.resolve.compute_expression import compute
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.model.expression import Term
from envtree.model.resolved import HiddenValue
from envtree.output.emit import bundle_json
from tests.support.rounds import rounds
from tests.support.trees import ID, CheckResult, check, layers, quote_yaml, run

SECRETS: dict[str, Any] = {
    "token": "s3cr}}t",
    "port": 5432,
    "flag": True,
    "rate": 1.5,
    "db": {"user": "ana", "pass.word": 'q"\\w\n/ü'},
    "hosts": ["a", "b"],
}
FILE = "organization.secrets.yaml"
CONFIG = "num: 5, none: null, dollar: '$', open: '$${{ x', text: 'a \"b\"', list: [1, two], map: {k: v}, sure: true"


def keyless(*sections: str) -> CheckResult:
    """Check a bundle without a key."""
    return check(layers(*sections, secrets={0: SECRETS}))


def keyed(*sections: str) -> CheckResult:
    """Check a bundle with the key."""
    return run(*sections, secrets={0: SECRETS})


# T66: an expression that mentions a secret is secret, in every form, whatever its result.
TAINTED = {
    "whole": "${{ secrets.token }}",
    "embedded": "u:${{ secrets.token }}@h",
    "subscript": "${{ secrets['db']['user'] }}",
    "quoted path": "${{ secrets.db['pass.word'] }}",
    "a map of secrets": "${{ secrets.db }}",
    "an element": "${{ secrets.hosts[1] }}",
    "length": "${{ secrets.token | length }}",
    "digest": "${{ secrets.token | sha256 }}",
    "comparison": "${{ secrets.port > 1024 }}",
    "test": "${{ secrets.token is string }}",
    "is defined": "${{ secrets.token is defined }}",
    "condition": "${{ 'on' if secrets.flag else 'off' }}",
    "the branch not taken": "${{ 'a' if true else secrets.token }}",
    "the short circuit": "${{ true or secrets.flag }}",
    "a default not needed": "${{ 'a' | default(secrets.token) }}",
    "an argument": "${{ 'a-b' | replace('-', secrets.token) }}",
    "inside a list": "${{ [1, secrets.token] }}",
    "inside a map": "${{ {'a': secrets.token} }}",
    "its first element": "${{ [1, secrets.token] | first }}",
    "negated": "${{ not secrets.flag }}",
    "a variable that is injected": "${{ env_vars.INJECTED }}",
    "a variable that reads one": "${{ env_vars.READS }}",
    "a value that holds one": "${{ config.holds }}",
    "a part of a computed map": "${{ config.copy.user }}",
    "all variables": "${{ env_vars | length }}",
}
BESIDE = "secrets: {INJECTED: token}, env_vars: {READS: 'x${{ secrets.port }}', PLAIN: p}"


def holding(value: str) -> str:
    return (
        f"{{{BESIDE}, config: {{{CONFIG}, holds: {{a: ['${{{{ secrets.flag }}}}'], b: plain}}, "
        f"copy: '${{{{ secrets.db }}}}', x: {quote_yaml(value)}}}}}"
    )


@pytest.mark.parametrize("value", TAINTED.values(), ids=TAINTED.keys())
def test_t66_what_reads_a_secret_is_secret_and_unknown_without_its_key(value: str) -> None:
    for result, is_known in ((keyed(holding(value)), True), (keyless(holding(value)), False)):
        assert result.codes == []
        hidden = result.bundles[ID].data["config"]["x"]
        assert isinstance(hidden, HiddenValue)
        assert (hidden.secret, hidden.is_known) == (True, is_known)
        assert "config.x" in result.bundles[ID].sensitive
        assert bundle_json(result.bundles[ID], None)["config"]["x"] is None


@pytest.mark.parametrize(
    "value",
    ["${{ env_vars.PLAIN }}", "${{ config.holds.b }}", "secrets.token", "$${{ secrets.token }}", "{{ secrets.token }}"],
)
def test_what_reads_no_secret_is_none(value: str) -> None:
    bundle = keyless(holding(value)).bundles[ID]
    assert isinstance(bundle.data["config"]["x"], str)
    assert bundle.sensitive == {"INJECTED", "READS", "config.holds.a.0", "config.copy"}


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_t66_every_filter_keeps_what_it_is_given_secret(name: str) -> None:
    arguments = {"replace": "('a', 'b')", "split": "(',')"}.get(name, "")
    hidden = keyless(f"{{config: {{x: '${{{{ secrets.token | {name}{arguments.replace(chr(39), chr(34))} }}}}'}}}}")
    assert repr(hidden.bundles[ID].data["config"]["x"]) == "[secret]"


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "and", "or"])
def test_t66_every_operator_too(operator: str) -> None:
    for expression in (f"secrets.port {operator} config.num", f"config.num {operator} secrets.port"):
        hidden = keyless(f"{{config: {{num: 5, x: '${{{{ {expression} }}}}'}}}}")
        assert (hidden.codes, repr(hidden.bundles[ID].data["config"]["x"])) == ([], "[secret]")


def test_an_unknown_input_is_unknown_but_no_secret() -> None:
    files = layers(
        "{config: {x: '${{ inputs.SHA }}-1', y: '${{ config.x | upper }}'}}", organization="inputs: {SHA: {}}"
    )
    result = check(files)
    x = result.bundles[ID].data["config"]["x"]
    assert (x.is_known, x.secret, result.data()["sensitive"] if x.is_known else result.bundles[ID].sensitive) == (
        False,
        False,
        frozenset(),
    )


# T67: layers, lowest first, and the codes.
PW = "'${{ secrets.token }}'"
STICKY: dict[str, tuple[list[str], list[str]]] = {
    "plain over injected": (["{secrets: {A: token}}", "{env_vars: {A: x}}"], ["ET406"]),
    "two layers later": (["{secrets: {A: token}}", "", "{env_vars: {A: x}}"], ["ET406"]),
    "the first of two is at fault": (["{secrets: {A: token}}", "{env_vars: {A: x}}", "{env_vars: {A: z}}"], ["ET406"]),
    "$value is plain": (["{secrets: {A: token}}", "{env_vars: {A: {$value: x}}}"], ["ET406"]),
    "$replace": (["{secrets: {A: token}}", "{env_vars: {A: {$replace: x}}}"], []),
    "plain after $replace": (["{secrets: {A: token}}", "{env_vars: {A: {$replace: x}}}", "{env_vars: {A: z}}"], []),
    "plain after $replace by an expression": (
        [
            f"{{env_vars: {{A: {PW}}}}}",
            "{env_vars: {A: x}}",
            "{env_vars: {A: {$replace: '${{ 1 }}'}}}",
            "{env_vars: {A: z}}",
        ],
        [],
    ),
    "$replace around it": (["{secrets: {A: token}}", "{env_vars: {$replace: {A: x}}}"], []),
    "removed first": (["{secrets: {A: token}}", "{secrets: {$remove: [A]}}", "{env_vars: {A: x}}"], []),
    "plain below injected": (["{env_vars: {A: x}}", "{secrets: {A: token}}"], []),
    "plain beside injected": (["{env_vars: {A: x}, secrets: {A: token}}"], []),
    "another secret over injected": (["{secrets: {A: token}}", f"{{env_vars: {{A: {PW}}}}}"], []),
    "by way of another": (["{secrets: {A: token, B: port}}", "{env_vars: {A: 'x${{ env_vars.B }}'}}"], []),
    "by way of a secret and a plain one": (
        ["{secrets: {A: token, B: port}}", "{env_vars: {A: '${{ env_vars.B }}${{ env_vars.C }}', C: x}}"],
        [],
    ),
    "by way of a plain one": (["{secrets: {A: token}}", "{env_vars: {A: '${{ env_vars.B }}', B: x}}"], ["ET406"]),
    "plain over computed": ([f"{{env_vars: {{A: {PW}}}}}", "{env_vars: {A: x}}"], ["ET406"]),
    "computed over computed": ([f"{{env_vars: {{A: {PW}}}}}", "{env_vars: {A: '${{ secrets.port }}'}}"], []),
    "computed of nothing over it": ([f"{{env_vars: {{A: {PW}}}}}", "{env_vars: {A: '${{ 1 + 1 }}'}}"], ["ET406"]),
    "computed of what has no value over it": (
        [f"{{env_vars: {{A: {PW}}}}}", "{env_vars: {A: '${{ env_vars.B ~ env_vars.C }}', B: '${{ 1 / 0 }}', C: x}}"],
        ["ET505"],
    ),
    "plain over what was computed twice": (
        ["{env_vars: {A: '${{ config.b }}'}, config: {b: '${{ secrets.port }}'}}", "{env_vars: {A: x}}"],
        ["ET406"],
    ),
    "plain over plain computed": (["{env_vars: {A: '${{ 1 + 1 }}'}}", "{env_vars: {A: x}}"], []),
    "in config": ([f"{{config: {{a: {{b: {PW}}}}}}}", "{config: {a: {b: x}}}"], ["ET406"]),
    "a map over it": ([f"{{config: {{a: {PW}}}}}", "{config: {a: {b: x}}}"], ["ET406"]),
    "null over it": ([f"{{config: {{a: {PW}}}}}", "{config: {a: null}}"], ["ET406"]),
    "a list over a list with one": ([f"{{config: {{a: [{PW}]}}}}", "{config: {a: [x]}}"], ["ET406"]),
    "the first of two lists is at fault": (
        [f"{{config: {{a: [{PW}]}}}}", "{config: {a: [x]}}", "{config: {a: [z]}}"],
        ["ET406"],
    ),
    "the first of two maps is at fault": (
        [f"{{config: {{a: {PW}}}}}", "{config: {a: {b: x}}}", "{config: {a: {c: z}}}"],
        ["ET406"],
    ),
    "a list that has one as well": ([f"{{config: {{a: [{PW}]}}}}", f"{{config: {{a: [x, {PW}]}}}}"], []),
    "appended to": ([f"{{config: {{a: [{PW}]}}}}", "{config: {a: {$append: [x]}}}"], []),
    "deleted": ([f"{{config: {{a: {PW}}}}}", "{config: {a: {$delete: true}}}"], []),
    "a neighbour": ([f"{{config: {{a: {PW}, b: 1}}}}", "{config: {b: 2}}"], []),
    "in endpoints": (
        ["{endpoints: {a: 'https://${{ secrets.token | sha256 }}.x'}}", "{endpoints: {a: 'https://y.x'}}"],
        ["ET406"],
    ),
    "in flags": (["{feature_flags: {a: '${{ secrets.flag }}'}}", "{feature_flags: {a: true}}"], ["ET406"]),
    "the working directory": ([f"{{working_dir: {PW}}}", "{working_dir: /srv}"], ["ET406"]),
}


@pytest.mark.parametrize(("sections", "codes"), STICKY.values(), ids=STICKY.keys())
def test_t67_a_secret_is_not_made_plain_by_accident(sections: list[str], codes: list[str]) -> None:
    assert keyless(*sections).codes == codes
    assert keyed(*sections).codes == codes


def test_t67_both_places_are_told() -> None:
    finding = keyless("{secrets: {A: token}}", "{env_vars: {A: x}}").only_finding()
    assert (finding.span.path, [related.span.path for related in finding.related]) == (
        "projects/p/project.yaml",
        ["organization.yaml"],
    )


def test_t67_what_stands_beside_the_secret_is_not_at_fault() -> None:
    finding = keyless("{secrets: {A: token}, env_vars: {A: old}}", "{env_vars: {A: x}}").only_finding()
    assert (finding.code, finding.span.path) == ("ET406", "projects/p/project.yaml")


# Least privilege: a bundle contains no secret that it does not ask for.


def test_a_bundle_holds_only_what_it_asks_for() -> None:
    bundle = keyed("{secrets: {T: token}, config: {user: '${{ secrets.db.user }}'}}").data()
    assert bundle["env_vars"] == {"T": SECRETS["token"]}
    assert bundle["secrets"] == {"T": {"source": FILE, "path": "token"}}
    assert bundle["sensitive"] == ["T", "config.user"]
    assert not any(str(unused) in str(bundle) for unused in (5432, SECRETS["db"]["pass.word"]))


def test_the_nearest_file_supplies_a_secret_and_the_others_stay() -> None:
    plain = {0: {"db": {"user": "low", "password": "one"}}, 3: {"db": {"password": "two"}}}
    data = run("{secrets: {U: db.user, P: db.password}}", secrets=plain).data()
    assert data["env_vars"] == {"U": "low", "P": "two"}
    assert [data["secrets"][name]["source"] for name in "UP"] == [FILE, "projects/p/teams/t/agents/a.secrets.yaml"]


# References: with the real values in their place, `ref` gives the same as `plain`.


def replace_references(value: Any) -> Any:
    """Return a value of a `ref` bundle with its references replaced by their plaintexts."""
    if isinstance(value, list):
        return [replace_references(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$secret"}:
        return plaintext_at(value["$secret"])
    if value.keys() != {"$template"}:
        return {key: replace_references(item) for key, item in value.items()}
    expression = ExpressionCompiler().compile(value["$template"])
    assert all(reference.path[0] == "secrets" and len(reference.path) == 2 for reference in expression.references)
    # A term that reads no secret has been computed already.
    assert len(expression.pieces) == 1 or all(
        piece.references for piece in expression.pieces if isinstance(piece, Term)
    )
    return compute(
        expression, [plaintext_at(str(reference.path[1])) for reference in expression.references], propagate_null=False
    )


def plaintext_at(source: str) -> Any:
    file, _, path = source.partition("#")
    assert file == FILE
    flat = {
        "db.user": SECRETS["db"]["user"],
        'db."pass.word"': SECRETS["db"]["pass.word"],
        "hosts.0": "a",
        "hosts.1": "b",
    }
    return flat.get(path, SECRETS.get(path))


def assert_equivalent(plain: CheckResult, references: CheckResult) -> None:
    assert references.codes == []
    expected, actual = plain.data(), bundle_json(references.bundles[ID], "ref")
    for key in ("config", "endpoints", "mcp_servers", "sensitive", "secrets"):
        assert replace_references(actual[key]) == expected[key]
    assert {name: to_text(replace_references(value)) for name, value in actual["env_vars"].items()} == expected[
        "env_vars"
    ]
    assert not any(secret in str(actual | {"digest": ""}) for secret in ("s3cr}}t", "5432", 'q"\\w'))


SPELT = {
    **TAINTED,
    "a dollar before it": "${{ config.dollar }}${{ secrets.token }}",
    "a text that opens before it": "${{ config.open }} ${{ secrets.token }}",
    "two texts that make an opening": "${{ config.dollar }}{{ x }}${{ secrets.token }}",
    "an escape before it": "$${{ a ${{ b }}${{ secrets.token }}$",
    "a closed text before it": "${{ config.open }} }} ${{ secrets.token }}",
    "numbers beside it": "${{ config.num }}:${{ config.num + 1 }}:${{ secrets.port }}",
    "all types beside it": "${{ config.none }}${{ config.list }}${{ config.map }}${{ config.sure }}${{ secrets.port }}",
    "all types within": "${{ [secrets.token, config.none, config.list, config.map, config.text, 1.5, -2, true] }}",
    "a keyword argument": "${{ config.nope | default(other=secrets.token) }}",
    "a default that is not needed": "${{ config.nope | default(1, true) ~ secrets.token }}",
    "a missing name in a branch": "${{ secrets.token if config.nope is not defined else config.nope }}",
    "precedence": "${{ ((secrets.port + 1) * 2 - -config.num // 2) ~ (1 if not secrets.flag else 2) }}",
    "comparisons": "${{ 1 < secrets.port <= 9999 and secrets.port not in [1, 2] or not secrets.flag }}",
    "quotes and backslashes": "${{ secrets.db['pass.word'] | replace('\\\\', '\"\\'') ~ 'x\\n\\t' }}",
    "tests with arguments": "${{ secrets.port is gt(config.num) and 'a' is in(secrets.hosts) }}",
    "a template in a template": "<${{ env_vars.READS }}|${{ env_vars.INJECTED }}>",
    "a template within an expression": "${{ env_vars.READS | upper }}",
    "a computed map": "${{ config.copy['pass.word'] | urlencode }}",
    "braces": "${{ {'a': {'b': secrets.token}} }}{}}",
}


@pytest.mark.parametrize("value", SPELT.values(), ids=SPELT.keys())
def test_references_give_what_plain_gives(value: str) -> None:
    plain = keyed(holding(value))
    assert plain.codes == []
    assert_equivalent(plain, keyless(holding(value)))


@pytest.mark.parametrize("value", [value for value in SPELT.values() if "env_vars |" not in value])
def test_references_give_what_plain_gives_in_a_variable(value: str) -> None:
    section = holding("").replace("env_vars: {", f"env_vars: {{X: {quote_yaml(value)}, ")
    plain = keyed(section)
    if plain.codes:  # null is no text, with a key or without
        assert (plain.codes, keyless(section).codes) == (["ET506"], ["ET506"])
    else:
        assert_equivalent(plain, keyless(section))


LEAVES = st.sampled_from(
    [
        *("secrets.token", "secrets.port", "secrets.db['pass.word']", "secrets.flag", "secrets.rate", "env_vars.READS"),
        *(
            "config.num",
            "config.none",
            "config.dollar",
            "config.open",
            "config.text",
            "config.copy.user",
            "1",
            "2.5",
            "'a\"b'",
            "true",
        ),
        *("config.list", "config.map", "secrets.hosts", "config.nope | default('q')", "'$'", "'{{'", "config.holds"),
    ]
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Build expressions from smaller ones."""
    binary = st.tuples(inner, st.sampled_from(["+", "-", "*", "~", "==", "<", "and", "or", "in"]), inner)
    return st.one_of(
        binary.map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(inner, st.sampled_from(["upper", "string", "tojson", "urlencode", "default(1, true)", "length"])).map(
            lambda parts: f"({parts[0]} | {parts[1]})"
        ),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        st.tuples(inner, inner).map(lambda parts: f"[{parts[0]}, {{'k': {parts[1]}}}]"),
        inner.map(lambda part: f"(not {part})"),
    )


VALUES = st.lists(
    st.one_of(
        st.recursive(LEAVES, larger, max_leaves=6).map("${{{{ {} }}}}".format),
        st.sampled_from(["$", "{{", "}}", " x ", '"']),
    ),
    min_size=1,
    max_size=4,
).map("".join)


@settings(max_examples=rounds(gate=30, full=60))
@given(VALUES)
def test_t66_references_to_random_values(value: str) -> None:
    plain, references = keyed(holding(value)), keyless(holding(value))
    assume(not plain.codes)
    assert_equivalent(plain, references)
