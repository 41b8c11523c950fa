"""Expressions: what they may contain and compute, and the threats T31 to T37 of a template language."""

from typing import Any

import pytest
from jinja2 import nodes

from envtree.compile.comparison import TESTS
from envtree.compile.filters import FILTERS, MAX_VALUE_LENGTH
from envtree.compile.resolve import expression_grammar
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.compile.resolve.expression_grammar import ExpressionError
from envtree.model.diagnostic import MachineError
from tests.support.effort import count_steps, peak_memory
from tests.support.trees import CheckResult, check, layers, quote_yaml, run

CONFIG = (
    "limits: {cpu: 2, half: 0.5}, words: [b, a, b], ids: [3, 1, 3], empty: [], note: null, 'on': true, text: ' Ab cd '"
)
INPUTS = "inputs: {SHA: {default: dev}}"


def evaluate(source: str) -> Any:
    """Return the value of an expression, or the codes of its findings."""
    result = run(
        f"{{config: {{{CONFIG}, x: {quote_yaml(f'${{{{ {source} }}}}')}}}, env_vars: {{HOST: h}}}}", organization=INPUTS
    )
    return result.codes or result.data()["config"]["x"]


# Edge cases of the filters that schema/README.md does not show.
RESULTS = {
    "-2 | abs": 2,
    "config.note | default(1)": None,
    "config.note | default(1, true)": 1,
    "'' | d('x', true)": "x",
    "config.nope | d": "",
    "config.nope.deep.er | default(other='x')": "x",
    "config.limits.cpu.nope | default('x')": "x",
    "config.words[7] | default('x')": "x",
    "[config.note] | first": None,
    "config.ids | last": 3,
    "config.ids | unique": [3, 1],
    "[1, true, '1', 1] | unique": [1, True, "1"],
    "config.words | sort": ["a", "b", "b"],
    "config.ids | sort": [1, 3, 3],
    "config.ids | sum": 7,
    "config.empty | sum": 0,
    "config.empty | join('-')": "",
    "[1, none, true, 'a', [2]] | join(' ')": "1 null true a [2]",
    "config.words | join(separator='-')": "b-a-b",
    "config.limits | length": 2,
    "config.text | trim | upper": "AB CD",
    "config.text | title": " Ab Cd ",
    "'a.b.c' | split('.') | reverse | join('.')": "c.b.a",
    "'abc' | reverse": "cba",
    "'a' | replace('', '-')": "-a-",
    "'-1.9' | float | int": -1,
    "true | int": 1,
    "2.5 | round": 2.0,
    "2.456 | round(2)": 2.46,
    "1234 | round(-2)": 1200,
    "none | string": "null",
    "config.limits | string": '{"cpu":2,"half":0.5}',
    "config.limits | tojson": '{"cpu":2,"half":0.5}',
    "'ä' | b64encode | b64decode": "ä",
    "5432 | urlencode": "5432",
    "'a b+c~ä' | urlencode": "a%20b%2Bc~%C3%A4",
    "5 | sha256 | length": 64,
    "'x' ~ none ~ true ~ 1.0 ~ [1]": "xnulltrue1.0[1]",
    "1 if config.empty else 2": 2,
    "1 < 2 < 3": True,
    "'b' in config.words and 'z' not in config.words": True,
    "{'a': [1, {'b': none}]}.a[1]": {"b": None},
    "config['limits']['cpu']": 2,
    "inputs.SHA": "dev",
    "team.name ~ agent.name ~ project.name": "tap",
    "organization.edition": 2026,
    "'}}' ~ '{{' ~ '${{'": "}}{{${{",
    "config.on is true": True,
    "config.on is boolean and config.note is none": True,
    "config.limits.half is float and config.limits.cpu is integer and config.limits.cpu is number": True,
    "env_vars.HOST | default(env_vars.NOPE)": "h",
    "config.nope | default(other=config.nope2 | default(3))": 3,
    "true == 1": False,
    "1 == true or false == 0 or 0 in [false] or true in [1] or 1 in [true]": False,
    "true != 1 and 1 is ne(true)": True,
    "1 == 1.0 and [1, {'a': [2.0]}] == [1.0, {'a': [2]}] and 1 in [1.0]": True,
    "[true] == [1] or {'a': 1} == {'a': true} or {'a': 1} == {'b': 1}": False,
    "true is eq(1) or true is in([1]) or true is number or true is integer or 1 is true": False,
    "'a' is sequence or {'a': 1} is sequence or 'a' == ['a']": False,
    "[1] is sequence and {'a': 1} is mapping": True,
    "1 < 2 > 1.5 == 1.5": True,
    "'a' < 'b' and 'b' in 'abc' and 'a' in {'a': 1} and none == none": True,
    "[1, 1.0, true] | unique": [1, True],
    "config.nope is undefined and config.nope is not defined": True,
    "'b' is in(config.words) and 1 is lt(2) and 2 is ge(2) and 1 is ne(2)": True,
}


