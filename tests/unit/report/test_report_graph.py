"""Graphs for other programs: Mermaid's own parser and Graphviz read back the intended graph, for any labels."""

import json
import re
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envtree.cli.support.session import tree_request
from envtree.diagnostics.printable import printable
from envtree.model.tree_layout import escape_unprintable
from envtree.model.workspace import Workspace
from envtree.report.dot import render_dot
from envtree.report.graph import Graph, GraphNode, NodeKey, fold_graph
from envtree.report.mermaid import MAX_NODES, render_mermaid
from envtree.report.tree import RANKED_NOUNS, build_tree_graph
from envtree.sources.tree import DirectoryTree
from tests.support.command_line import ORGANIZATION, TREE, RunCommand, write_files
from tests.support.npm import node_modules
from tests.support.programs import program
from tests.support.rounds import rounds
from tests.support.trees import MemoryTree, start_run
from tests.support.waiting import LONG_PATIENCE
from tests.unit.report.test_report_runner import naughty

ROOT = Path(__file__).parents[3]
CI = ROOT / ".ci"
HOSTILE = [
    '"]; click A "javascript:alert(1)"',
    '"]\n  click n1 "https://evil.example"',
    '%%{init: {"theme": "dark"}}%%',
    "%% a comment",
    "---\ntitle: x\n---",
    "#quot;]; n9",
    "&quot;",
    "&lt;b&gt;",
    "&amp;lt;",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "`code` **bold** _it_ ~~x~~",
    '"`**md**`"',
    "[link](https://evil.example)",
    "www.evil.example",
    "a.b@evil.example",
    "https://evil.example/a",
    "a:::evil",
    "A --> B",
    "end",
    "subgraph x",
    "style n1 fill:#f00;stroke:x#1;",
    "classDef default fill:#f00;",
    "fa:fa-user",
    "$$x^2$$",
    "1. one",
    "1) one",
    "1.",
    "- one",
    "+ one",
    "# one",
    "> one",
    "| a | b |",
    "n1@{ shape: x }",
    "ﬂ°°35",
    "\\",
    '\\"',
    '"',
    "\\N \\G \\L \\l \\n",
    "a\nb\r\nc\x00d",
    "\u202eabc\u2066",
    "  two  blanks  ",
    "",
    " ",
    "ä€😀漢",
    "{a|b}",
    "<b>x</b>",
    "##[error]x",
    "::error::x",
    "x" * 400,
    '"' * 400,
]
WORDS = [*HOSTILE, *naughty()]


def row(labels: list[str]) -> Graph:
    """Return a graph of one row of labels."""
    keys: list[NodeKey] = [("node", str(n)) for n in range(len(labels))]
    return Graph(
        {key: GraphNode(label, "thing") for key, label in zip(keys, labels, strict=True)},
        tuple(pairwise(keys)),
    )


def understood(*texts: str) -> list[dict[str, Any]]:
    """Return the result of Mermaid's parser for each text."""
    node_modules()
    completed = subprocess.run(
        [program("node"), str(CI / "mermaid.mjs")],
        input=json.dumps(texts).encode(),
        capture_output=True,
        timeout=LONG_PATIENCE,
        check=True,
    )
    answers: list[dict[str, Any]] = json.loads(completed.stdout)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    return answers


def decoded(label: str) -> str:
    """Return a label as it is drawn: until then, Mermaid keeps escaped characters in placeholders."""
    return re.sub(r"ﬂ°°(\d+)¶ß", lambda match: chr(int(match[1])), label)


def graphviz(text: str, format: str = "json") -> Any:
    """Return the output of Graphviz for a text."""
    node_modules()
    command = [program("node"), str(CI / "graphviz.mjs"), format]
    completed = subprocess.run(command, input=text.encode(), capture_output=True, timeout=LONG_PATIENCE, check=True)
    assert completed.stderr == b""
    return json.loads(completed.stdout) if format == "json" else completed.stdout.decode()


def drawn(text: str) -> list[str]:
    """Return the texts that Graphviz draws into nodes, in order."""
    # All but the first of several spaces are drawn as no-break spaces, which labels do not contain.
    nodes = ElementTree.fromstring(graphviz(text, "svg")).iterfind(".//{*}g[@class='node']")
    return ["".join(part.text or "" for part in node.iterfind("{*}text")).replace("\xa0", " ") for node in nodes]


def of(files: dict[str, str]) -> Workspace:
    workspace = start_run(tree_request(MemoryTree(files))).workspace
    assert workspace
    return workspace


def acme() -> Workspace:
    workspace = start_run(tree_request(DirectoryTree(ROOT / "examples/acme"))).workspace
    assert workspace
    return workspace


# Labels.


