"""Limits of expressions: characters that cannot be written, and values without bound (T32, T33)."""

import sys
from functools import partial
from typing import Any

import pytest

from envtree.compile.filters import MAX_VALUE_LENGTH
from envtree.compile.resolve.expression_grammar import FORBIDDEN_CHARACTERS
from envtree.frontend.parse.characters import forbidden_escape_message
from envtree.output.emit import bundle_json
from tests.support.effort import assert_linear, count_steps, peak_memory
from tests.support.trees import ID, CheckResult, check, layers, quote_yaml, run

SECRET = {"s": "abc", "nul": "a\0b", "numbers": {"a": 1}}


def check_expression(source: str, **more: Any) -> CheckResult:
    """Check a bundle in which `config.x` is an expression."""
    return run(
        f"{{config: {{words: [a, b], x: {quote_yaml(f'${{{{ {source} }}}}')}}}, env_vars: {{D: false}}}}", **more
    )


def section(values: dict[str, Any], name: str = "config") -> str:
    return f"{{{name}: {{{', '.join(f'{key}: {quote_yaml(value)}' for key, value in values.items())}}}}}"


def read(name: str) -> str:
    return f"${{{{ {name} }}}}"


# Characters.


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("'\\ud800'", "ET502"),
        ("'\\ud83d' ~ '\\ude00'", "ET502"),
        ("'\\x00'", "ET502"),
        ("'a\\u202eb'", "ET502"),
        ("'\\u200b' | length", "ET502"),
        ("{'\\ud800': 1}", "ET502"),
        ("config['\\ud800']", "ET502"),
        ("config.words | join('\\x00')", "ET502"),
        ("config.words | join(separator='\\x00')", "ET502"),
        ("'a' is eq('\\x00')", "ET502"),
        ("'AA==' | b64decode", "ET505"),
    ],
)
def test_a_character_that_hides_or_breaks_text_is_refused(source: str, code: str) -> None:
    finding = check_expression(source).only_finding()
    assert (finding.code, finding.span.path) == (code, "organization.yaml")
    assert "U+" in finding.message
    assert finding.message.isprintable()


def test_other_characters_may_be_escaped() -> None:
    assert check_expression("'\\x07\\u2028ä\\U0001f600'").data()["config"]["x"] == "\x07\u2028ä\U0001f600"


def test_expressions_refuse_what_files_refuse() -> None:
    for code in range(sys.maxunicode + 1):
        assert bool(FORBIDDEN_CHARACTERS.search(chr(code))) == bool(forbidden_escape_message(chr(code))), hex(code)


def test_a_secret_may_hold_what_a_file_may_not() -> None:
    result = run("{config: {x: 'a${{ secrets.nul }}', z: '${{ secrets.nul | upper }}'}}", secrets={0: SECRET})
    assert (result.codes, result.data()["config"]) == ([], {"x": "aa\0b", "z": "A\0B"})


def test_an_input_that_is_no_text_is_told_where_it_is_read() -> None:
    finding = check_expression("inputs.X", organization="inputs: {X: {}}", inputs={"X": "a\udcff"}).only_finding()
    assert (finding.code, finding.message) == ("ET505", "the value of input 'X' is not text in UTF-8")


# Sizes.


def doubled(last: Any, count: int) -> dict[str, Any]:
    """Make values each of which is a list that contains the previous one twice."""
    values = {f"k{n}": [read(f"config.k{n - 1}")] * 2 for n in range(1, count + 1)}
    return {"k0": last, **values}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("key", [SECRET, None], ids=["with a key", "without"])
@pytest.mark.parametrize("last", ["x", read("secrets.s"), read("secrets.numbers")])
def test_t32_lists_that_double_end_early(last: str, key: dict[str, Any] | None, backwards: bool) -> None:
    values = doubled(last, 39)
    written = section(dict(reversed(values.items())) if backwards else values)
    files, plain = layers(written, secrets={0: SECRET}), {"organization": key} if key else None
    assert set(check(files, plain).codes) == {"ET507"}
    # A list that doubles 39 times has 2**39 elements.
    assert count_steps(partial(check, files, plain)) < 100 * MAX_VALUE_LENGTH