@pytest.mark.parametrize(("source", "expected"), RESULTS.items())
def test_what_an_expression_gives(source: str, expected: Any) -> None:
    value = evaluate(source)
    assert (value, type(value)) == (expected, type(expected))


ACCEPTS = {
    "text": "'a'",
    "number": "1.5",
    "list": "['a', 'b']",
    "map": "{'a': 1}",
    "null": "none",
    "boolean": "true",
}
TEXT = frozenset({"text"})
EVERYTHING = frozenset(ACCEPTS)
FITTING = {
    **dict.fromkeys(["capitalize", "lower", "replace('a', 'b')", "split(',')", "title", "trim", "upper"], TEXT),
    **dict.fromkeys(["first", "join", "last", "max", "min", "sort", "unique"], frozenset({"list"})),
    **dict.fromkeys(["b64encode", "default", "sha256", "string", "tojson", "urlencode"], EVERYTHING),
    **dict.fromkeys(["abs", "round"], frozenset({"number"})),
    **dict.fromkeys(["float", "int"], frozenset({"number", "boolean"})),
    "length": {"text", "list", "map"},
    "reverse": {"text", "list"},
    "b64decode": set(),
    "sum": set(),
}


@pytest.mark.parametrize("use", FITTING)
def test_what_a_filter_takes(use: str) -> None:
    for kind, source in ACCEPTS.items():
        value = evaluate(f"{source} | {use}")
        assert (value == ["ET505"]) == (kind not in FITTING[use]), kind


def test_every_filter_has_been_tried() -> None:
    assert {use.partition("(")[0] for use in FITTING} | {"d"} == set(FILTERS)


WRONG = {
    "ET501": ["", "1 2", "a b", "1 if", "'a", "1e999", "-1e999"],
    "ET502": [
        *("2 ** 3", "(1, 2)", "config.words[0:1]", "config.words[-1]", "config.words[config.limits.cpu]"),
        *("config.words[true]", "config.words[1.0]", "config.words[none]"),
        *("config.words | map('upper')", "1 is odd", "secrets", "secrets | length"),
    ],
    "ET503": [
        *("config.nope", "config.nope | upper | default('x')", "config.nope == none", "nope"),
        *("project.nope", "organization.merge", "inputs.NOPE", "mcp_servers"),
    ],
    "ET505": [
        *("-true", "+true", "true * 2", "true < 2", "2 >= true", "true is lt(2)", "[1] < [2]", "none < 1", "1 in 'a1'"),
        *(
            "'a' in 1",
            "1 | round(true)",
            "config.note + 1",
            "true + 1",
            "'a' * 2",
            "1 / 0",
            "1 < 'a'",
            "[1] + 'a'",
            "{1: 2}",
        ),
        *("9007199254740992 + 1", "config.empty | first", "[1, 'a'] | max", "'nan' | float"),
        *("'a,b' | split('')", "1 | round('a')", "'a' | replace('b')"),
    ],
    "ET601": ["secrets.nope"],
}


@pytest.mark.parametrize(("code", "source"), [(code, source) for code, sources in WRONG.items() for source in sources])
def test_what_is_no_expression(code: str, source: str) -> None:
    assert evaluate(source) == [code]


