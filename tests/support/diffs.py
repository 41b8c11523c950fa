"""Small trees to compare: a base, edits of it, and descriptions of their diff."""

from collections.abc import Mapping
from typing import Any
from unittest import mock

from envtree.cli.support.session import tree_request
from envtree.diagnostics.printable_documents import json_document
from envtree.engine import by_project
from envtree.engine.request import Request
from envtree.frontend.schemas import Schemas
from envtree.queries.diff import Diff, LabelledTree, diff
from envtree.queries.diff.by_project import compare_by_project
from envtree.queries.diff.diff_model import Cause, ValueChange
from envtree.queries.diff.from_json import parse_diff
from envtree.queries.diff.to_json import diff_data
from envtree.report.diff_markdown import render_diff_markdown
from envtree.report.diff_text import render_diff_text
from envtree.report.value_changes import change_name, describe_value_change, join_pieces
from tests.properties.writing import flow_text, seal
from tests.support.trees import MemoryTree

# Findings about the tree as a whole are irrelevant to these tests.
CODES = ("ET150", "ET252", "ET353", "ET354", "ET450", "ET650", "ET651", "ET655")
LINT = f"lint: {{{', '.join(f'{code}: off' for code in CODES)}}}\n"
ORG, BASE, PRODUCTION = "organization.yaml", "environments/base.yaml", "environments/production.yaml"
PROJECT, TEAM = "projects/p/project.yaml", "projects/p/teams/t/team.yaml"
AGENT, TEAMLESS_AGENT = "projects/p/teams/t/agents/a.yaml", "projects/p/agents/b.yaml"
SECRETS = "organization.secrets.yaml"
FILES = {
    ORG: f"""name: acme
edition: 2026
default_model: m
{LINT}merge: {{config.hosts: append, config.sidecars: {{by_key: name}}, config.tags: union}}
inputs:
  REGION: {{default: eu}}
execution_environment:
  env_vars:
    A: org
    LEVEL: info
  config:
    hosts: [a, b]
    tags: [red]
    plain: [1, 2]
    sidecars:
      - name: proxy
        port: 1
      - name: logs
        port: 2
    nested: {{deep: {{one: 1}}, two: 2}}
""",
    BASE: "abstract: true\nexecution_environment:\n  env_vars:\n    LEVEL: debug\n",
    PRODUCTION: "inherits: base\ndescription: prod\n",
    "environments/staging.yaml": "inherits: base\n",
    PROJECT: "key: PP\n",
    TEAM: "{}\n",
    AGENT: "description: a bot\n",
    TEAMLESS_AGENT: "targets: [production]\n",
}
ALL = ("p/b@production", "p/t/a@production", "p/t/a@staging")
BROKEN = "{: x"

# For each path: the new text, an (old, new) replacement, None to delete the file, or the plain data of a secrets file.
Edits = Mapping[str, Any]


def apply_edits(edits: Edits, files: Mapping[str, str] = FILES) -> dict[str, str]:
    """Return the files after some edits."""
    edited = dict(files)
    for path, edit in edits.items():
        if edit is None:
            del edited[path]
        elif isinstance(edit, str):
            edited[path] = edit
        elif isinstance(edit, dict):
            edited[path] = flow_text(seal(edit))
        else:
            assert edit[0] in edited[path], edit
            old, new = edit
            edited[path] = edited[path].replace(old, new, 1)
    return edited


def compare(base: Mapping[str, str], head: Mapping[str, str], **options: Any) -> Diff:
    """Compare two trees; check that the diff is valid as JSON, and that parsing the JSON restores it."""
    requests = [tree_request(MemoryTree(files), allow_empty=True, **options) for files in (base, head)]
    differences = compare_both_ways(requests[0], requests[1])
    data = diff_data(differences, ())
    assert Schemas().is_valid("output/diff", data), Schemas().find_faults("output/diff", data)
    assert diff_data(parse_diff(json_document(data))[0], ()) == data
    return differences


def compare_both_ways(base: Request, head: Request) -> Diff:
    """Compare two trees as a whole and project by project, and check that the diffs are equal."""
    base_tree, head_tree = LabelledTree("base", base), LabelledTree("head", head)
    differences = diff(base_tree, head_tree)
    assert diff_by_project(base_tree, head_tree) in (None, differences)
    return differences


def diff_by_project(base: LabelledTree, head: LabelledTree) -> Diff | None:
    """Compare two trees project by project; None if that is not possible."""
    with mock.patch.object(by_project, "_MIN_AGENTS", 1):
        return compare_by_project(base, head, lambda _: None)


def diff_after_edits(edits: Edits, before: Edits | None = None) -> Diff:
    """Compare the base, after the edits `before`, with its state after further edits."""
    base = apply_edits(before or {})
    return compare(base, apply_edits(edits, base))


def render_all_formats(differences: Diff) -> str:
    """Render a diff in all formats."""
    return "\n".join(
        [
            render_diff_text(differences, color=False, verbose=True),
            render_diff_markdown(differences),
            json_document(diff_data(differences, ())).decode(),
        ]
    )


def describe_change(change: ValueChange) -> str:
    """Describe a change in one line: the value, the number of bundles and the causes."""
    values, count = join_pieces(describe_value_change(change)), len(change.bundles)
    return f"{change.kind} {change_name(change)} {values} [{count}] {describe_causes(change.causes)}"


def describe_causes(causes: tuple[Cause, ...]) -> str:
    return ", ".join(f"{cause.path}:{cause.line} {cause.action}" for cause in causes)


def describe_bundles(differences: Diff) -> list[str]:
    """Describe the bundles that only one tree has, with the causes."""
    return [f"{bundle.kind} {bundle.id} {describe_causes(bundle.causes)}" for bundle in differences.bundles]
