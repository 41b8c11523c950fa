"""`compile --provenance`: a file next to each bundle with the origins of its values; all else is unchanged."""

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


def provenance_by_id(run: Run) -> dict[str, dict[str, Any]]:
    """Return the provenance data of a run's bundles, by id."""
    by_id = {}
    for result, ((name, data),) in attach_provenance(run):
        assert name == PROVENANCE_FILE
        by_id[result.bundle.target.id] = json.loads(data)
        assert by_id[result.bundle.target.id]["id"] == result.bundle.target.id
    assert not run.error_monitor.has_errors()
    return by_id


def only_keys(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the keys of the only bundle of a tree."""
    (data,) = provenance_by_id(start_run(tree_request(MemoryTree(files)))).values()
    assert Schemas().is_valid("output/provenance", data), Schemas().find_faults("output/provenance", data)
    return {key["key"]: key for key in data["keys"]}


def steps(key: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (layer["layer"], layer["action"], layer["line"], layer["column"], layer["rule"], layer["value"])
        for layer in key["layers"]
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
    bare_entry, full_entry = (json.loads(files["manifest.json"])["bundles"][BOT_ID] for files in (bare, full))
    assert full_entry["files"].pop(PROVENANCE_FILE)["size"] == len(full[f"{BUNDLE}/{PROVENANCE_FILE}"])
    assert bare_entry == full_entry
    data = json.loads(full[f"{BUNDLE}/{PROVENANCE_FILE}"])
    assert (
        full[f"{BUNDLE}/{PROVENANCE_FILE}"]
        == (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    )
    # A run without the option prunes the file like any other stale file.
    assert envtree(*command).code == 0
    assert contents(tmp_path / "out") == bare


def test_it_is_compared_like_the_rest(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    command = ("compile", "--secrets", "ref", "-o", str(tmp_path / "out"))
    assert envtree(*command).code == 0
    assert envtree(*command, "--check").code == 0
    ran = envtree(*command, "--check", "--provenance")
    assert ran.code == 4
    assert f"{BUNDLE}/{PROVENANCE_FILE}" in ran.out.splitlines()
    assert f"{BUNDLE}/bundle.json" not in ran.out
    assert envtree(*command, "--provenance").code == 0
    assert envtree(*command, "--check", "--provenance").code == 0
    ran = envtree(*command, "--check")
    assert ran.code == 4
    assert f"{BUNDLE}/{PROVENANCE_FILE}" in ran.out.splitlines()
    # A moved line changes no bundle, only its provenance.
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
    "content",
    [ERROR, "execution_environment: {env_vars: {A: '${{ env_vars.B }}', C: '${{ ( }}', D: '${{ x | y }}'}}\n"],
)
def test_over_an_error_nothing_is_written(tree: Path, tmp_path: Path, envtree: RunCommand, content: str) -> None:
    write_files(tree, {BOT: content})
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
    (key,) = (entry for entry in data["keys"] if entry["key"] == "env_vars.SHA")
    assert (key["value"], key["expression"], key["reads"]) == ("4f2a", "${{ inputs.SHA }}", ["inputs.SHA"])


def test_a_tree_without_an_organization(tmp_path: Path) -> None:
    assert list(attach_provenance(Run(tree_request(DirectoryTree(tmp_path), allow_empty=True)))) == []


# The content.


def test_the_layers_that_speak_of_a_value() -> None:
    keys = only_keys(
        layers(
            "{env_vars: {A: a, B: b, L: {$value: l, $lock: true}}, config: {hosts: [x], deep: {one: 1, two: 2}}}",
            "{env_vars: {A: {$delete: true}}, config: {hosts: {$append: [y]}}}",
            "{env_vars: {A: again}, config: {deep: {$replace: {two: 3}}}}",
            '{env_vars: {B: "${{ env_vars.A }}!"}}',
        )
    )
    assert set(keys) == {"model_id", "env_vars.A", "env_vars.B", "env_vars.L", "config.hosts", "config.deep.two"}
    assert [step[:2] for step in steps(keys["env_vars.A"])] == [
        ("organization", "shadowed"),
        ("project", "deleted"),
        ("team", "set"),
    ]
    assert steps(keys["env_vars.B"])[-1][1:] == ("set", 2, 39, "replace", "${{ env_vars.A }}!")
    assert keys["env_vars.B"]["value"] == "again!"
    assert keys["env_vars.B"]["reads"] == ["env_vars.A"]
    assert [step[1] for step in steps(keys["config.hosts"])] == ["merged", "set"]
    assert keys["config.hosts"]["value"] == ["x", "y"]
    assert steps(keys["env_vars.L"])[0][1] == "locked"
    assert keys["env_vars.L"]["lock"]["path"] == "organization.yaml"
    assert keys["model_id"]["layers"][0]["wins"]


def test_a_secret_is_told_by_its_place() -> None:
    files = layers(
        "{secrets: {TOKEN: db.token}, env_vars: {TOKEN: {$delete: true}}, config: {t: '${{ secrets.db.token }}'}}"
    )
    files |= sealed_files({"organization": {"db": {"token": "canary-of-the-secret"}}})
    keys = only_keys(files)
    token = keys["env_vars.TOKEN"]
    assert (token["value"], token["sensitive"], token["path"]) == (None, True, "organization.yaml")
    assert token["secret"]["path"] == "organization.secrets.yaml"
    assert token["secret"]["key"] == "db.token"
    assert (keys["config.t"]["value"], keys["config.t"]["sensitive"]) == (None, True)
    assert "ENC[" not in json.dumps(keys)


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
    """Return the layers that set X, for the agents of three consecutive teams."""
    bundles_data = provenance_by_id(start_run(tree_request(MemoryTree({**NEIGHBOURS, **files})))).values()
    keys = [key for data in bundles_data for key in data["keys"] if key["key"] == "env_vars.X"]
    return [
        [(layer["path"], layer["action"], layer["value"], layer["sensitive"]) for layer in key["layers"]]
        for key in keys
    ]


def test_what_neighbours_have_deleted_in_other_places_is_told_for_each() -> None:
    deleted = "execution_environment: {env_vars: {X: {$delete: true}}}"
    layers_by_agent = neighbours({f"projects/p/teams/{team}/team.yaml": deleted for team in "ab"})
    assert [[path for path, action, *_ in layers if action == "deleted"] for layers in layers_by_agent] == [
        ["projects/p/teams/a/team.yaml"],
        ["projects/p/teams/b/team.yaml"],
        [],
    ]


def test_what_only_one_neighbour_declares_a_secret_is_shown_to_the_others() -> None:
    layers_by_agent = neighbours({"projects/p/teams/b/team.yaml": "variables: {X: {secret: true}}"})
    shadowed = [
        [(value, secret) for _, action, value, secret in layers if action == "shadowed"] for layers in layers_by_agent
    ]
    assert shadowed == [[("text", False)], [(None, True)], [("text", False)]]


def test_a_lock_of_one_neighbour_is_none_of_the_others() -> None:
    locked = "execution_environment: {env_vars: {$lock: true, $value: {Y: b}}}"
    bundles_data = provenance_by_id(
        start_run(tree_request(MemoryTree(NEIGHBOURS | {"projects/p/teams/b/team.yaml": locked})))
    ).values()
    locks = [
        key["lock"] and key["lock"]["path"]
        for data in bundles_data
        for key in data["keys"]
        if key["key"] == "env_vars.X"
    ]
    assert locks == [None, "projects/p/teams/b/team.yaml", None]


# The example.


@cache
def example() -> dict[str, dict[str, Any]]:
    return provenance_by_id(Run(tree_request(DirectoryTree(ACME))))


@cache
def nodes(path: str) -> dict[tuple[int, int], list[yaml.Node]]:
    """Return the values of a file by line and column, read by another YAML parser; some share a position."""
    by_position: dict[tuple[int, int], list[yaml.Node]] = {}
    agenda = [yaml.compose((ACME / path).read_text(encoding="utf-8"))]
    while agenda:
        node = agenda.pop()
        assert node
        by_position.setdefault((node.start_mark.line + 1, node.start_mark.column + 1), []).append(node)
        if isinstance(node, yaml.MappingNode):
            agenda += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            agenda += node.value
    return by_position


def is_written_at(location: Mapping[str, Any], value: Any) -> bool:
    """Report whether a value is written at a location."""
    for node in nodes(location["path"])[location["line"], location["column"]]:
        if isinstance(node, yaml.ScalarNode):
            is_same = node.value == (value if isinstance(value, str) else json.dumps(value))
        else:
            is_same = yaml.safe_load(yaml.serialize(node)) == value
        if is_same:
            return True
    return False


@pytest.mark.parametrize("id", bundles())
def test_every_place_is_that_of_the_text_which_was_written_there(id: str) -> None:
    data = example()[id]
    assert Schemas().is_valid("output/provenance", data), Schemas().find_faults("output/provenance", data)
    assert "ENC[" not in json.dumps(data)
    for key in data["keys"]:
        (winner,) = (layer for layer in key["layers"] if layer["wins"])
        assert winner["action"] in ("set", "locked")
        assert [key[name] for name in ("layer", "scope", "path", "line", "column")] == [
            winner[name] for name in ("layer", "scope", "path", "line", "column")
        ]
        for layer in key["layers"]:
            assert layer["action"] == "deleted" or layer["sensitive"] or is_written_at(layer, layer["value"]), layer
        if key["expression"]:
            assert is_written_at(winner, key["expression"])
        elif key["secret"]:
            (node,) = nodes(key["secret"]["path"])[key["secret"]["line"], key["secret"]["column"]]
            assert node.value.startswith("ENC[")
        elif not isinstance(key["value"], (list, dict)):
            assert is_written_at(winner, key["value"])


@pytest.mark.parametrize("id", bundles())
def test_every_value_of_a_bundle_has_its_key(id: str) -> None:
    values = bundles()[id].data
    values_by_key = {entry["key"]: entry["value"] for entry in example()[id]["keys"]}
    # A list, and the result of an expression, is a single key.
    paths = [path for name in SECTIONS if values[name] for path, _ in scalars(values[name], (name,))]
    expected_keys = {"model_id"}
    for path in paths:
        (key,) = values_by_key.keys() & {format_path(path[:n]) for n in range(1, len(path) + 1)}
        expected_keys.add(key)
    assert {key for key in values_by_key.keys() - expected_keys if values_by_key[key] not in ([], {})} == set()


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
    data_by_id = provenance_by_id(start_run(tree_request(MemoryTree(files))))
    actions = {
        id: [
            (layer["layer"], layer["action"])
            for key in data["keys"]
            if key["key"] == "env_vars.A"
            for layer in key["layers"]
        ]
        for id, data in data_by_id.items()
    }
    assert actions == {
        "p/t/a@one": [("project-environment", "shadowed"), ("team", "deleted"), ("agent", "set")],
        "p/t/a@two": [("agent", "set")],
    }