def test_only_listed_nodes_are_admitted() -> None:
    """Only these kinds of Jinja2 expressions are accepted, whatever a new version adds."""
    rewritten = {nodes.Name, nodes.Filter, nodes.Test, nodes.Getitem, nodes.Getattr, nodes.Concat}
    bases = {nodes.Literal, nodes.BinExpr, nodes.UnaryExpr, nodes.Expr}
    accepted = set(expression_grammar._ALLOWED_NODES) | rewritten | bases
    refused = {
        kind for kind in vars(nodes).values() if isinstance(kind, type) and issubclass(kind, nodes.Expr)
    } - accepted
    assert {kind.__name__ for kind in refused} >= {"Call", "Slice", "Pow", "Tuple", "TemplateData", "NSRef"}
    assert not any(issubclass(kind, expression_grammar._ALLOWED_NODES) for kind in refused)


# Threats.

WALKS = [
    *("''.__class__", "''['__class__']", "config.__class__.__mro__", "config['__init__']", "[].__class__.__base__"),
    *("''.__class__.__mro__[1].__subclasses__()", "().__class__", "{}.__class__", "1.__class__", "config._x"),
    *("config | attr('__class__')", "'{0.__class__}'.format(1)", "'%s' | format(1)", "'a' | xmlattr", "[1] | list"),
    *(
        "cycler.__init__.__globals__",
        "joiner()",
        "namespace()",
        "lipsum.__globals__",
        "dict()",
        "range(9)",
        "self",
        "caller",
    ),
    *(
        "self._TemplateReference__context",
        "config.items()",
        "config.limits.keys()",
        "'a'.upper()",
        "config.x()",
        "loop.index",
    ),
    *(
        "[x for x in config]",
        "lambda: 1",
        "config | map(attribute='__class__')",
        "config | selectattr('a')",
        "_0",
        "_1.a",
    ),
    *("environment.__class__", "context", "request", "g", "url_for", "get_flashed_messages", "config | groupby('a')"),
    *(
        "''|attr('\\x5f\\x5fclass\\x5f\\x5f')",
        "config['\\x5f\\x5fclass\\x5f\\x5f']",
        "config | pprint",
        "debug()",
        "super()",
    ),
]


@pytest.mark.parametrize("source", WALKS)
def test_t31_no_way_out_of_the_sandbox(source: str) -> None:
    (code,) = evaluate(source)
    assert code in {"ET501", "ET502", "ET503"}


@pytest.mark.parametrize("text", ["{% for a in b %}", "{# a #}", "{%- set a = 1 %}", "# for a in b", "{{ 7*7 }}"])
def test_t31_no_statement_is_known(text: str) -> None:
    assert run(f"{{config: {{x: {quote_yaml(text)}}}}}").data()["config"]["x"] == text
    with pytest.raises(ExpressionError):
        ExpressionCompiler().compile(f"${{{{ {text} }}}}")


BOMBS = [
    *("'a' * 1000000000", "[1] * 1000000000", "'a' | center(1000000000)", "'%1000000000d' % 1"),
    *("'{:>1000000000}'.format(1)", "10 ** 10 ** 9", "'\"'" + " | tojson" * 80, "'aaaa'" + " | b64encode" * 80),
    *(
        "['\"']" + " | tojson" * 80,
        "5 | round(-1000000000)",
        "5.5 | round(-1000000000)",
        "'a'" + " | replace('a', 'aaaaaaaa')" * 9,
    ),
    *("'%'" + " | urlencode" * 99, "['a'" + ", 'a'" * 500 + "]" + " | join('" + "x" * 900 + "')"),
]


@pytest.mark.parametrize("source", BOMBS)
def test_t32_t33_nothing_takes_much_effort_or_memory(source: str) -> None:
    value = evaluate(source)
    assert isinstance(value, str) or value[0] in {"ET502", "ET505", "ET507"}
    assert count_steps(lambda: evaluate(source)) < 100_000
    assert peak_memory(lambda: evaluate(source)) < 4 * 2**20


def test_t32_values_that_double_end_early() -> None:
    doubling = ", ".join(f"v{n}: '${{{{ config.v{n + 1} ~ config.v{n + 1} }}}}'" for n in range(40))
    assert set(run(f"{{config: {{{doubling}, v40: aa}}}}").codes) == {"ET507"}
    assert evaluate(f"'{'a' * 3000}'" + " | replace('a', 'aaaaaaaaaaaaaaaaaaaaaa')") == ["ET507"]
    assert MAX_VALUE_LENGTH == 65536


