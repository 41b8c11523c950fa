"""`compile --provenance`: a file beside each bundle that says where its values come from, and changes nothing else."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from envtree.cli.support.session import tree_request
from envtree.engine.run import Run
from envtree.frontend.schemas import Schemas
from envtree.model.keypath import format_path
from envtree.queries.explain import layer_order
from envtree.queries.explain.provenance_file import PROVENANCE_FILE, attach_provenance
from envtree.queries.explain.to_json import order_data
from envtree.sources.tree import DirectoryTree
from tests.support.command_line import BOT, BOT_ID, ERROR, INPUT, RunCommand, write_files
from tests.support.trees import MemoryTree, layers, sealed_files, start_run
from tests.unit.queries.test_explain_example import ACME, SECTIONS, bundles, scalars

BUNDLE = "production/shop/cart/bot"


def told(run: Run) -> dict[str, dict[str, Any]]:
    """What is written beside the bundles of a run, by id."""
    found = {}
    for result, ((name, data),) in attach_provenance(run):
        assert name == PROVENANCE_FILE
        found[result.bundle.target.id] = json.loads(data)
        assert found[result.bundle.target.id]["id"] == result.bundle.target.id
    assert not run.error_monitor.has_errors()
    return found


def only(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The keys of the only bundle of a tree."""
    (data,) = told(start_run(tree_request(MemoryTree(files)))).values()
    assert Schemas().is_valid("output/provenance", data), Schemas().find_faults("output/provenance", data)
    return {each["key"]: each for each in data["keys"]}


def steps(key: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (one["layer"], one["action"], one["line"], one["column"], one["rule"], one["value"]) for one in key["layers"]
    ]


