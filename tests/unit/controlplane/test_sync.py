"""Plans as data and as text, markers, and the text of imported files, without a control plane."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredLink, DesiredResource, ResourceRef
from envtree.controlplane.desired.desired_resource import RESOURCE_KINDS, ResourceKind
from envtree.controlplane.sync.managed_ids import ManagedIds, load_managed_ids, store_managed_ids
from envtree.controlplane.sync.marker import build_marker, read_marker, with_marker
from envtree.controlplane.sync.organization_lock import _holder_identity, _is_stale
from envtree.controlplane.sync.plan import make_plan
from envtree.controlplane.sync.plan_file import InvalidPlanError, SavedPlan, encode_plan
from envtree.controlplane.sync.plan_model import ResourceChange, SyncPlan
from envtree.controlplane.sync.resource_schemas import RESOURCE_SCHEMAS, normalize_field, strip_description_marker
from envtree.controlplane.sync.tree_file_text import render_tree_file
from envtree.model.diagnostic import RefusedError
from envtree.model.span import file_span
from envtree.report.plan_markdown import render_plan_markdown
from envtree.report.plan_text import plan_summary, render_plan_text

SPAN = file_span("environments/prod.yaml")
NO_IDS = ManagedIds("acme", {}, {})
EMPTY_STATE = LiveState("acme", {}, frozenset(), frozenset())
ID = "00000000-0000-4000-8000-000000000001"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def environment(name: str = "prod", **body: Any) -> DesiredResource:
    return DesiredResource("environment", name, SPAN, {"name": name, **body})


def plan_for(*desired: DesiredResource, live: LiveState = EMPTY_STATE, ids: ManagedIds = NO_IDS) -> SyncPlan:
    return make_plan(desired, live, ids)


def live_environment(**fields: Any) -> LiveState:
    """Return a live state with one environment."""
    return LiveState(
        "acme", {ResourceRef("environment", "prod"): {"id": ID, "name": "prod", **fields}}, frozenset(), frozenset()
    )


@given(st.dictionaries(TEXTS, DATA, max_size=4))
def test_the_text_of_a_file_says_its_data(data: dict[str, Any]) -> None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    assert yaml.load(render_tree_file(data), loader) == data


def test_a_file_is_written_as_people_would() -> None:
    data = {
        "name": "prod",
        "on": True,
        "port": 80,
        "prompt": "Be\n\nbrief.\n",
        "list": ["a b", "no"],
        "deep": {"a": {}},
    }
    assert render_tree_file(data) == (
        'name: prod\n"on": true\nport: 80\nprompt: |\n  Be\n\n  brief.\nlist: ["a b", "no"]\ndeep:\n  a: {}\n'
    )


@given(DATA, DATA)
def test_a_saved_plan_is_the_plan(first: Any, second: Any) -> None:
    skill = ResourceRef("skill", "x/y")
    resource = DesiredResource(
        kind="agent",
        name="a",
        origin=SPAN,
        body={
            "settings": {"$ref": first, "$$ref:z": second},
            "skill_configurations": {skill: {"a": first}},
            "skill_ids": [skill],
        },
        late={"status": second},
        links=(DesiredLink("skill", skill, {"b": 1}),),
        parent=ResourceRef("team", "t"),
    )
    plan = SyncPlan(
        organization="acme",
        desired=(resource,),
        changes=(),
        unmanaged=(),
        conflicts=(),
        warnings=(),
        fingerprint="f",
    )
    restored = SavedPlan(encode_plan(plan))
    assert restored.desired == (resource,)
    assert restored.matches(plan)
    assert not restored.matches(plan._replace(fingerprint="g"))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"envtree": "2"}', b'{"envtree": "1", "desired": [{}]}'])
def test_an_invalid_plan_file_is_rejected(data: bytes) -> None:
    with pytest.raises(InvalidPlanError):
        SavedPlan(data)


@pytest.mark.parametrize("kind", [kind for kind in RESOURCE_KINDS if kind != "organization"])
def test_a_marker_is_read_as_it_was_written_and_is_no_difference(kind: ResourceKind) -> None:
    body: dict[str, Any] = {"name": "n", "description": "Some text.", "tags": ["a"], "configuration": {"x": 1}}
    sent = {
        field: normalize_field(kind, field, value, body)
        for field, value in body.items()
        if field in RESOURCE_SCHEMAS[kind].fields
    }
    marker = build_marker(kind, "acme", sent, "d" * 16 if RESOURCE_SCHEMAS[kind].marker_path else None)
    marked = with_marker(kind, body, marker, {})
    assert read_marker(kind, marked) == marker
    assert {field: normalize_field(kind, field, marked[field], marked) for field in sent} == sent
    assert not any(marker.has_drifted(field, sent) for field in sent)
    assert marker.has_drifted("name", {**sent, "name": "other"})
    assert with_marker(kind, marked, marker, {}) == marked
    assert read_marker(kind, {"settings": {"envtree": 1}, "configuration": None, "config": []}) is None


def test_a_description_is_as_it_was_without_its_marker() -> None:
    assert strip_description_marker("Text. [envtree:acme:1f:0123456789abcdef]") == "Text."
    assert strip_description_marker("[envtree:acme:1f:0123456789abcdef]") is None
    assert strip_description_marker("[envtree] is a tool.") == "[envtree] is a tool."


def test_a_plan_says_what_happens_and_why() -> None:
    settings = with_marker(
        "environment", {"settings": {"a": 1}}, build_marker("environment", "acme", {"tags": ["x"]}), {}
    )
    live = live_environment(description="Old.", tags=["y"], **settings)
    plan = plan_for(
        environment(description="New.", tags=["x"], settings={"b": {"c": "d"}}), environment("test"), live=live
    )
    assert render_plan_text(plan, color=False).splitlines()[:6] == [
        "~ environment/prod: it differs from the tree (environments/prod.yaml)",
        '    description: "Old." → "New."',
        "    settings.a: 1 → (none)",
        '    settings.b: (none) → {"c":"d"}',
        '    tags: ["y"] → ["x"] (changed at the control plane)',
        "+ environment/test: it is not there (environments/prod.yaml)",
    ]
    assert plan_summary(plan) == "1 to create, 1 to update"
    assert "environment/prod: an update replaces 'settings' as a whole, and 'a' would be gone" in plan.warnings
    assert plan_for(live=live).changes == (
        ResourceChange("delete", ResourceRef("environment", "prod"), ID, "", "the tree no longer has it"),
    )


def test_a_name_that_is_not_ours_is_taken_until_its_id_is_known() -> None:
    plan = plan_for(environment(), live=live_environment())
    assert (plan.conflicts, plan.changes) == ((ResourceRef("environment", "prod"),), ())
    assert plan_for(
        environment(), live=live_environment(), ids=ManagedIds("acme", {"environment/prod": ID}, {})
    ).is_empty
    foreign = live_environment(**with_marker("environment", {}, build_marker("environment", "other", {}), {}))
    assert plan_for(environment(), live=foreign).conflicts


def test_the_comment_shows_texts_as_texts_only_and_fits() -> None:
    hostile = "<script> @all ![x](http://x) | ``` ::error:: \x1b[31m"
    plan = plan_for(*(environment(f"e{number}{hostile}", description=hostile) for number in range(50)))
    text = render_plan_markdown(plan, 4000)
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
        ManagedIds("acme", {}, {})
        .with_object(ResourceRef("job", "x"), f"job_{ID}")
        .with_binding(ResourceRef("policy", "p"), f"agent/{ID}", ID)
    )
    assert load_managed_ids(path, "acme") == ManagedIds("acme", {}, {})
    store_managed_ids(path, ids)
    assert load_managed_ids(path, "acme") == ids
    for text in ('{"ids": {}}', "no", json.dumps({"organization": "acme", "ids": {"a": "../x"}, "bindings": {}})):
        path.write_text(text)
        with pytest.raises(RefusedError):
            load_managed_ids(path, "acme")
    store_managed_ids(path, ids)
    with pytest.raises(RefusedError):
        load_managed_ids(path, "other")


def test_the_lock_of_an_ended_process_is_stale() -> None:
    identity = _holder_identity()
    assert not _is_stale({"settings": {"holder": identity}}, None)
    assert _is_stale({"settings": {"holder": {**identity, "started": "1"}}}, None)
    assert _is_stale({"settings": {"holder": {**identity, "process": 2**22 + 1}}}, None)


def live_state(**objects: dict[str, Any]) -> LiveState:
    """Return a live state of owned objects; the argument `environment__prod` is `environment/prod`."""
    live_objects = {}
    for number, (name, body) in enumerate(objects.items()):
        kind, _, object_name = name.partition("__")
        marked = with_marker(kind, body, build_marker(kind, "acme", {}), {})  # type: ignore[arg-type]
        live_objects[ResourceRef(kind, object_name)] = {"id": f"{ID[:-1]}{number}", "name": object_name, **marked}  # type: ignore[arg-type]
    return LiveState("acme", live_objects, frozenset(), frozenset({"KNOWN"}))


def test_side_effects_are_predicted() -> None:
    user = {"environments": [{"id": f"{ID[:-1]}0"}], "projects": []}
    queue = {"environment_id": f"{ID[:-1]}0"}
    live = live_state(environment__prod={}, agent__bot=user, worker_queue__q=queue, team__web={})
    # The agent that uses the environment has no marker, so the plan does not delete it.
    agent = {
        name: value for name, value in live.objects[ResourceRef("agent", "bot")].items() if name != "configuration"
    }
    live = live._replace(objects={**live.objects, ResourceRef("agent", "bot"): agent})
    warnings = plan_for(live=live).warnings
    assert "environment 'prod' is used by 'bot', which would lose its variables without an error" in warnings
    assert "the members of team 'web' stay, without a team" in warnings
    section = {"secrets": ["KNOWN", "MISSING"]}
    bot = DesiredResource("agent", "bot", SPAN, {"name": "bot", "model_id": "m", "execution_environment": section})
    initial = plan_for(environment(), bot, live=EMPTY_STATE._replace(secret_names=frozenset({"KNOWN"})))
    assert [warning.partition(":")[0].partition(",")[0] for warning in initial.warnings] == [
        "the first environment that is created would have the server provision a namespace; it was read before",
        "the vault does not have 'MISSING'",
        "to 'bot'",
    ]
    without_vault = plan_for(bot, live=EMPTY_STATE._replace(secret_names=None))
    assert "the vault does not answer, so nobody knows which secrets are in it" in without_vault.warnings
