"""The comment on a pull request: its content and its length; text of files is never Markdown."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from envtree.diagnostics.findings import Finding
from envtree.model.diagnostic import Diagnostic, Severity
from envtree.model.span import Span
from envtree.queries.diff import Diff
from envtree.queries.diff.diff_model import (
    BundleChange,
    Cause,
    LeafChange,
    RuleChange,
    SecretsFileChange,
    SecretsFileReader,
    ValueChange,
)
from envtree.report.diff_graph import build_diff_graph
from envtree.report.diff_markdown import MAX_BYTES, render_diff_markdown
from envtree.report.diff_phrases import summary_clauses
from envtree.report.diff_text import render_diff_text
from tests.end_to_end.test_github_action import HOSTILE
from tests.support.command_line import RunCommand
from tests.support.diffs import AGENT, BROKEN, ORG, SECRETS, TEAM, TEAMLESS_AGENT, diff_after_edits
from tests.unit.report.test_github_markdown import tokens
from tests.unit.report.test_report_runner import naughty

IDS = ("p/a@production", "p/b@production", "q/t/c@staging")
NOTHING = Diff("main", "the working tree", "", "", (), (), (), 0, (), (), (), (), (), has_errors=False)


def change(key: str = "A", old: Any = "x", new: Any = "y", **fields: Any) -> ValueChange:
    value_change = ValueChange(
        section="env_vars",
        key=key,
        kind="changed",
        old=old,
        new=new,
        old_hidden="",
        new_hidden="",
        sensitive=False,
        reencrypted=False,
        bundles=IDS,
        causes=(Cause("a.yaml", 1, "edited"),),
    )
    return value_change._replace(**fields)


def replaced(**fields: Any) -> Diff:
    return dataclasses.replace(NOTHING, **fields)


X, Y = "x" * 10, "y" * 10

# The content.


def test_the_comment_says_the_most_important_first() -> None:
    difference = diff_after_edits(
        {
            ORG: ("    A: org\n    LEVEL: info\n", "    A: new\n    LEVEL: info\n    C: x\n"),
            AGENT: "execution_environment:\n  config:\n    nested: {two: 3}\n",
            TEAMLESS_AGENT: None,
            SECRETS: {"db": {"pw": "two"}, "kept": "x", "new": "y"},
            "projects/p/agents/new.yaml": "targets: [staging]\n",
            "policies/loud.yaml": "schema: {properties: {env_vars: {properties: {A: {const: org}}}}}\nmessage: no\n",
        },
        {SECRETS: {"db": {"pw": "one"}, "kept": "x"}, TEAM: "execution_environment:\n  secrets: {S: db.pw}\n"},
    )
    text = render_diff_markdown(difference, ("p/b@production", "p/t/a@production"))
    folded = text.index("<details>")
    assert (
        text[:folded]
        == """\
### 1 agent gets new values in `production`, 1 in `staging`

1 agent is new in `staging`. 1 agent is gone from `production`. 0 of 4 bundles unaffected.

⛔ **2 protected bundles would change**, all in `production`.

❌ **There are errors: nothing can be compiled from this.**

⚖️ **The rules change with it**: 1 rule, see below.

| bundles | `production` | `staging` |
|---|---:|---:|
| `p` | ~1 −1 | ~1 +1 |

<sub>`~` changed, `+` new, `−` gone</sub>

**What changes, by cause**

- `organization.secrets.yaml:1` edited, in `p/t/a@production` and `p/t/a@staging`
  - **~** `env_vars.S`: its secret changes
- `organization.yaml`, in `p/t/a@production` and `p/t/a@staging`
  - **~** `env_vars.A`: `"org"` → `"new"` (line 10 edited)
  - **+** `env_vars.C`: `"x"` (line 12 added)
- `projects/p/teams/t/agents/a.yaml:3` added, in `p/t/a@production` and `p/t/a@staging`
  - **~** `config.nested.two`: `2` → `3`

**New and gone**

- **−** `p/b` in `production`: `projects/p/agents/b.yaml:1` removed
- **+** `p/new` in `staging`: `projects/p/agents/new.yaml:1` added

**Secrets**

- **~** `organization.secrets.yaml`
  - `db.pw` changed, line 1
  - `new` added, line 1

**The rules that change**

- **+** policy `loud` added, `policies/loud.yaml:1`

**Findings that are new**

- ❌ `ET704` `organization.yaml:10:8`: `'env_vars.A' breaks policy 'loud': no`

"""
    )
    assert re.findall("<summary>(.*)</summary>", text) == ["Protected bundles", "What leads where", "All that change"]
    assert text.endswith("\n<sub>Compared `base` with `head`, without a key.</sub>\n")


def test_where_nothing_changes_there_is_little_to_say() -> None:
    assert (
        render_diff_markdown(diff_after_edits({}))
        == """\
### No bundle changes

3 bundles compared.