def test_t75_mermaid_reads_a_label_as_nothing_but_a_label() -> None:
    slices = [WORDS[n : n + 40] for n in range(0, len(WORDS), 40)]
    texts = [render_mermaid(row(words)) for words in slices]
    for words, text, answer in zip(slices, texts, understood(*texts), strict=True):
        assert answer["type"] == "flowchart-v2"
        assert answer["config"] == {}
        assert answer["groups"] == 0
        ids = [f"n{n + 1}" for n in range(len(words))]
        assert answer["arrows"] == [[*pair, ""] for pair in pairwise(ids)]
        for word, id, (node_id, label, shape, extra) in zip(words, ids, answer["nodes"], strict=True):
            assert (node_id, shape, extra) == (id, "square", False)
            expected = escape_unprintable(word).replace("ﬂ", "fl") or " "
            assert decoded(label) == expected or expected.startswith(decoded(label).removesuffix("…"))
        assert all(
            re.fullmatch(r'  n\d+(\["[^"<>`%:\[\](){}|\\]+"\]| --> n\d+)|flowchart LR', line)
            for line in text.splitlines()
        )


def test_a_label_that_is_short_is_whole_and_one_that_is_long_is_cut() -> None:
    short, long = render_mermaid(row(["x" * 63])), render_mermaid(row(["€" * 63]))
    assert f'["{"x" * 63}"]' in short
    assert '#8230;"]' in long
    assert len(long) < 250


@pytest.mark.parametrize(
    "label",
    [
        "cart-bot",
        "a_b",
        "shop/cart/bot@production",
        "environments/base.yaml",
        "projects/x.y/z",
        "project shop",
        "v1.2",
        "ä",
    ],
)
def test_what_names_usually_are_stays_legible(label: str) -> None:
    assert f'["{label}"]' in render_mermaid(row([label]))


def test_t75_graphviz_draws_a_label_as_it_is() -> None:
    words = [word for word in WORDS if word]
    assert drawn(render_dot(row(words))) == [printable(word) for word in words]


def test_t75_graphviz_makes_no_link_and_no_markup() -> None:
    svg = graphviz(render_dot(row(HOSTILE)), "svg")
    assert not re.search(r"<(a|script|image|img|b)\b|href|onerror\s*=\s*\"", svg)


# The tree.


def test_mermaid_of_the_example() -> None:
    text = render_mermaid(build_tree_graph(acme()))
    (answer,) = understood(text)
    names = {id: decoded(label) for id, label, *_ in answer["nodes"]}
    arrows = {(names[start], names[end]) for start, end, _ in answer["arrows"]}
    assert Counter(shape for _, _, shape, _ in answer["nodes"]) == {
        "stadium": 1,
        "subroutine": 3,
        "round": 6,
        "square": 15,
        "hexagon": 5,
    }
    assert {("acme-fresh", "delivery DLV"), ("delivery DLV", "couriers"), ("couriers", "courier-helpdesk")} <= arrows
    assert {("abstract base", "abstract live"), ("abstract live", "production")} <= arrows
    assert ("delivery DLV", "depot-reporter") in arrows


def test_dot_of_the_example() -> None:
    graph = build_tree_graph(acme())
    answer = graphviz(render_dot(graph, RANKED_NOUNS))
    nodes = [node for node in answer["objects"] if "label" in node]
    assert [node["label"] for node in nodes] == [node.label for node in graph.nodes.values()]
    assert len(answer["edges"]) == len(graph.edges)
    # Agents are drawn in one rank, although some have no team.
    positions = {key: float(node["pos"].partition(",")[0]) for key, node in zip(graph.nodes, nodes, strict=True)}
    kinds = [{positions[key] for key, node in graph.nodes.items() if node.noun == noun} for noun in RANKED_NOUNS]
    assert [len(kind) for kind in kinds] == [1, 1, 1, 1]
    assert sorted(kinds, key=min) == kinds


PRIVATE = {
    "projects/shop/environments/lab.yaml": "own: true\ninherits: [base, bench]\n",
    "projects/shop/environments/bench.yaml": "own: true\nabstract: true\n",
    "projects/other/project.yaml": "key: other\n",
    "projects/other/environments/lab.yaml": "own: true\n",
}


def test_environments_of_a_project_hang_below_it_and_what_they_inherit() -> None:
    graph = build_tree_graph(of(TREE | PRIVATE))
    labels = {key: node.label for key, node in graph.nodes.items()}
    edges = [(labels[start], labels[end]) for start, end in graph.edges if labels[end] in ("lab", "abstract bench")]
    assert sorted(edges) == [
        ("abstract base", "lab"),
        ("abstract bench", "lab"),
        ("other OTHER", "lab"),
        ("shop SHOP", "abstract bench"),
        ("shop SHOP", "lab"),
    ]


@pytest.mark.parametrize("form", ["mermaid", "dot"])
def test_the_command(tree: Path, envtree: RunCommand, form: str) -> None:
    ran = envtree("tree", "--output-format", form)
    drawn = {
        "mermaid": render_mermaid(build_tree_graph(of(TREE))),
        "dot": render_dot(build_tree_graph(of(TREE)), RANKED_NOUNS),
    }[form]
    assert (ran.code, ran.out, ran.err) == (0, drawn, "")
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}nonsense: 1\n"})
    ran = envtree("tree", "--output-format", form)
    assert (ran.code, ran.out) == (1, drawn)
    assert "ET201" in ran.err


# Folding.