@pytest.mark.parametrize(
    "form", ["{0} ~ {0}", "[{0}, {0}]", "{{'a': {0}, 'b': {0}}}", "({0} | string) + ({0} | string)"]
)
def test_t32_templates_that_double_end_early(form: str) -> None:
    values = {f"m{n}": read(form.format(f"config.m{n + 1}")) for n in range(60)}
    written = section({**values, "m60": read("secrets.s")})
    for key in (SECRET, None):
        result = check(layers(written, secrets={0: SECRET}), {"organization": key} if key else None)
        assert set(result.codes) == {"ET507"}


def test_t32_a_template_has_about_the_size_that_is_counted() -> None:
    values = {f"m{n}": read(f"config.m{n + 1} ~ 'some \\\"text' ~ config.m{n + 1}") for n in range(9)}
    result = check(layers(section({**values, "m9": read("secrets.s")}), secrets={0: SECRET}))
    value = result.bundles[ID].data["config"]["m0"]
    template = bundle_json(result.bundles[ID], "ref")["config"]["m0"]["$template"]
    assert len(template) / 2 < value.symbol.weight.size < len(template) * 2


@pytest.mark.parametrize(
    ("source", "fits"),
    [
        ("config.big", False),
        ("config.big | length", True),
        ("config.big | string", False),
        ("config.big | tojson | length", False),
        ("config.big | sha256", False),
        ("[config.big, config.big] | length", True),
        ("config.big[0]", True),
        ("'a' in config.big", True),
        ("config.big ~ 'a'", False),
        ("<config.big>", False),
        ("secrets.s in config.big", False),
        ("secrets.s ~ (config.big | length)", False),
    ],
)
def test_a_computed_value_is_bounded_and_what_it_reads_is_not(source: str, fits: bool) -> None:
    text = f"<{read(source.strip('<>'))}>" if source.startswith("<") else read(source)
    result = run(section({"big": ["abcdefg"] * 10000, "x": text}), secrets={0: SECRET})
    assert result.codes == ([] if fits else ["ET507"])


def test_t32_shared_parts_are_not_counted_to_the_end() -> None:
    text = "x" * (MAX_VALUE_LENGTH // 2)

    def run_with(count: int) -> None:
        values = {"k": text, "l": [read("config.k")] * count, "x": read("config.l | tojson"), "z": read("config.l")}
        assert run(section(values)).codes == ["ET507", "ET507"]

    assert_linear(lambda count: partial(run_with, count), 100)
    # The list as text would have 300 MB.
    assert peak_memory(partial(run_with, 9000)) < 30 * 2**20


def test_a_computed_value_has_as_many_levels_as_a_file() -> None:
    for levels, codes in ((64, []), (65, ["ET507"])):
        inner = f"{'[' * (levels - 32)}1{']' * (levels - 32)}"
        nested = f"{'[' * 32}'${{{{ config.m }}}}'{']' * 32}"
        result = run(f"{{config: {{m: {inner}, o: {nested}, x: '${{{{ config.o }}}}'}}}}")
        assert result.codes == codes


# Chains.


def chain(count: int, form: str, last: str, *, backwards: bool) -> str:
    values = {f"v{n:05}": read(form.format(f"config.v{n + 1:05}")) for n in range(count)}
    values[f"v{count:05}"] = last
    return section(dict(reversed(values.items())) if backwards else values)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("form", "expected"), [("{}", "x"), ("{} | lower", "x"), ("[{}] | first", "x")])
def test_a_chain_of_any_length_is_computed_in_either_order(form: str, expected: str, backwards: bool) -> None:
    result = run(chain(1200, form, "x", backwards=backwards))
    assert (result.codes, set(result.data()["config"].values())) == ([], {expected})


@pytest.mark.parametrize("backwards", [False, True])
def test_a_chain_of_variables_too(backwards: bool) -> None:
    values = {f"V{n:04}": read(f"env_vars.V{n + 1:04}") for n in range(1000)} | {"V1000": "x"}
    result = run(section(dict(reversed(values.items())) if backwards else values, "env_vars"))
    assert (result.codes, set(result.data()["env_vars"].values())) == ([], {"x"})


@pytest.mark.parametrize("form", ["{}", "{} | lower"])
def test_a_chain_over_a_secret_is_judged_alike_in_either_order(form: str) -> None:
    findings = []
    for backwards in (False, True):
        files = layers(chain(150, form, read("secrets.s"), backwards=backwards), secrets={0: SECRET})
        result = check(files)
        findings.append([(finding.diagnostic.code, finding.diagnostic.key) for finding in result.outcome.findings])
        if not result.codes:
            bundle_json(result.bundles[ID], "ref")
    assert findings[0] == findings[1]
    assert [code for code, _ in findings[0]] == ([] if form == "{}" else ["ET507"])