<sub>Compared `base` with `head`, without a key.</sub>
"""
    )


def test_what_cannot_be_compared_is_said() -> None:
    text = render_diff_markdown(diff_after_edits({AGENT: BROKEN}))
    assert text.startswith(
        "### 2 bundles could not be compared\n\n1 of 3 bundles unaffected.\n\n"
        "❌ **There are errors: nothing can be compiled from this.**\n"
    )
    assert "| `p` | ?1 | ?1 |\n" in text
    assert (
        "<summary>Not compared, for errors on either side</summary>\n\n- `p/t/a` in `production`, `staging`\n" in text
    )


def test_the_footer_says_how_to_see_the_same() -> None:
    base_sha, head_sha = "0123456789abcdef" * 2 + "01234567", "f" * 40
    with_base = replaced(base_commit=base_sha)
    assert render_diff_markdown(with_base).endswith(
        "<sub>Compared `main` at `0123456789ab` with `the working tree`, without a key; "
        "`envtree diff 0123456789ab` shows the same on your machine.</sub>\n"
    )
    with_both = replaced(base=base_sha, base_commit=base_sha, head="topic", head_commit=head_sha)
    assert f"Compared `{base_sha}` with `topic` at `ffffffffffff`" in render_diff_markdown(with_both)
    assert "`envtree diff 0123456789ab ffffffffffff`" in render_diff_markdown(with_both)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 2, "`1` → `2`"),
        ("a", None, '`"a"` → `null`'),
        ([1, 2], [2, 3], "-`1` +`3`"),
        ([1, 2], [2, 1], "`[1,2]` → `[2,1]`"),
        ([{"name": "a", "x": 1}], [{"name": "a", "x": 2, "y": 3}], "`[a].x` `1` → `2` +`[a].y: 3`"),
        ([{"name": "a", "x": 1}], [{"name": "b", "x": 1}], '-`{"name":"a","x":1}` +`{"name":"b","x":1}`'),
        ("a" * 100, "b", f'`"{"a" * 58}…` → `"b"`'),
        (f"{X * 5}one{Y * 5}", f"{X * 5}two{Y * 5}", f"`…{X}{X[:5]}one{Y}{Y[:5]}…` → `…{X}{X[:5]}two{Y}{Y[:5]}…`"),
        ("x" * 90, "x" * 95, "+`…xxxxx…`"),
        ("a,b," + X * 7, "a," + X * 7, "-`…b,…`"),
    ],
)  # fmt: skip
def test_values_are_told_by_what_differs(old: Any, new: Any, expected: str) -> None:
    text = render_diff_markdown(replaced(changes=(change(old=old, new=new),), environments=("production", "staging")))
    assert f"  - **~** `env_vars.A`: {expected}\n" in text


def test_a_table_of_many_is_cut() -> None:
    ids = tuple(f"p{project:03}/a@e{environment:02}" for project in range(40) for environment in range(12))
    environments = tuple(f"e{n:02}" for n in range(12))
    text = render_diff_markdown(replaced(changes=(change(bundles=ids),), environments=environments))
    head, rule, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert (head.count("|"), rule.count("|"), len(rows)) == (10, 10, 12)
    assert "<sub>`~` changed, 28 more projects not shown, 4 more environments not shown</sub>" in text


# The length.


def test_a_huge_diff_stays_inside_the_limit() -> None:
    ids = tuple(sorted(f"p{n % 100:03}/t{n % 7}/a{n}@e{n % 4}" for n in range(10_000)))
    changes = tuple(
        change(f"K{n}", "é" * 90 + str(n), "ü" * 90, bundles=ids, causes=(Cause(f"é{n}.yaml", n + 1, "edited"),))
        for n in range(10_000)
    )
    environments = ("e0", "e1", "e2", "e3")
    text = render_diff_markdown(replaced(changes=changes, environments=environments), ids)
    assert MAX_BYTES / 2 < len(text.encode()) < MAX_BYTES
    assert text.startswith("### 2500 agents get new values in `e0`, 2500 in `e1`, 2500 in `e2`, 2500 in `e3`\n")
    assert "⛔ **10000 protected bundles would change**: 2500 in `e0`, 2500 in `e1`" in text
    assert_balanced(text)


@pytest.mark.parametrize("limit", [2_000, 10_000, MAX_BYTES])
def test_every_part_has_its_share(limit: int) -> None:
    some, word = range(1_000), "wörd " * 30
    ids = tuple(f"project-{n % 50}/agent-{n}@production" for n in some)
    difference = replaced(
        environments=("production",),
        changes=tuple(change(f"K{n}", bundles=(ids[n],), causes=(Cause(f"{n}.yaml", 1, "edited"),)) for n in some),
        bundles=tuple(BundleChange(f"new/agent-{n}@production", "added", ()) for n in some),
        not_compared=tuple(f"bad/agent-{n}@production" for n in some),
        secrets=tuple(
            SecretsFileChange(f"{n}.secrets.yaml", "changed", (LeafChange(word, "changed", 1),) * 30) for n in some
        ),
        rules=tuple(RuleChange("contract", f"{word}{n}", "added", "organization.yaml", 1) for n in some),
        new_findings=tuple(finding(f"{word}{n}") for n in some),
        removed_findings=tuple(finding(f"{word}{n}") for n in some),
    )
    text = render_diff_markdown(difference, ids, limit)
    assert len(text.encode()) < limit
    assert_balanced(text)
    assert limit < MAX_BYTES or text.count(" more\n") > 5


def assert_balanced(text: str) -> None:
    """Assert that nothing was cut in the middle."""
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0
    assert text.endswith("</sub>\n")


# Text of files.


def finding(message: str) -> Finding:
    return Finding(Diagnostic(Span("a.yaml", 1, 1, 1, 1), "ET101", message), Severity.WARNING, ())


def full_of(word: str) -> Diff:
    """Return a diff with a text of a file wherever there can be one."""
    text = word.encode("utf-8", "replace").decode()
    values = [(text, "x"), ([text], ["x"]), ([{"name": text, "x": text}], [{"name": text, "x": 1}])]
    causes = tuple(Cause(f"{word}.yaml", line, "edited") for line in (1, 2))
    changes = tuple(
        change(f"{word}{n}", old, new, section=section, causes=causes[: 1 + n % 2])
        for n, (old, new) in enumerate(values)
        for section in ("config", "env_vars")
    )
    old, new = ({"source": source, "path": text} for source in (text, "x"))
    return replaced(
        base=word,
        head=word,
        environments=("production", "staging"),
        changes=(*changes, change(word, old, new, section="secrets", causes=(Cause(f"{word}.yaml", 3, "edited"),))),
        bundles=(BundleChange("p/new@production", "added", causes),),
        secrets=(
            SecretsFileChange(
                f"{word}.secrets.yaml",
                "added",
                (LeafChange(word, "added", 1),),
                (SecretsFileReader(word, word, word), SecretsFileReader(word, word, "")),
                copied_from=word,
            ),
        ),
        rules=(RuleChange("contract", word, "added", f"{word}.yaml", 1),),
        new_findings=(finding(word),),
        removed_findings=(finding(word),),
    )


def shape(text: str) -> list[tuple[str, str]]:
    """Return the tokens of a text, without the contents of code spans and of the graph."""
    hidden = ("inline", "code_inline", "fence")
    return [(token.type, "" if token.type in hidden else token.content) for token in tokens(text)]


LISTED = sorted({text for text in naughty() if text.strip()} | {word for word in HOSTILE if word})


@pytest.mark.parametrize("first", range(0, len(LISTED), 60))
def test_t74_the_words_of_files_stand_in_code_spans_only(first: int) -> None:
    tame = shape(render_diff_markdown(full_of("tame")))
    assert not {kind for kind, _ in tame} & {"link_open", "image", "code_block", "s_open"}
    html = [content for kind, content in tame if kind in ("html_block", "html_inline")]
    assert {re.sub("<summary>[A-Z][A-Za-z ,]+</summary>", "", line.strip()) for line in html} <= {
        "<details>", "</details>", "<sub>", "</sub>"
    }  # fmt: skip
    for word in LISTED[first : first + 60]:
        text = render_diff_markdown(full_of(word))
        # Only the contents of code spans and of the graph depend on the text.
        assert shape(text) == tame, word
        assert all(line.isprintable() for line in text.split("\n"))
        drawings = [token.content for token in tokens(text) if token.type == "fence"]
        assert all(
            re.fullmatch(r"flowchart LR\n(  n\d+(.+\"[^\"`<>]*\".+| --> n\d+)\n)+", drawing) for drawing in drawings
        )


def test_the_words_of_files_are_printable_in_a_terminal() -> None:
    for word in LISTED:
        text = render_diff_text(full_of(word), color=False, verbose=True)
        assert all(line.isprintable() and not line.lstrip().startswith("::") for line in text.split("\n"))
        assert "##[" not in text


# A company's pull request.


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(Path(__file__).parents[3] / "examples/acme", tmp_path / "base")
    shutil.copytree(tmp_path / "base", tmp_path / "tree")
    return tmp_path / "tree"


def test_the_comment_about_the_example(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    production = tree / "environments/production.yaml"
    production.write_text(production.read_text().replace("threshold: 0.01", "threshold: 0.02"))
    ran = envtree("diff", str(tmp_path / "base"), "--output-format", "markdown")
    assert ran.out.splitlines()[:4] == [
        "### 15 agents get new values in `production`", "", "23 of 38 bundles unaffected.", ""
    ]  # fmt: skip
    assert (
        "- `environments/production.yaml:16` edited, in 15 bundles, all in `production`\n"
        "  - **~** `config.alerts`: `[error-rate].threshold` `0.01` → `0.02`\n"
    ) in ran.out
    assert len(ran.out) < 3_500


def test_clauses_and_drawing_of_nothing() -> None:
    assert summary_clauses(NOTHING) == ["no bundle changes", "0 bundles compared"]
    assert not build_diff_graph(NOTHING).nodes
    assert json.dumps(render_diff_markdown(NOTHING))