DEEP = [
    *(
        "1" + " + 1" * 900,
        "not " * 900 + "true",
        "-" * 3000 + "1",
        "(" * 2000 + "1" + ")" * 2000,
        "[" * 1500 + "]" * 1500,
    ),
    *("1" + " | d" * 900, "'a'" + ".a" * 1500, "1" + " and 1" * 600, "1 if " * 700 + "1", "1" + " + 1" * 300),
    *("'a'" + " | string" * 250, "config.limits" + "['a']" * 700 + " + 1"),
]


@pytest.mark.parametrize("source", DEEP, ids=lambda source: source[:12])
def test_t33_deep_nesting_is_a_finding(source: str) -> None:
    assert evaluate(source)[0] in {"ET502", "ET503"}


def test_t33_deep_values_are_a_finding() -> None:
    maps = [f"m{n}: {'{a: ' * 50}'${{{{ config.m{n + 1} }}}}'{'}' * 50}" for n in range(60)]
    assert set(run(f"{{config: {{{', '.join(maps)}, m60: 1}}}}").codes) == {"ET507"}
    assert evaluate(" " * 5000 + "1 + 1") == ["ET507"]


@pytest.mark.parametrize("name", ["random", "shuffle", "now", "lipsum", "uuid", "hash", "env", "getenv", "lookup"])
def test_t34_nothing_depends_on_chance_or_time(name: str) -> None:
    assert evaluate(f"{name}()") == ["ET502"]
    assert evaluate(f"config.words | {name}") == ["ET502"]
    assert name not in TESTS


@pytest.mark.parametrize(
    "source", ["include 'a'", "import 'a' as b", "'a' | include", "load('a')", "open('/etc/hostname')"]
)
def test_t35_no_file_is_read(source: str) -> None:
    assert evaluate(source)[0] in {"ET501", "ET502"}


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("env_vars.HOTS", "did you mean 'env_vars.HOST'?"),
        ("config.limits.cpus", "did you mean 'config.limits.cpu'?"),
        ("confg.limits", "did you mean 'config'?"),
        ("project.kye", "did you mean 'project.key'?"),
        ("inputs.SAH", "did you mean 'inputs.SHA'?"),
        ("'a' | uper", "did you mean 'upper'?"),
        ("1 is numbr", "did you mean 'number'?"),
        ("env_vars.HOTS or 'x'", "did you mean 'env_vars.HOST'?"),
        ("(env_vars.HOTS ~ 'x') | default('y')", "did you mean 'env_vars.HOST'?"),
    ],
)
def test_t36_a_typing_error_is_told_with_the_nearest_name(source: str, hint: str) -> None:
    section = f"{{config: {{{CONFIG}, x: {quote_yaml(f'${{{{ {source} }}}}')}}}, env_vars: {{HOST: h}}}}"
    finding = run(section, organization=INPUTS).only_finding()
    assert (finding.code, finding.hint) in {("ET502", hint), ("ET503", hint)}


HOSTILE = ["{{ 7*7 }}", "${{ env_vars.HOST }}", "$${{ x }}", "${other}", "$(id)", "`id`", "{% if %}", "}} ${{"]


@pytest.mark.parametrize("value", HOSTILE)
def test_t37_a_secret_is_never_read_as_a_template(value: str) -> None:
    config = "{whole: '${{ secrets.s }}', part: '<${{ secrets.s }}>', again: '${{ config.part }}'}"
    data = run(f"{{secrets: {{S: s}}, config: {config}}}", secrets={0: {"s": value}}).data()
    assert data["env_vars"] == {"S": value}
    assert data["config"] == {"whole": value, "part": f"<{value}>", "again": f"<{value}>"}