# The file.


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_lies_beside_the_bundle_and_changes_nothing_else(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    command = ("compile", "--secrets", "ref", "-o", str(tmp_path / "out"))
    assert envtree(*command).code == 0
    bare = contents(tmp_path / "out")
    assert f"{BUNDLE}/bundle.json" in bare
    assert envtree(*command, "--provenance").code == 0
    full = contents(tmp_path / "out")
    added = {path for path in full if path.endswith(f"/{PROVENANCE_FILE}")}
    assert added == {path.replace("bundle.json", PROVENANCE_FILE) for path in bare if path.endswith("bundle.json")}
    assert {path: data for path, data in full.items() if path not in {*added, "manifest.json"}} == {
        path: data for path, data in bare.items() if path != "manifest.json"
    }
    one, other = (json.loads(each["manifest.json"])["bundles"][BOT_ID] for each in (bare, full))
    assert other["files"].pop(PROVENANCE_FILE)["size"] == len(full[f"{BUNDLE}/{PROVENANCE_FILE}"])
    assert one == other
    data = json.loads(full[f"{BUNDLE}/{PROVENANCE_FILE}"])
    assert (
        full[f"{BUNDLE}/{PROVENANCE_FILE}"]
        == (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    )
    # A run without it prunes it like any other file that is no more.
    assert envtree(*command).code == 0
    assert contents(tmp_path / "out") == bare


def test_it_is_compared_like_the_rest(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    command = ("compile", "--secrets", "ref", "-o", str(tmp_path / "out"))
    assert envtree(*command).code == 0
    assert envtree(*command, "--check").code == 0
    ran = envtree(*command, "--check", "--provenance")
    assert ran.code == 1
    assert f"{BUNDLE}/{PROVENANCE_FILE}" in ran.out.splitlines()
    assert f"{BUNDLE}/bundle.json" not in ran.out
    assert envtree(*command, "--provenance").code == 0
    assert envtree(*command, "--check", "--provenance").code == 0
    ran = envtree(*command, "--check")
    assert ran.code == 1
    assert f"{BUNDLE}/{PROVENANCE_FILE}" in ran.out.splitlines()
    # A line that has moved changes no bundle, but where its values come from.
    write_files(tree, {BOT: "\n" + (tree / BOT).read_text()})
    ran = envtree(*command, "--check", "--provenance")
    assert [path for path in ran.out.splitlines() if path.startswith(BUNDLE)] == [f"{BUNDLE}/{PROVENANCE_FILE}"]
    assert envtree(*command, "--check").out.count("bundle.json") == 0


def test_a_selection_replaces_its_own_only(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    command = ("compile", "--secrets", "ref", "-o", str(tmp_path / "out"))
    assert envtree(*command, "--provenance").code == 0
    assert envtree(*command, BOT_ID).code == 0
    left = {path for path in contents(tmp_path / "out") if path.endswith(PROVENANCE_FILE)}
    assert left == {"production/shop/clerk/provenance.json", "staging/shop/cart/bot/provenance.json"}


@pytest.mark.parametrize(
    "wrong", [ERROR, "execution_environment: {env_vars: {A: '${{ env_vars.B }}', C: '${{ ( }}', D: '${{ x | y }}'}}\n"]
)
def test_over_an_error_nothing_is_written(tree: Path, tmp_path: Path, envtree: RunCommand, wrong: str) -> None:
    write_files(tree, {BOT: wrong})
    ran = envtree("compile", "--secrets", "ref", "-o", str(tmp_path / "out"), "--provenance")
    assert ran.code == 1
    assert not (tmp_path / "out").exists()


def test_inputs_and_mistakes_in_them(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    write_files(tree, {"organization.yaml": INPUT})
    command = ("compile", "--secrets", "ref", "-o", str(tmp_path / "out"), "--provenance")
    assert envtree(*command).code == 3
    assert envtree(*command, "--input", "SHB=1").code == 2
    assert envtree(*command, "--input", "SHA=4f2a").code == 0
    data = json.loads((tmp_path / "out" / BUNDLE / PROVENANCE_FILE).read_text())
    (key,) = (each for each in data["keys"] if each["key"] == "env_vars.SHA")
    assert (key["value"], key["expression"], key["reads"]) == ("4f2a", "${{ inputs.SHA }}", ["inputs.SHA"])


def test_a_tree_without_an_organization(tmp_path: Path) -> None:
    assert list(attach_provenance(Run(tree_request(DirectoryTree(tmp_path), allow_empty=True)))) == []


# What it says.


def test_the_layers_that_speak_of_a_value() -> None:
    found = only(
        layers(
            "{env_vars: {A: a, B: b, L: {$value: l, $lock: true}}, config: {hosts: [x], deep: {one: 1, two: 2}}}",
            "{env_vars: {A: {$delete: true}}, config: {hosts: {$append: [y]}}}",
            "{env_vars: {A: again}, config: {deep: {$replace: {two: 3}}}}",
            '{env_vars: {B: "${{ env_vars.A }}!"}}',
        )
    )
    assert set(found) == {"model_id", "env_vars.A", "env_vars.B", "env_vars.L", "config.hosts", "config.deep.two"}
    assert [one[:2] for one in steps(found["env_vars.A"])] == [
        ("organization", "shadowed"),
        ("project", "deleted"),
        ("team", "set"),
    ]
    assert steps(found["env_vars.B"])[-1][1:] == ("set", 2, 39, "replace", "${{ env_vars.A }}!")
    assert found["env_vars.B"]["value"] == "again!"
    assert found["env_vars.B"]["reads"] == ["env_vars.A"]
    assert [one[1] for one in steps(found["config.hosts"])] == ["merged", "set"]
    assert found["config.hosts"]["value"] == ["x", "y"]
    assert steps(found["env_vars.L"])[0][1] == "locked"
    assert found["env_vars.L"]["lock"]["path"] == "organization.yaml"
    assert found["model_id"]["layers"][0]["wins"]


def test_a_secret_is_told_by_its_place() -> None:
    files = layers(
        "{secrets: {TOKEN: db.token}, env_vars: {TOKEN: {$delete: true}}, config: {t: '${{ secrets.db.token }}'}}"
    )
    files |= sealed_files({"organization": {"db": {"token": "canary-of-the-secret"}}})
    found = only(files)
    token = found["env_vars.TOKEN"]
    assert (token["value"], token["sensitive"], token["path"]) == (None, True, "organization.yaml")
    assert token["secret"]["path"] == "organization.secrets.yaml"
    assert token["secret"]["key"] == "db.token"
    assert (found["config.t"]["value"], found["config.t"]["sensitive"]) == (None, True)
    assert "ENC[" not in json.dumps(found)


NEIGHBOURS = {
    "organization.yaml": "{name: acme, edition: 2026, default_model: m, lint: {ET651: 'off'},\n"
    "execution_environment: {secrets: [X], env_vars: {X: text}}}",
    "environments/production.yaml": "{}",
    "projects/p/project.yaml": "key: PP",
    **{f"projects/p/teams/{team}/team.yaml": "{}" for team in "abc"},
    **{f"projects/p/teams/{team}/agents/a.yaml": "{}" for team in "abc"},
    **sealed_files({"organization": {"X": "canary"}}),
}


def neighbours(files: Mapping[str, str]) -> list[list[tuple[str, str, Any, bool]]]:
    """The layers that speak of X, for the agents of three teams that come one after another."""
    found = told(start_run(tree_request(MemoryTree({**NEIGHBOURS, **files})))).values()
    keys = [key for data in found for key in data["keys"] if key["key"] == "env_vars.X"]
    return [[(one["path"], one["action"], one["value"], one["sensitive"]) for one in key["layers"]] for key in keys]


def test_what_neighbours_have_deleted_in_other_places_is_told_for_each() -> None:
    deleted = "execution_environment: {env_vars: {X: {$delete: true}}}"
    found = neighbours({f"projects/p/teams/{team}/team.yaml": deleted for team in "ab"})
    assert [[path for path, action, *_ in layers if action == "deleted"] for layers in found] == [
        ["projects/p/teams/a/team.yaml"],
        ["projects/p/teams/b/team.yaml"],
        [],
    ]


def test_what_only_one_neighbour_declares_a_secret_is_shown_to_the_others() -> None:
    found = neighbours({"projects/p/teams/b/team.yaml": "variables: {X: {secret: true}}"})
    shadowed = [[(value, secret) for _, action, value, secret in layers if action == "shadowed"] for layers in found]
    assert shadowed == [[("text", False)], [(None, True)], [("text", False)]]


def test_a_lock_of_one_neighbour_is_none_of_the_others() -> None:
    locked = "execution_environment: {env_vars: {$lock: true, $value: {Y: b}}}"
    found = told(start_run(tree_request(MemoryTree(NEIGHBOURS | {"projects/p/teams/b/team.yaml": locked})))).values()
    locks = [
        key["lock"] and key["lock"]["path"] for data in found for key in data["keys"] if key["key"] == "env_vars.X"
    ]
    assert locks == [None, "projects/p/teams/b/team.yaml", None]


# The example.


@cache
def example() -> dict[str, dict[str, Any]]:
    return told(Run(tree_request(DirectoryTree(ACME))))


@cache
def nodes(path: str) -> dict[tuple[int, int], list[yaml.Node]]:
    """The values of a file by line and column, as another reader of YAML has them; some share one."""
    found: dict[tuple[int, int], list[yaml.Node]] = {}
    agenda = [yaml.compose((ACME / path).read_text(encoding="utf-8"))]
    while agenda:
        node = agenda.pop()
        assert node
        found.setdefault((node.start_mark.line + 1, node.start_mark.column + 1), []).append(node)
        if isinstance(node, yaml.MappingNode):
            agenda += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            agenda += node.value
    return found


def stands(place: Mapping[str, Any], value: Any) -> bool:
    """Whether a value is what stands at a place."""
    for node in nodes(place["path"])[place["line"], place["column"]]:
        if isinstance(node, yaml.ScalarNode):
            same = node.value == (value if isinstance(value, str) else json.dumps(value))
        else:
            same = yaml.safe_load(yaml.serialize(node)) == value
        if same:
            return True
    return False


@pytest.mark.parametrize("id", bundles())
def test_every_place_is_that_of_the_text_which_was_written_there(id: str) -> None:
    data = example()[id]
    assert Schemas().is_valid("output/provenance", data), Schemas().find_faults("output/provenance", data)
    assert "ENC[" not in json.dumps(data)
    for key in data["keys"]:
        (winner,) = (one for one in key["layers"] if one["wins"])
        assert winner["action"] in ("set", "locked")
        assert [key[name] for name in ("layer", "scope", "path", "line", "column")] == [
            winner[name] for name in ("layer", "scope", "path", "line", "column")
        ]
        for one in key["layers"]:
            assert one["action"] == "deleted" or one["sensitive"] or stands(one, one["value"]), one
        if key["expression"]:
            assert stands(winner, key["expression"])
        elif key["secret"]:
            (node,) = nodes(key["secret"]["path"])[key["secret"]["line"], key["secret"]["column"]]
            assert node.value.startswith("ENC[")
        elif not isinstance(key["value"], (list, dict)):
            assert stands(winner, key["value"])


@pytest.mark.parametrize("id", bundles())
def test_every_value_of_a_bundle_has_its_key(id: str) -> None:
    values = bundles()[id].data
    known = {each["key"]: each["value"] for each in example()[id]["keys"]}
    # A list, and what an expression gives, is one.
    paths = [path for name in SECTIONS if values[name] for path, _ in scalars(values[name], (name,))]
    found = {"model_id"}
    for path in paths:
        (key,) = known.keys() & {format_path(path[:n]) for n in range(1, len(path) + 1)}
        found.add(key)
    assert {key for key in known.keys() - found if known[key] not in ([], {})} == set()


def test_the_order_is_that_of_explain() -> None:
    for id, bundle in bundles().items():
        assert example()[id]["order"] == order_data(id, layer_order(bundle))["order"]


def test_values_that_end_alike_and_began_otherwise_are_told_apart() -> None:
    files = {
        "organization.yaml": "{name: o, edition: 2026, default_model: m}",
        "environments/one.yaml": "{}",
        "environments/two.yaml": "{}",
        "projects/p/project.yaml": "{key: PP}",
        "projects/p/environments/one.yaml": "{execution_environment: {env_vars: {A: below}}}",
        "projects/p/teams/t/team.yaml": "{execution_environment: {env_vars: {A: {$delete: true}}}}",
        "projects/p/teams/t/agents/a.yaml": "{execution_environment: {env_vars: {A: above}}}",
    }
    found = told(start_run(tree_request(MemoryTree(files))))
    actions = {
        id: [
            (one["layer"], one["action"]) for key in data["keys"] if key["key"] == "env_vars.A" for one in key["layers"]
        ]
        for id, data in found.items()
    }
    assert actions == {
        "p/t/a@one": [("project-environment", "shadowed"), ("team", "deleted"), ("agent", "set")],
        "p/t/a@two": [("agent", "set")],
    }