def organization(*teams: tuple[int, int]) -> Graph:
    """Return an organization of projects, each with a number of teams and of agents per team."""
    top: NodeKey = ("organization",)
    nodes, arrows = {top: GraphNode("acme", "organization")}, []
    for p, (count, agents) in enumerate(teams):
        project: NodeKey = ("project", str(p))
        nodes[project] = GraphNode(f"p{p}", "project")
        arrows.append((top, project))
        for t in range(count):
            team = ("team", str(p), str(t))
            nodes[team] = GraphNode(f"t{t}", "team")
            arrows.append((project, team))
            for a in range(agents):
                nodes[*team, str(a)] = GraphNode(f"a{a}", "agent")
                arrows.append((team, (*team, str(a))))
    return Graph(nodes, tuple(arrows))


def labels(graph: Graph) -> Counter[str]:
    return Counter(node.label for node in graph.nodes.values())


def test_a_graph_that_is_small_enough_is_drawn_as_it_is() -> None:
    graph = organization((2, 3))
    assert fold_graph(graph, 10, 500) is graph


def test_agents_of_the_largest_teams_are_folded_first() -> None:
    assert labels(fold_graph(organization((1, 12), (1, 3)), 10, 500)) == Counter(
        ["acme", "p0", "p1", "t0", "t0", "12 agents", "a0", "a1", "a2"]
    )


def test_then_teams_and_projects() -> None:
    graph = organization((4, 5), (2, 5), (1, 2))
    assert labels(fold_graph(graph, 12, 500)) == Counter(
        ["acme", "p0", "p1", "p2", "4 teams", "2 teams", "t0", "20 agents", "10 agents", "2 agents"]
    )
    assert labels(fold_graph(graph, 6, 500)) == Counter(["acme", "3 projects", "7 teams", "32 agents"])


def test_bundles_below_the_same_layers_are_folded() -> None:
    nodes: dict[NodeKey, GraphNode] = {
        ("file",): GraphNode("base.yaml", "file"),
        ("a",): GraphNode("a", "layer"),
        ("b",): GraphNode("b", "layer"),
    }
    nodes |= {("bundle", str(n)): GraphNode(f"x@{n}", "bundle") for n in range(30)}
    arrows: list[tuple[NodeKey, NodeKey]] = [(("file",), ("a",)), (("file",), ("b",))]
    arrows += [(("a",), ("bundle", str(n))) for n in range(20)]
    arrows += [(("b",), ("bundle", str(n))) for n in range(10, 30)]
    folded = fold_graph(Graph(nodes, tuple(arrows)), 10, 500)
    assert labels(folded) == Counter({"base.yaml": 1, "a": 1, "b": 1, "10 bundles": 3})
    assert len(folded.edges) == 6
    assert len(fold_graph(Graph(nodes, tuple(arrows)), 50, 40).edges) <= 40


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw any graph, cycles included, without duplicate edges or self-loops."""
    count = draw(st.integers(1, 40))
    keys: list[NodeKey] = [(str(n),) for n in range(count)]
    nouns = st.sampled_from(["file", "layer", "bundle"])
    nodes = {key: GraphNode(f"x{key[0]}", draw(nouns), "box", draw(st.integers(1, 3))) for key in keys}
    pairs = st.tuples(st.sampled_from(keys), st.sampled_from(keys))
    apart = pairs.filter(lambda pair: pair[0] != pair[1])
    return Graph(nodes, tuple(draw(st.lists(apart, max_size=80, unique=True)) if count > 1 else ()))


@settings(max_examples=rounds(gate=80, full=200))
@given(graphs(), st.integers(3, 45), st.integers(6, 90))
def test_folding_always_ends_and_loses_nobody(graph: Graph, nodes: int, edges: int) -> None:
    folded = fold_graph(graph, nodes, edges)
    assert len(folded.nodes) <= nodes
    assert len(folded.edges) <= edges
    assert {key for edge in folded.edges for key in edge} <= folded.nodes.keys() <= graph.nodes.keys()
    for noun in ("file", "layer", "bundle"):
        sizes = [
            sum(node.size for node in drawn_graph.nodes.values() if node.noun == noun)
            for drawn_graph in (graph, folded)
        ]
        assert sizes[0] == sizes[1]
    assert fold_graph(graph, nodes, edges) == folded


def test_a_large_tree_is_folded_for_mermaid_and_whole_for_graphviz() -> None:
    graph = organization(*[(5, 8)] * 40)
    text = render_mermaid(graph)
    assert len(text) < 50_000
    (answer,) = understood(text)
    assert len(answer["nodes"]) <= MAX_NODES
    assert render_dot(graph).count("shape=") == len(graph.nodes) == 1841
    assert len(understood(render_mermaid(graph, 50))[0]["nodes"]) <= 50


def test_the_worst_names_stay_below_what_mermaid_draws() -> None:
    nodes: dict[NodeKey, GraphNode] = {(str(n),): GraphNode("\U0001f600" * 100, str(n)) for n in range(MAX_NODES)}
    keys = list(nodes)
    arrows = tuple((start, end) for start in keys for end in keys[:3])[:500]
    assert len(render_mermaid(Graph(nodes, arrows))) < 50_000
