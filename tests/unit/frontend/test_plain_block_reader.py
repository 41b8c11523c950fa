"""Files in plain block form: both parsers give the same result, without findings."""

import itertools
from pathlib import Path

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from envtree.frontend.parse.characters import decode
from envtree.frontend.parse.document import parse
from envtree.frontend.parse.parse_report import ParseReport
from envtree.frontend.parse.plain_block_reader import read_plain_block
from envtree.frontend.parse.yaml_events import libyaml_events, pure_events
from envtree.model.diagnostic import Diagnostics
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.source import Kind, Location, Source
from tests.benchmarks.forms.envtree import write_envtree
from tests.benchmarks.model import SIZES

ROOT = Path(__file__).parents[3]
BACKENDS = (pure_events, *([libyaml_events] if yaml.__with_libyaml__ else []))

KEYS = ("a", "b", "c", "$value", "_x", "k-1.2", "A_B")
ODD_KEYS = ("true", "y", "null", "on", "é", "a b", "1", "<<", "a'", "'a'", "-a", "a" * 300)
VALUES = (
    *("x", "'x'", '"x"', "''", '""', "1", "-1", "2.5", "true", "null", "a:b", "http://a:80/b?c=d&e", "a#b", "x y"),
    *("a.b/c", "${{ env_vars.A }}", "${{ a | default('x') }}", "é ü", "x, y]", "C:\\x", "'a \"b\"'", '"it\'s"', "+a"),
)
ODD_VALUES = (
    *("~", "yes", "1.50", "0x1", "2026-01-01", "1_000", "-", "- x", "--", "-a", "-.5", "=", "<<", "...", "---", "x ?y"),
    *("a: b", "a #b", "# c", "|", "|2", ">-", "[a]", "{a: b}", "*x", "&x y", "!t", "!!str a", "@a", "`a", "%a", "? a"),
    *(":a", "a:", "::", "x ::", "x :y", "x:#", "'a' b", "'a''b'", '"a\\n"', "'a'#c", "'a", '"a', "\u00a0b", "a\u00a0b"),
)
SCALARS = (
    *("x", "x y", "'q r'", '"z,]"', "1", "true", "null", "a-b", "a/b.c", "$x", "(a)", "a|b", "a@b", "a=b", "é"),
    *(
        "~",
        "yes",
        "1.50",
        "a:b",
        "a: b",
        "a?",
        "?a",
        "-",
        "--x",
        "-1",
        "",
        "&a",
        "*a",
        "!a",
        "a#",
        "#a",
        "a b ",
        "'it''s'",
    ),
    *("{", "}", "http://a/b:1", "@a", "=", "<<", "- a", "a\\\\b", "'a'b", "a\u00a0b"),
)
OTHERS = ("", "  ", "#", "# c", "  # c", "---", "--- #c", "--- a", "...", "a", "-", "- - x", "? a", ": b", "%YAML 1.2")