@pytest.mark.parametrize("value", HOSTILE)
def test_t37_nor_is_an_input(value: str) -> None:
    section = "{env_vars: {A: '${{ inputs.SHA }}', B: '${{ env_vars.A }}'}}"
    assert run(section, organization=INPUTS, inputs={"SHA": value}).data()["env_vars"] == {"A": value, "B": value}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("$${{ a }}", "${{ a }}"),
        ("$${{ a", "${{ a"),
        ("$$${{ a }}", "$${{ a }}"),
        ("$${{ '}}' }}", "${{ '}}' }}"),
        ("$${{ a }}${{ 1 }}$${{ b }}", "${{ a }}1${{ b }}"),
        ("${{ 1 }}$${{ ${{ 2 }}", "1${{ ${{ 2 }}"),
        ("$HOME $$ ${HOME} $", "$HOME $$ ${HOME} $"),
        ("{{ a }} }} {{", "{{ a }} }} {{"),
        ("${{ '}}' }}${{ {'a': {}} }}", '}}{"a":{}}'),
        ("$ {{ a }}", "$ {{ a }}"),
    ],
)
def test_dollars_and_braces(written: str, text: str) -> None:
    assert (
        run(f"{{config: {{x: {quote_yaml(written)}}}, env_vars: {{X: {quote_yaml(written)}}}}}").data()["env_vars"]["X"]
        == text
    )


VARIABLES = {
    "1e3": "1e3",
    "-0": "-0",
    "1.0": "1.0",
    "'true'": "true",
    "''": "",
    '"${{ 1e3 }}"': "1000.0",
    '"${{ 2.0 }}"': "2.0",
    '"${{ true }}"': "true",
    '"${{ [] }}"': "[]",
    "\"${{ {'b': 'ü', 'a': 1} }}\"": '{"a":1,"b":"ü"}',
    '"a${{ [1] }}"': "a[1]",
    '"${{ none }}"': "ET506",
    '"a${{ none }}b"': "ET506",
    "\"${{ none | default('', true) }}\"": "",
}


@pytest.mark.parametrize(("written", "text"), VARIABLES.items())
def test_variables_are_text(written: str, text: str) -> None:
    result = run(f"{{env_vars: {{X: {written}}}}}")
    assert (result.codes or [result.data()["env_vars"]["X"]]) == [text]


CIRCLES = {
    "{env_vars: {A: '${{ env_vars.A }}'}}": "env_vars.A → env_vars.A",
    "{env_vars: {A: '${{ env_vars.B }}', B: 'x${{ env_vars.C }}', C: '${{ env_vars.A | upper }}'}}": (
        "env_vars.A → env_vars.B → env_vars.C → env_vars.A"
    ),
    "{config: {a: {b: '${{ config.a }}'}}}": "config.a.b → config.a.b",
    "{config: {l: [1, '${{ config.l }}']}}": "config.l.1 → config.l.1",
    "{config: {'x.y': '${{ env_vars.A }}'}, env_vars: {A: \"${{ config['x.y'] }}\"}}": (
        'env_vars.A → config."x.y" → env_vars.A'
    ),
    "{env_vars: {A: \"${{ env_vars.A | default('x') }}\"}}": "env_vars.A → env_vars.A",
}


@pytest.mark.parametrize(("section", "chain"), CIRCLES.items())
def test_a_circle_is_told_once_as_a_chain(section: str, chain: str) -> None:
    finding = run(section).only_finding()
    assert (finding.code, finding.message.rpartition(": ")[2]) == ("ET504", chain)


def test_a_circle_is_no_circle_when_a_layer_breaks_it() -> None:
    result = run("{env_vars: {A: '${{ env_vars.B }}', B: '${{ env_vars.A }}'}}", "{env_vars: {B: x}}")
    assert (result.codes, result.data()["env_vars"]) == ([], {"A": "x", "B": "x"})


@pytest.mark.parametrize(
    "text", ["100%-${{ env_vars.A }}%s%%", "${{ env_vars.A }}${{ env_vars.B }}", "${{ env_vars.A }}"]
)
def test_a_text_that_was_compiled_before_gives_the_same(text: str) -> None:
    env_vars = run(f"{{env_vars: {{A: '%d', B: b, C: {quote_yaml(text)}, D: {quote_yaml(text)}}}}}").data()["env_vars"]
    assert env_vars["C"] == env_vars["D"] == text.replace("${{ env_vars.A }}", "%d").replace("${{ env_vars.B }}", "b")


def test_a_text_that_was_compiled_before_is_bounded_too() -> None:
    text, other = quote_yaml("x${{ env_vars.A }}"), quote_yaml("x${{ env_vars.B }}")
    long, longer = quote_yaml("a" * (MAX_VALUE_LENGTH - 1)), quote_yaml("a" * MAX_VALUE_LENGTH)
    result = run(f"{{env_vars: {{A: {long}, B: {longer}, C: {text}, D: {text}, E: {other}, F: {other}}}}}")
    assert result.codes == ["ET507", "ET507"]


