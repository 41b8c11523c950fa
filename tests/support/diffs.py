"""Small trees to compare: a base, edits of it, and what a diff says."""

from collections.abc import Mapping
from typing import Any
from unittest import mock

from envtree.cli.support.session import tree_request
from envtree.diagnostics.printable_documents import json_document
from envtree.engine import by_project as parted
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

# What is said of a tree as a whole is not what these tests are about.
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

# A text is the whole file, a pair what is replaced by what, None no file, a map the plain data of a secrets file.
Edits = Mapping[str, Any]


def apply_edits(edits: Edits, files: Mapping[str, str] = FILES) -> dict[str, str]:
    """The files after some edits."""
    found = dict(files)
    for path, edit in edits.items():
        if edit is None:
            del found[path]
        elif isinstance(edit, str):
            found[path] = edit
        elif isinstance(edit, dict):
            found[path] = flow_text(seal(edit))
        else:
            assert edit[0] in found[path], edit
            old, new = edit
            found[path] = found[path].replace(old, new, 1)
    return found


def compare(base: Mapping[str, str], head: Mapping[str, str], **options: Any) -> Diff:
    """What differs; as JSON it fits its schema, and comes back from there as it was."""
    asked = [tree_request(MemoryTree(files), allow_empty=True, **options) for files in (base, head)]
    found = compare_both_ways(asked[0], asked[1])
    data = diff_data(found, ())
    assert Schemas().is_valid("output/diff", data), Schemas().find_faults("output/diff", data)
    assert diff_data(parse_diff(json_document(data))[0], ()) == data
    return found


def compare_both_ways(base: Request, head: Request) -> Diff:
    """What differs, which is the same whether two trees are compared as a whole or project by project."""
    one, other = LabelledTree("base", base), LabelledTree("head", head)
    found = diff(one, other)
    assert diff_by_project(one, other) in (None, found)
    return found


def diff_by_project(base: LabelledTree, head: LabelledTree) -> Diff | None:
    """What differs, told project by project; None where that cannot be."""
    with mock.patch.object(parted, "_MIN_AGENTS", 1):
        return compare_by_project(base, head, lambda _: None)


def diff_after_edits(edits: Edits, before: Edits | None = None) -> Diff:
    """What differs after some edits of a base that has some edits, too."""
    base = apply_edits(before or {})
    return compare(base, apply_edits(edits, base))


def render_all_formats(found: Diff) -> str:
    """All that is said of a diff, in all forms."""
    return "\n".join(
        [
            render_diff_text(found, color=False, verbose=True),
            render_diff_markdown(found),
            json_document(diff_data(found, ())).decode(),
        ]
    )


def describe_change(change: ValueChange) -> str:
    """A change in a line: what, in how many bundles, and why."""
    values, count = join_pieces(describe_value_change(change)), len(change.bundles)
    return f"{change.kind} {change_name(change)} {values} [{count}] {describe_causes(change.causes)}"


def describe_causes(causes: tuple[Cause, ...]) -> str:
    return ", ".join(f"{cause.path}:{cause.line} {cause.action}" for cause in causes)


def describe_bundles(found: Diff) -> list[str]:
    """The bundles that only one tree has, each with why."""
    return [f"{one.kind} {one.id} {describe_causes(one.causes)}" for one in found.bundles]