def mostly(usual: tuple[str, ...], odd: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Draw odd texts rarely; otherwise hardly any file would be in plain block form."""
    return st.integers(0, 15).flatmap(lambda number: st.sampled_from(usual if number else odd))


def brackets(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Draw lists and maps in brackets, most of them well formed."""
    commas = mostly((", ", ","), (" , ", ",,", " "))
    pairs = st.builds(
        "{}{}{}".format, mostly(("a", "b", "$c"), ("true", "'q'", "1")), mostly((": ",), (":", ":  ")), inner
    )
    ends = mostly(("{}", "{} ", " {}"), ("{},", "{}]", "{}}}"))
    lists = st.builds(
        lambda comma, items, end: f"[{end.format(comma.join(items))}]", commas, st.lists(inner, max_size=3), ends
    )
    maps = st.builds(
        lambda comma, items, end: f"{{{end.format(comma.join(items))}}}", commas, st.lists(pairs, max_size=3), ends
    )
    return lists | maps


INDENTS = mostly(("", "  ", "    "), (" ", "   ", "      "))
ENDS = mostly(("",), (" ", " # c", "  #c", "#", "\t", "\r"))
BRACKETS = st.recursive(mostly(SCALARS[:15], SCALARS), brackets, max_leaves=6)
ANY = mostly(VALUES, ODD_VALUES) | BRACKETS
MAPS = st.builds(
    "{}{}{}:{}{}{}".format,
    INDENTS,
    st.sampled_from(["", "", "- "]),
    mostly(KEYS, ODD_KEYS),
    mostly((" ",), ("", "  ")),
    st.just("") | ANY,
    ENDS,
)
DEEPER = st.builds(
    "{}{}".format, mostly(("    ", "      "), ("", "  ", "   ")), st.sampled_from(["x", "x: y", "# c", "- z", "---"])
)
TEXTS_OF_LINES = st.builds(
    "{}{}{}: {}\n{}".format,
    mostly(("", "  "), ("    ",)),
    st.sampled_from(["", "", "- "]),
    mostly(KEYS, ODD_KEYS),
    mostly(("|", "|-"), ("|+", "|2", ">", "| ", "| # c", "|#")),
    st.lists(st.just("") | DEEPER | mostly(("    x",), ("  ", "      ", "\tx")), max_size=4).map("\n".join),
)
ITEMS = st.builds("{}- {}{}".format, INDENTS, ANY, ENDS)
LINE_KINDS = (st.sampled_from(OTHERS), TEXTS_OF_LINES, TEXTS_OF_LINES, ITEMS, ITEMS, ITEMS)
LINES = st.integers(0, 19).flatmap(lambda number: LINE_KINDS[number] if number < len(LINE_KINDS) else MAPS)
TEXTS = st.builds("{}{}".format, st.lists(LINES, min_size=1, max_size=8).map("\n".join), st.sampled_from(["", "\n"]))


def shape(node: Node) -> object:
    """Return all attributes of a node, including the order of keys and the types of values."""
    if isinstance(node, ScalarNode):
        return type(node.value), node
    if isinstance(node, SequenceNode):
        return repr(node.value), node.mark, [shape(item) for item in node.items]
    assert isinstance(node, MappingNode)
    return (
        repr(node.value),
        node.mark,
        list(node.key_marks.items()),
        [(key, shape(child)) for key, child in node.entries.items()],
    )


def check(text: str) -> bool:
    """Return whether a text is in plain block form; if so, assert that both parsers agree."""
    data = text.encode()
    report = ParseReport(path="", diags=Diagnostics(), invalid_marks=set(), aliases={}, rounded_marks=[])
    root = read_plain_block(text) if "\t" not in text and decode(data, report) else None
    if root is None:
        return False
    for backend in BACKENDS:
        findings = Diagnostics()
        document = parse(Source("a.yaml", Location(Kind.AGENT, "", "", ""), data, ""), findings, backend=backend)
        assert document
        assert shape(document.root) == shape(root)
        assert list(findings) == []
        assert not any((document.invalid_marks, document.rounded_marks, document.aliases))
    return True


@given(TEXTS)
@example("a: x\n  b: y\n")
@example("a: 'x'\n  y\n")
@example("a: [x, {b: 1, c: ['y', z]}]  # d\n- []\n")
@example("a: {b: [], $c: {}}\n")
@example("a: |\n  x\n\n   y\nb:\n  - c: |-\n      z\n\n# d\n")
@example("a: |\n  x\n  # c")
@example("a: |\n  x\n   \nb: y\n")
@example("a:\n  b: |\n    x\n  \n    # y\n")
@example("a:\n- b: x\n  c:\n  - y\nd: z")
def test_plain_block_form_is_read_as_by_the_parsers(text: str) -> None:
    check(text)


def test_two_lines_of_all_kinds() -> None:
    values = (*VALUES, *ODD_VALUES)
    first_lines = [f"a: {value}" for value in values] + [f"- {value}" for value in values] + ["a:", "- a:", *OTHERS]
    second_lines = ["b: x", "  b: x", "- x", "  - x", "  x", "# c", "a: x", "- b: x"]
    count = sum(check(f"{first}\n{second}\n") for first, second in itertools.product(first_lines, second_lines))
    assert count > 50


def test_layers_are_read_by_lines(tmp_path: Path) -> None:
    write_envtree(SIZES["XS"], tmp_path)
    assert all(check(path.read_text("utf-8")) for path in tmp_path.rglob("*.yaml"))


def test_files_of_people_are_read_alike() -> None:
    results = [check(path.read_text("utf-8")) for path in (ROOT / "examples").rglob("*.yaml")]
    assert sum(results) > len(results) * 9 / 10


def test_depth_and_size_are_left_to_the_parsers() -> None:
    deep = "".join(f"{' ' * indent}a:\n" for indent in range(49))
    assert check(deep)
    assert read_plain_block(deep + " " * 49 + "a:\n") is None
    assert check("a: x\n" + "#" * 65_000)
    assert read_plain_block("a: x\n" + "#" * 65_600) is None