def test_an_input_without_a_value() -> None:
    files = layers("{env_vars: {A: '${{ inputs.X }}'}}", organization="inputs: {X: {env: Y}, Z: {env: Q}}")
    assert check(files, environ={"Y": "y", "X": "no", "Z": "no"}).data()["env_vars"] == {"A": "y"}
    assert check(files, environ={"Y": "y"}, inputs={"X": "x"}).data()["env_vars"] == {"A": "x"}
    assert repr(check(files).bundles["p/t/a@production"].data["env_vars"]["A"]) == "[unknown]"
    with pytest.raises(MachineError, match="input 'X' has neither a value nor a default"):
        check(files, require_inputs=True)


# A value as written, and the part of it that the finding points at.
PLACES = {
    "'${{ config.nope }}'": "config.nope",
    "${{ config.nope }}": "config.nope",
    "x${{config.nope}}y": "config.nope",
    "'${{ 1 + config.nope + 2 }}'": "config.nope + 2",
    "'a ${{ 1 }} ${{ xconfig.nope }}'": "xconfig.nope",
    "'${{ config.one | nope }}'": "nope",
    "'${{   1 / 0   }}'": "1 / 0",
    "'$${{ a }} ${{ config.nope }}'": "config.nope",
    "'${{ 1 / 0'": "'${{ 1 / 0'",
    # The text of the value differs from the text in the file.
    "'${{ config[''nope''] }}'": "'${{ config[''nope''] }}'",
    '"\\t${{ config.nope }}"': '"\\t${{ config.nope }}"',
}


@pytest.mark.parametrize(("value", "part"), PLACES.items())
def test_where_a_finding_points(value: str, part: str) -> None:
    line = f"    x: {value}"
    agent = f"execution_environment:\n  config:\n    one: 1\n{line}\n"
    finding = check(layers() | {"projects/p/teams/t/agents/a.yaml": agent}).only_finding()
    start, end = finding.span.column - 1, finding.span.end_column - 1
    assert (finding.span.line, finding.span.end_line, line[start:end]) == (4, 4, part)
    assert start == line.rindex(part)


@pytest.mark.parametrize(
    ("section", "codes"),
    [
        ("{env_vars: {F: true}, config: {v: '${{ 1 if env_vars.F else 2 }}'}}", ["ET550"]),
        ("{env_vars: {F: 'true'}, config: {v: '${{ 1 if env_vars.F else 2 }}'}}", []),
        ("{env_vars: {F: 1}, config: {v: '${{ 1 if env_vars.F else 2 }}'}}", []),
        ("{env_vars: {F: true}, config: {F: true, v: '${{ 1 if config.F else 2 }}'}}", []),
        ("{env_vars: {F: true}, config: {v: \"${{ 1 if env_vars.F == 'true' else 2 }}\"}}", []),
        ("{env_vars: {F: true}, config: {v: '${{ not env_vars.F }}'}}", ["ET550"]),
        ("{env_vars: {F: true}, config: {v: '${{ env_vars.F and 1 }}'}}", ["ET550"]),
        ("{env_vars: {F: true}, config: {v: '${{ 1 and env_vars.F }}'}}", []),
        ("{env_vars: {F: true}, config: {v: '${{ 2 if 1 and env_vars.F else 3 }}'}}", ["ET550"]),
    ],
)
def test_a_condition_on_a_text_that_looks_like_a_boolean(section: str, codes: list[str]) -> None:
    assert run(section).codes == codes


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("config.nope | default(config.nope)", "ET503"),
        ("config.nope | default(other=config.nope)", "ET503"),
        ("1 if config.nope is defined or config.nope else 2", "ET503"),
        ("config.words.x", "ET503"),
        ("config.words['0']", "ET503"),
        ("config.limits[0]", "ET503"),
        ("env_vars.HOST.x", "ET503"),
        ("env_vars.HOST[0]", "ET503"),
        ("agent.name.x", "ET503"),
        ("inputs.SHA.x", "ET503"),
        ("1e308 * 10", "ET505"),
        ("-1e308 * 10", "ET505"),
        ("9007199254740991 * 3", "ET505"),
    ],
)
def test_what_gives_no_value(source: str, code: str) -> None:
    assert evaluate(source) == [code]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1e308 * 10", "this expression cannot be evaluated: its result is not JSON data within the exact range"),
        ("(1, 2)", "a tuple is not allowed in an expression"),
        ("config.text.upper()", "a call is not allowed in an expression"),
        ("config.words[0:1]", "a subscript must be a literal"),
        ("2 ** 3", "a power is not allowed in an expression"),
        ("config._x", "a name that begins with '_' cannot be read"),
        ("config['_x']", "a name that begins with '_' cannot be read"),
        ("[1]['_x']", "a name that begins with '_' cannot be read"),
        ("secrets", "'secrets' cannot be read as a whole"),
        ("config.words[config.k]", "a subscript must be a literal"),
    ],
)
def test_what_is_said(source: str, message: str) -> None:
    section = f"{{config: {{{CONFIG}, x: {quote_yaml(f'${{{{ {source} }}}}')}}}}}"
    assert run(section).only_finding().message == message


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("config.made[1]", 2),
        ("config.made[0]", 1),
        ("config.made[2]", ["ET503"]),
        ("config.made.x", ["ET503"]),
        ("config.map.a.b", 3),
        ("config.map.a.c", ["ET503"]),
        ("config.map.a.b.c", ["ET503"]),
        ("config.map[0]", ["ET503"]),
        ("inputs._SHA", "dev"),
        ("env_vars._HOST", "h"),
    ],
)
def test_parts_of_what_is_computed(source: str, value: Any) -> None:
    made = "made: '${{ [1, 2] }}', map: \"${{ {'a': {'b': 3}} }}\""
    section = f"{{config: {{{made}, x: {quote_yaml(f'${{{{ {source} }}}}')}}}, env_vars: {{_HOST: h}}}}"
    result = run(section, organization="inputs: {_SHA: {default: dev}}")
    assert (result.codes or result.data()["config"]["x"]) == value


