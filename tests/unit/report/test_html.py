"""The data of the HTML page: every cell agrees with `explain`, and the file runs and loads nothing else."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from envtree.cli.support.session import tree_request
from envtree.engine.run import Run
from envtree.queries.diff import LabelledTree, diff
from envtree.queries.explain import ExplainedBundle, explain, explain_bundle
from envtree.queries.explain.to_json import explanation_data
from envtree.report.html import build_page_data, render_html, render_page
from envtree.report.html.diff_data import diff_to_page_data
from envtree.sources.tree import DirectoryTree
from tests.support.html_page import Page, PageCell, PageElements, read_page_data
from tests.support.trees import ID, ORGANIZATION, Files, MemoryTree, layers, make_request, start_run

ACME = Path(__file__).parents[3] / "examples/acme"
HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> & \u2028 \u2029 ]]> javascript:alert(1)"
DELETED = {
    "organization.yaml": "{name: o, edition: 2026, default_model: m}",
    "environments/one.yaml": "{}",
    "environments/two.yaml": "{}",
    "projects/p/project.yaml": "{key: PP}",
    "projects/p/environments/one.yaml": "{execution_environment: {env_vars: {A: below}}}",
    "projects/p/teams/t/team.yaml": "{execution_environment: {env_vars: {A: {$delete: true}}}}",
    "projects/p/teams/t/agents/a.yaml": "{execution_environment: {env_vars: {A: above}}}",
}


def page_of(files: Files, **options: Any) -> Page:
    return Page(build_page_data(start_run(make_request(files, **options))))


def check_bundle(page: Page, bundle: ExplainedBundle) -> int:
    """Compare each cell of a bundle with the provenance of its key."""
    id = bundle.stack.target.id
    cells, facts = page.cells(id), page.facts(id)
    for key, cell in cells.items():
        explanation = explanation_data(id, explain(bundle, key))
        check_cell(cell, explanation)
        # No layer sets keys inside the result of an expression: explain describes the expression instead.
        if explanation["key"] == key:
            assert cell.value in (explanation["value"], "(secret)", "(unknown)"), key
            assert explanation["sensitive"] <= (cell.value == "(secret)")
        for source in explanation["sources"]:
            if source["key"] in cells:
                check_cell(cells[source["key"]], explanation_data(id, explain(bundle, source["key"])))
            else:
                assert facts[source["key"]] == expected_line(source)
    return len(cells)


def check_cell(cell: PageCell, explanation: dict[str, Any]) -> None:
    assert cell.layer_entries == [
        expected_entry(entry) for entry in explanation["layers"] if entry["action"] != "absent"
    ]
    assert (cell.lock, cell.expression, cell.reads) == (
        explanation["lock"],
        explanation["expression"],
        explanation["reads"],
    )
    assert cell.keys == [expected_line(summary) for summary in explanation["keys"]]
    assert (cell.secret and cell.secret["key"]) == (explanation["secret"] and explanation["secret"]["key"])
    assert (cell.secret and cell.secret["line"]) == (explanation["secret"] and explanation["secret"]["line"])


def expected_entry(entry: dict[str, Any]) -> dict[str, Any]:
    value = "(secret)" if entry["sensitive"] else entry["value"] if entry["type"] else "(none)"
    rest = {name: entry[name] for name in ("layer", "scope", "path", "line", "column", "key", "action", "rule", "type")}
    return rest | {"value": value}


def expected_line(summary: dict[str, Any]) -> dict[str, Any]:
    hidden = "(secret)" if summary["sensitive"] else "(unknown)"
    value = hidden if summary["value"] is None and (summary["sensitive"] or summary["expression"]) else summary["value"]
    rest = ("key", "layer", "scope", "path", "line", "column", "expression", "reads")
    return {name: summary[name] for name in rest} | {"value": value}


def test_every_cell_of_the_example_tells_what_explain_tells() -> None:
    page = Page(build_page_data(Run(tree_request(DirectoryTree(ACME)))))
    run = Run(tree_request(DirectoryTree(ACME)))
    assert run.workspace
    bundles = [explain_bundle(run.workspace, result, run.recorded_inputs()) for result in run.results()]
    assert sum(check_bundle(page, bundle) for bundle in bundles) > 1300
    assert len(page.bundles) == len(bundles) == 38
    assert all(bundle["shape"] is not None for bundle in page.bundles.values())


def test_provenances_of_one_end_and_two_beginnings_are_two() -> None:
    page = page_of(DELETED)
    first, second = (page.cells(f"p/t/a@{name}")["env_vars.A"] for name in ("one", "two"))
    assert [(entry["layer"], entry["action"]) for entry in first.layer_entries] == [
        ("project-environment", "shadowed"),
        ("team", "deleted"),
        ("agent", "set"),
    ]
    assert [(entry["layer"], entry["action"]) for entry in second.layer_entries] == [("agent", "set")]


def test_what_bundles_share_stands_in_the_page_once() -> None:
    agents = {f"projects/p/teams/t/agents/b{n}.yaml": "{}" for n in range(50)}
    page = page_of({**layers("{env_vars: {A: x, B: '${{ agent.name }}'}, config: {l: [1]}}"), **agents})
    assert len(page.bundles) == 51
    assert [len(page.tables[name]) for name in ("rows", "shapes", "provenances", "layer_entries")] == [4, 1, 4, 4]
    assert page.facts("p/t/b7@production")["agent.name"]["value"] == "b7"


def test_hidden_values_that_differ_have_two_numbers() -> None:
    sections = ("", "{secrets: {A: a, B: b, C: a}, config: {u: '${{ inputs.I }}'}}")
    page = page_of(layers(*sections, secrets={0: {"a": "x", "b": "y"}}, organization="inputs: {I: {}}"))
    cells = page.cells(ID)
    assert [cells[f"env_vars.{name}"].value for name in "ABC"] == ["(secret)"] * 3
    assert cells["config.u"].value == "(unknown)"
    bundle = page.bundles[ID]
    rows = [page.tables["rows"][row][1] for row in page.tables["shapes"][bundle["shape"]]]
    number = {key: page.tables["cells"][cell][0] for key, cell in zip(rows, bundle["cells"], strict=True)}
    assert number["env_vars.A"] == number["env_vars.C"] != number["env_vars.B"]


def test_what_looks_like_a_credential_is_not_in_the_page() -> None:
    contract = "variables: {DB: {secret: true}}"
    token = f"ghp_{'a' * 36}"
    section = f"{{env_vars: {{DB: hunter1, API_TOKEN: hunter2, U: 'x://u:hunter3@h'}}, config: {{t: [{token}]}}}}"
    content = render_html(start_run(make_request(layers(section, organization=contract))))
    assert not re.search(rb"hunter\d|ghp_", content)
    cells = Page(read_page_data(content)).cells(ID)
    assert [cells[key].value for key in ("env_vars.DB", "env_vars.API_TOKEN", "config.t")] == ["(secret)"] * 3


def test_a_tree_with_errors_shows_what_could_be_computed() -> None:
    files = {
        **layers("{env_vars: {A: '${{ env_vars.NO }}', B: '${{ env_vars.A }}', C: '${{', D: x}}"),
        "projects/p/teams/t/agents/b.yaml": "{execution_environment: {env_var: {}}}",
    }
    page = page_of(files)
    assert {id: "cells" in bundle for id, bundle in page.bundles.items()} == {ID: True, "p/t/b@production": False}
    values = {key: cell.value for key, cell in page.cells(ID).items()}
    assert values["env_vars.D"] == "x"
    assert values["env_vars.A"] == values["env_vars.B"] == "(unknown)"
    findings = page.data["findings"]
    assert {"ET201", "ET501"} <= {finding["code"] for finding in findings}
    assert {"path", "line", "column", "message", "hint", "severity", "bundles", "related", "key"} <= findings[0].keys()


@pytest.mark.parametrize("files", [{}, {"organization.yaml": "{"}, {"organization.yaml": "[]"}])
def test_without_an_organization_there_are_findings(files: Files) -> None:
    page = page_of(files)
    assert page.bundles == {}
    assert bool(page.data["findings"]) == bool(files)


def test_only_the_selected_bundles_are_in_the_page() -> None:
    page = page_of({**layers(), "environments/staging.yaml": "{}"}, selectors=("**@staging",))
    assert (list(page.bundles), page.data["all"]) == (["p/t/a@staging"], 2)


def test_a_difference_is_noted_with_the_cells() -> None:
    before = layers("{env_vars: {A: x, B: x, C: x}, secrets: {S: s}, config: {l: [1]}}", secrets={0: {"s": "1"}})
    after = {**layers("{env_vars: {A: y, B: x, D: '\"'}, config: {l: [1, {a: 1}]}}"), "environments/staging.yaml": "{}"}
    trees = [tree_request(MemoryTree(files), allow_empty=True) for files in (before, after)]
    difference = diff(LabelledTree("before", trees[0]), LabelledTree("after", trees[1]))
    page = Page(build_page_data(start_run(make_request(after)), difference))
    assert all(finding["new"] for finding in page.data["findings"])
    page_difference = page.data["difference"]
    assert (page_difference["base"], page_difference["head"], page_difference["added"], page_difference["removed"]) == (
        "before",
        "after",
        ["p/t/a@staging"],
        [],
    )
    changes = {
        page.tables["rows"][row][1]: page.tables["changes"][number] for row, number in page.bundles[ID]["changes"]
    }
    assert changes.pop("secrets.S")["kind"] == "removed"
    assert {
        key: (change["kind"], page.value(change["old"]), page.value(change["new"])) for key, change in changes.items()
    } == {
        "config.l": ("changed", [1], [1, {"a": 1}]),
        "env_vars.S": ("removed", "(secret)", "(none)"),
        "env_vars.A": ("changed", "x", "y"),
        "env_vars.C": ("removed", "x", "(none)"),
        "env_vars.D": ("added", "(none)", '"'),
    }
    assert changes["env_vars.A"]["causes"] == [{"path": "organization.yaml", "line": 2, "action": "edited"}]


def test_a_difference_is_told_in_words_with_what_has_no_cell() -> None:
    before = layers(
        "{env_vars: {A: x}}", "", "", "{env_vars: {B: x}}", organization="inputs: {}", secrets={0: {"s": "1"}}
    )
    after = {
        **layers("{env_vars: {A: y}}", "", "", "{env_vars: {B: x}}", organization="merge: {config.l: append}"),
        "environments/staging.yaml": "{}",
    }
    trees = [tree_request(MemoryTree(files), allow_empty=True) for files in (before, after)]
    difference = diff(LabelledTree("before", trees[0]), LabelledTree("after", trees[1]))
    description = build_page_data(start_run(make_request(after)), difference)["difference"]["told"]
    groups = {group["title"]: group["entries"] for group in description["groups"]}
    assert description["sentence"].startswith("1 agent gets new values in production; 1 agent is new in staging")
    assert groups["Values, by cause"] == [
        {
            "kind": "",
            "head": "organization.yaml:3 (edited)",
            "where": ["in p/t/a@production"],
            "notes": ['env_vars.A: "x" → "y"'],
        }
    ]
    assert [(entry["kind"], entry["head"]) for entry in groups["Bundles that are new or gone"]] == [
        ("added", "p/t/a in staging")
    ]
    assert [(entry["kind"], entry["head"]) for entry in groups["Secrets files"]] == [
        ("removed", "organization.secrets.yaml")
    ]
    assert ("added", "list policy config.l added", ["organization.yaml:2"]) in [
        (entry["kind"], entry["head"], entry["where"]) for entry in groups["Rules"]
    ]
    assert all(group["count"] == len(group["entries"]) for group in description["groups"])


def test_of_very_many_changes_the_view_has_the_first_and_the_number() -> None:
    before, after = (
        {**layers(), "organization.yaml": f"{ORGANIZATION}, variables: {{{rules}}}}}\n"}
        for rules in ("", ", ".join(f"V{n}: {{type: string}}" for n in range(400)))
    )
    trees = [tree_request(MemoryTree(files)) for files in (before, after)]
    (group,) = [
        candidate
        for candidate in diff_to_page_data(diff(LabelledTree("before", trees[0]), LabelledTree("after", trees[1])))[
            "groups"
        ]
        if candidate["title"] == "Rules"
    ]
    assert (group["count"], len(group["entries"])) == (400, 300)


# The file.


def test_the_policy_allows_this_style_and_this_script_and_nothing_else() -> None:
    parts = PageElements(render_page({"tables": {}, "x": HOSTILE}))
    assert parts.policy == {
        "default-src": "'none'",
        "script-src": f"'{digest(parts.texts['script'][1])}'",
        "style-src": f"'{digest(parts.texts['style'][0])}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert [len(parts.texts[name]) for name in ("style", "script")] == [1, 2]
    for tag, attributes in parts.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcdoc")]
        assert not attributes.get("href") or str(attributes["href"]).startswith("#")


def digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def test_the_script_makes_no_markup_and_no_request() -> None:
    script = PageElements(render_page({})).texts["script"][1]
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|fetch\(|XMLHttp|import\("
    assert not re.search(forbidden, script)
    assert re.findall(r"https?://[^\s\"']+", script) == ["http://www.w3.org/2000/svg"]


def test_no_data_can_end_its_element() -> None:
    content = render_page({"tables": {}, "x": HOSTILE, HOSTILE: [HOSTILE]})
    assert read_page_data(content) == {"tables": {}, "x": HOSTILE, HOSTILE: [HOSTILE]}
    _, _, block = content.partition(b'id="data">')
    block = block.partition(b"</script>")[0]
    assert not re.search("[<>&\u2028\u2029]".encode(), block)
    assert not any(character in block.decode() for character in "<>&\u2028\u2029")


def test_the_same_tree_gives_the_same_bytes() -> None:
    pages = [render_html(Run(tree_request(DirectoryTree(ACME)))) for _ in range(2)]
    assert pages[0] == pages[1]
    assert len(pages[0]) < 150_000
