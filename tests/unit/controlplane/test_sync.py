"""Plans as data and as text, markers, and the text of imported files: what needs no control plane."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from envtree.controlplane.api.reading import Live
from envtree.controlplane.desired import Desired, Link, Ref
from envtree.controlplane.desired.desired import KINDS, Kind
from envtree.controlplane.sync.ids import Ids, load, store
from envtree.controlplane.sync.lock import _is_left_behind, _me
from envtree.controlplane.sync.marker import marked, marker, new_marker
from envtree.controlplane.sync.model import Change, Plan
from envtree.controlplane.sync.plan import plan
from envtree.controlplane.sync.saved import NoPlanError, Restored, saved
from envtree.controlplane.sync.shapes import SHAPES, alike, undescribed
from envtree.controlplane.sync.tree_text import tree_text
from envtree.model.diagnostic import Refusal
from envtree.model.span import whole_file
from envtree.report.planned import planned_text, sentence
from envtree.report.planned_markdown import planned_markdown

PLACE = whole_file("environments/prod.yaml")
NONE_KNOWN = Ids("acme", {}, {})
NOTHING = Live("acme", {}, frozenset(), frozenset())
ID = "00000000-0000-4000-8000-000000000001"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def environment(name: str = "prod", **body: Any) -> Desired:
    return Desired("environment", name, PLACE, {"name": name, **body})


def planned(*desired: Desired, live: Live = NOTHING, ids: Ids = NONE_KNOWN) -> Plan:
    return plan(desired, live, ids)


def holding(**found: Any) -> Live:
    """A live state with one environment."""
    return Live("acme", {Ref("environment", "prod"): {"id": ID, "name": "prod", **found}}, frozenset(), frozenset())


@given(st.dictionaries(TEXTS, DATA, max_size=4))
def test_the_text_of_a_file_says_its_data(data: dict[str, Any]) -> None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    assert yaml.load(tree_text(data), loader) == data


def test_a_file_is_written_as_people_would() -> None:
    data = {
        "name": "prod",
        "on": True,
        "port": 80,
        "prompt": "Be\n\nbrief.\n",
        "list": ["a b", "no"],
        "deep": {"a": {}},
    }
    assert tree_text(data) == (
        'name: prod\n"on": true\nport: 80\nprompt: |\n  Be\n\n  brief.\nlist: ["a b", "no"]\ndeep:\n  a: {}\n'
    )


@given(DATA, DATA)
def test_a_saved_plan_is_the_plan(one: Any, other: Any) -> None:
    key = Ref("skill", "x/y")
    body = {"settings": {"$ref": one, "$$ref:z": other}, "skill_configurations": {key: {"a": one}}, "skill_ids": [key]}
    wanted = Desired("agent", "a", PLACE, body, {"status": other}, (Link("skill", key, {"b": 1}),), Ref("team", "t"))
    made = Plan("acme", (wanted,), (), (), (), (), "f")
    restored = Restored(saved(made))
    assert restored.desired == (wanted,)
    assert restored.is_of(made)
    assert not restored.is_of(made._replace(fingerprint="g"))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"envtree": "2"}', b'{"envtree": "1", "desired": [{}]}'])
def test_what_is_no_plan(data: bytes) -> None:
    with pytest.raises(NoPlanError):
        Restored(data)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "organization"])
def test_a_marker_is_read_as_it_was_written_and_is_no_difference(kind: Kind) -> None:
    body: dict[str, Any] = {"name": "n", "description": "Some text.", "tags": ["a"], "configuration": {"x": 1}}
    sent = {field: alike(kind, field, value, body) for field, value in body.items() if field in SHAPES[kind].fields}
    mark = new_marker(kind, "acme", sent, "d" * 16 if SHAPES[kind].marker else None)
    there = marked(kind, body, mark, {})
    assert marker(kind, there) == mark
    assert {field: alike(kind, field, there[field], there) for field in sent} == sent
    assert not any(mark.moved(field, sent) for field in sent)
    assert mark.moved("name", {**sent, "name": "other"})
    assert marked(kind, there, mark, {}) == there
    assert marker(kind, {"settings": {"envtree": 1}, "configuration": None, "config": []}) is None


def test_a_description_is_as_it_was_without_its_marker() -> None:
    assert undescribed("Text. [envtree:acme:1f:0123456789abcdef]") == "Text."
    assert undescribed("[envtree:acme:1f:0123456789abcdef]") is None
    assert undescribed("[envtree] is a tool.") == "[envtree] is a tool."


def test_a_plan_says_what_happens_and_why() -> None:
    settings = marked("environment", {"settings": {"a": 1}}, new_marker("environment", "acme", {"tags": ["x"]}), {})
    live = holding(description="Old.", tags=["y"], **settings)
    made = planned(
        environment(description="New.", tags=["x"], settings={"b": {"c": "d"}}), environment("test"), live=live
    )
    assert planned_text(made, color=False).splitlines()[:6] == [
        "~ environment/prod: it differs from the tree (environments/prod.yaml)",
        '    description: "Old." → "New."',
        "    settings.a: 1 → (none)",
        '    settings.b: (none) → {"c":"d"}',
        '    tags: ["y"] → ["x"] (changed at the control plane)',
        "+ environment/test: it is not there (environments/prod.yaml)",
    ]
    assert sentence(made) == "1 to create, 1 to update"
    assert "environment/prod: an update replaces 'settings' as a whole, and 'a' would be gone" in made.warnings
    assert planned(live=live).changes == (
        Change("delete", Ref("environment", "prod"), ID, "", "the tree no longer has it"),
    )


def test_a_name_that_is_not_ours_is_taken_until_its_id_is_known() -> None:
    made = planned(environment(), live=holding())
    assert (made.taken, made.changes) == ((Ref("environment", "prod"),), ())
    assert planned(environment(), live=holding(), ids=Ids("acme", {"environment/prod": ID}, {})).empty
    other = holding(**marked("environment", {}, new_marker("environment", "other", {}), {}))
    assert planned(environment(), live=other).taken


def test_the_comment_shows_texts_as_texts_only_and_fits() -> None:
    hostile = "<script> @all ![x](http://x) | ``` ::error:: \x1b[31m"
    made = planned(*(environment(f"e{number}{hostile}", description=hostile) for number in range(50)))
    text = planned_markdown(made, 4000)
    assert len(text.encode()) <= 4000
    html = MarkdownIt("gfm-like", {"linkify": False, "html": False}).render(
        text.replace("<details>", "").replace("<sub>", "")
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "\x1b" not in text


def test_ids_are_read_as_they_were_stored(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "ids.json"
    ids = (
        Ids("acme", {}, {})
        .with_object(Ref("job", "x"), f"job_{ID}")
        .with_binding(Ref("policy", "p"), f"agent/{ID}", ID)
    )
    assert load(path, "acme") == Ids("acme", {}, {})
    store(path, ids)
    assert load(path, "acme") == ids
    for text in ('{"ids": {}}', "no", json.dumps({"organization": "acme", "ids": {"a": "../x"}, "bindings": {}})):
        path.write_text(text)
        with pytest.raises(Refusal):
            load(path, "acme")
    store(path, ids)
    with pytest.raises(Refusal):
        load(path, "other")


def test_a_lock_of_a_process_that_is_gone_is_left_behind() -> None:
    mine = _me()
    assert not _is_left_behind({"settings": {"holder": mine}}, None)
    assert _is_left_behind({"settings": {"holder": {**mine, "started": "1"}}}, None)
    assert _is_left_behind({"settings": {"holder": {**mine, "process": 2**22 + 1}}}, None)


def of(**objects: dict[str, Any]) -> Live:
    """A live state; `environment__prod` stands for environment/prod, and all of it is ours."""
    found = {}
    for number, (name, body) in enumerate(objects.items()):
        kind, _, called = name.partition("__")
        ours = marked(kind, body, new_marker(kind, "acme", {}), {})  # type: ignore[arg-type]
        found[Ref(kind, called)] = {"id": f"{ID[:-1]}{number}", "name": called, **ours}  # type: ignore[arg-type]
    return Live("acme", found, frozenset(), frozenset({"KNOWN"}))


def test_what_the_server_makes_of_it_is_foreseen() -> None:
    user = {"environments": [{"id": f"{ID[:-1]}0"}], "projects": []}
    queue = {"environment_id": f"{ID[:-1]}0"}
    live = of(environment__prod={}, agent__bot=user, worker_queue__q=queue, team__web={})
    # Who uses it stays, for it belongs to somebody else.
    agent = {name: value for name, value in live.objects[Ref("agent", "bot")].items() if name != "configuration"}
    live = live._replace(objects={**live.objects, Ref("agent", "bot"): agent})
    warnings = planned(live=live).warnings
    assert "environment 'prod' is used by 'bot', which would lose its variables without an error" in warnings
    assert "the members of team 'web' stay, without a team" in warnings
    section = {"secrets": ["KNOWN", "MISSING"]}
    bot = Desired("agent", "bot", PLACE, {"name": "bot", "model_id": "m", "execution_environment": section})
    first = planned(environment(), bot, live=NOTHING._replace(secrets=frozenset({"KNOWN"})))
    assert [warning.partition(":")[0].partition(",")[0] for warning in first.warnings] == [
        "the first environment that is created would have the server provision a namespace; it was read before",
        "the vault does not have 'MISSING'",
        "to 'bot'",
    ]
    silent = planned(bot, live=NOTHING._replace(secrets=None))
    assert "the vault does not answer, so nobody knows which secrets are in it" in silent.warnings