def test_what_one_agent_overrides_others_still_compute() -> None:
    files = layers("{env_vars: {A: '${{ 1 }}', B: x, C: '${{ 2 }}'}}", "", "", "{env_vars: {A: plain, B: '${{ 3 }}'}}")
    files["projects/p/teams/t/agents/b.yaml"] = "{execution_environment: {env_vars: {C: own}}}"
    result = check(files)
    assert result.data()["env_vars"] == {"A": "plain", "B": "3", "C": "2"}
    assert result.data("p/t/b@production")["env_vars"] == {"A": "1", "B": "x", "C": "own"}


def test_a_condition_has_to_exist_also_where_a_secret_is_unknown() -> None:
    taken, not_taken = "'${{ secrets.t if config.nope else 1 }}'", "'${{ secrets.t if 1 else config.nope }}'"
    result = check(layers(f"{{config: {{a: {taken}, b: {not_taken}}}}}", secrets={0: {"t": "s3cret"}}))
    assert (result.codes, result.not_checked) == (["ET503"], ["ET503 config.b"])


@pytest.mark.parametrize("source", ["x${{ none if secrets.flag else 1 }}", "${{ none }}${{ secrets.flag }}"])
def test_a_null_beside_a_secret_spreads_among_variables_only(source: str) -> None:
    secrets = {0: {"flag": True}}
    assert run(f"{{env_vars: {{A: {quote_yaml(source)}}}}}", secrets=secrets).codes == ["ET506"]
    result = run(f"{{config: {{a: {quote_yaml(source)}}}}}", secrets=secrets)
    assert result.data()["config"]["a"] in ("xnull", "nulltrue")


def test_what_mixes_a_secret_with_something_unknown_is_secret() -> None:
    config = "config: {x: '${{ inputs.SHA ~ env_vars.T }}', y: '${{ inputs.SHA ~ 1 }}'}"
    section = f"{{secrets: {{T: token}}, {config}, env_vars: {{X: '${{{{ config.x }}}}', Y: '${{{{ config.y }}}}'}}}}"
    result = check(layers(section, organization="inputs: {SHA: {}}", secrets={0: {"token": "s3cret"}}))
    (bundle,) = result.bundles.values()
    assert bundle.sensitive == {"T", "X", "config.x"}