@pytest.mark.full
def test_the_deepest_template_can_be_spelt_out() -> None:
    for form in ("{} | lower", "[{}]", "{{'a': {}}}", "{} ~ '$'", "{} if true else 1", "({} | string)[0] | default(1)"):
        for count in range(60, 90):
            result = check(layers(chain(count, form, read("secrets.s"), backwards=True), secrets={0: SECRET}))
            if result.codes:
                break
            assert "$template" in bundle_json(result.bundles[ID], "ref")["config"]["v00000"]
        assert set(result.codes) == {"ET507"}


@pytest.mark.parametrize("backwards", [False, True])
def test_a_long_circle_is_told_once_and_cut(backwards: bool) -> None:
    finding = run(chain(500, "{}", read("config.v00000"), backwards=backwards)).only_finding()
    names = finding.message.rpartition(": ")[2].split(" → ")
    assert (finding.code, len(names), names[0], names[-3]) == ("ET504", 13, names[-1], "…")


def test_a_value_that_reads_many_chains() -> None:
    values = {f"c{m}_{n:03}": read(f"config.c{m}_{n + 1:03}") for m in range(9) for n in range(60)}
    ends = {f"c{m}_060": m for m in range(9)}
    result = run(section({"a": read(" + ".join(f"config.c{m}_000" for m in range(9))), **values, **ends}))
    assert (result.codes, result.data()["config"]["a"]) == ([], 36)


def test_maps_within_maps_are_computed_in_either_order() -> None:
    for backwards in (False, True):
        maps = [f"m{n}: {'{a: ' * 40}'${{{{ config.m{n + 1}{'.a' * 40} }}}}'{'}' * 40}" for n in range(60)]
        written = ", ".join(reversed(maps) if backwards else maps)
        assert run(f"{{config: {{{written}, m60: {'{a: ' * 40}1{'}' * 40}}}}}").codes == []


# Words.


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("1 / 0", "ET505", "it divides by zero"),
        ("1 % 0", "ET505", "it divides by zero"),
        ("config.words[-1]", "ET502", "never negative"),
        ("''.__class__", "ET502", "begins with '_'"),
        ("'a' if false", "ET505", "no 'else'"),
        ("('a' if false) ~ 'b'", "ET505", "no 'else'"),
        ("null", "ET503", "write none"),
        ("'1_000' | int", "ET505", "this text is not a whole number"),
        ("'٣' | int", "ET505", "this text is not a whole number"),
        ("'007' | int", "ET505", "this text is not a whole number"),
        ("' 1' | int", "ET505", "this text is not a whole number"),
        ("'1_0' | float", "ET505", "this text is not a number"),
    ],
)
def test_an_error_says_what_is_wrong(source: str, code: str, words: str) -> None:
    finding = check_expression(source).only_finding()
    assert finding.code == code
    assert words in f"{finding.message} {finding.hint}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[1, 1.0] | unique", [1]),
        ("[{'a': [1]}, {'a': [1.0]}, {'a': [true]}] | unique", [{"a": [1]}, {"a": [True]}]),
        ("['1', 1, true, none] | unique", ["1", 1, True, None]),
        ("'-12' | int", -12),
        ("'1.5e3' | int", None),
        ("'1.5e3' | float", 1500.0),
    ],
)
def test_numbers_are_those_of_json(source: str, expected: Any) -> None:
    result = check_expression(source)
    assert (result.codes or result.data()["config"]["x"]) == (["ET505"] if expected is None else expected)


@pytest.mark.parametrize(
    ("source", "warned"),
    [
        ("1 if env_vars.D and config.words else 2", True),
        ("1 if config.words and env_vars.D else 2", True),
        ("1 if config.words and (env_vars.D or true) else 2", True),
        ("1 if not (config.words and env_vars.D) else 2", True),
        ("env_vars.D or 'x'", True),
        ("'x' and env_vars.D", False),
        ("1 if env_vars.D == 'true' and config.words else 2", False),
        ("1 if (env_vars.D | length) and config.words else 2", False),
    ],
)
def test_every_condition_on_a_literal_boolean_is_told(source: str, warned: bool) -> None:
    assert check_expression(source).codes == (["ET550"] if warned else [])