TYPES_IN_MESSAGES = {
    "true + 1": "'+' takes two numbers, texts or lists, found a boolean and a number",
    "2 * true": "'*' takes two numbers, found a number and a boolean",
    "-true": "'-' takes a number, found a boolean",
    "true < 2": "'<' compares two numbers or two texts, found a boolean and a number",
    "'a' is ge(1)": "'>=' compares two numbers or two texts, found text and a number",
    "1 in env_vars.HOST": "'in' does not search a number in text",
}


@pytest.mark.parametrize(("source", "reason"), TYPES_IN_MESSAGES.items())
def test_a_message_about_operands_names_their_types(source: str, reason: str) -> None:
    finding = run(f"{{config: {{x: {quote_yaml(f'${{{{ {source} }}}}')}}}, env_vars: {{HOST: h}}}}").only_finding()
    assert (finding.code, finding.message) == ("ET505", f"this expression cannot be evaluated: {reason}")


# A comparison that can never hold, and how it is spelled.
TYPED_COMPARISONS = {
    "env_vars.DEBUG == true": "compare with text: env_vars.DEBUG == 'true'",
    "false != env_vars.DEBUG": "compare with text: env_vars.DEBUG != 'false'",
    "env_vars.DEBUG is true": "compare with text: env_vars.DEBUG == 'true'",
    "env_vars.DEBUG is eq(-1)": "compare with text: env_vars.DEBUG == '-1'",
    "env_vars.DEBUG in [80, 443]": "compare with text: env_vars.DEBUG in ['80', '443']",
    "env_vars['DEBUG'] not in [true]": "compare with text: env_vars.DEBUG not in ['true']",
    "inputs.SHA == 5.5": "compare with text: inputs.SHA == '5.5'",
    "env_vars.DEBUG == none": "write: env_vars.DEBUG is defined",
}


@pytest.mark.parametrize(("source", "hint"), TYPED_COMPARISONS.items())
def test_a_text_compared_with_another_type_is_a_warning(source: str, hint: str) -> None:
    def run_expression(text: str) -> CheckResult:
        section = f"{{config: {{x: {quote_yaml(f'${{{{ {text} }}}}')}}}, env_vars: {{DEBUG: true}}}}"
        return run(section, organization=INPUTS)

    finding = run_expression(source).only_finding()
    assert (finding.code, finding.hint) == ("ET550", hint)
    assert run_expression(hint.partition(": ")[2]).codes == []


@pytest.mark.parametrize(
    "source", ["env_vars.NUM | int == 80", "env_vars.NUM == '80'", "env_vars.NUM in ['80', 80]", "config.b == true"]
)
def test_a_comparison_that_may_hold_is_no_warning(source: str) -> None:
    section = f"{{config: {{b: true, x: {quote_yaml(f'${{{{ {source} }}}}')}}}, env_vars: {{NUM: 80}}}}"
    assert run(section).codes == []


# A missing name, and the hint at the level where it is missing.
MISSING_NAMES = {
    "config.limits.cpu.nope": "'config.limits.cpu' has no parts: end the name there",
    "config.limts.cpu": "did you mean 'config.limits'?",
    "project.name.deep": "'project.name' has no parts: end the name there",
    "env_vars.HOST.name": "'env_vars.HOST' has no parts: end the name there",
    "env_vars.HOTS": "did you mean 'env_vars.HOST'?",
    "config.words[7]": "'config.words' is a list of 3, counted from 0",
    "config.my_key": "did you mean 'config['my-key']'?",
    "config.my-key": "write config['my-key']",
    "config.limits.a-b-c + 1": "write config.limits['a-b-c']",
    "B": "write env_vars.B",
    "TEAM": "did you mean 'team'?",
    "env_vars.NOPE1 | default(env_vars.HOSTT)": "did you mean 'env_vars.HOST'?",
}


@pytest.mark.parametrize(("source", "hint"), MISSING_NAMES.items())
def test_the_hint_for_a_missing_name(source: str, hint: str) -> None:
    section = f"{{config: {{{CONFIG}, my-key: 1}}, env_vars: {{HOST: h, X: {quote_yaml(f'${{{{ {source} }}}}')}}}}}"
    finding = run(section).only_finding()
    assert (finding.code, finding.hint) == ("ET503", hint)
