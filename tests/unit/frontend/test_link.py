"""The stage `link`: order of environments, unknown names, targets, and schemas of users (threats T21 to T27)."""

import random
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest

from envtree.frontend.link.inheritance import (
    MAX_ANCESTORS,
    InheritanceConflictError,
    InheritanceCycleError,
    linearize,
    linearize_all,
)
from tests.support.effort import assert_linear, count_steps
from tests.support.trees import check, layers, quote_yaml

# Parents by name, a name, its order lowest first.
ORDERS = {
    "no parents": ({"a": []}, "a", "a"),
    "a line": ({"a": [], "b": ["a"], "c": ["b"]}, "c", "abc"),
    "two roots: the first one named wins": ({"a": [], "b": [], "c": ["a", "b"]}, "c", "bac"),
    "a diamond": ({"o": [], "a": ["o"], "b": ["o"], "c": ["a", "b"]}, "c", "obac"),
    "a parent and its own parent": ({"o": [], "a": ["o"], "c": ["a", "o"]}, "c", "oac"),
    "two diamonds": (
        {"o": [], "a": ["o"], "b": ["o"], "c": ["a", "b"], "d": ["b"], "e": ["c", "d"]},
        "e",
        "obdace",
    ),
    "the example of the algorithm": (
        {"o": [], "d": ["o"], "e": ["o"], "f": ["o"], "b": ["d", "e"], "c": ["d", "f"], "a": ["b", "c"]},
        "a",
        "ofedcba",
    ),
}


@pytest.mark.parametrize(("parents", "name", "order"), ORDERS.values(), ids=ORDERS.keys())
def test_the_order_of_an_environment(parents: dict[str, list[str]], name: str, order: str) -> None:
    assert "".join(linearize(name, parents)) == order
    assert _python_orders(parents)[name] == tuple(order)


def _python_orders(parents: dict[str, list[str]]) -> dict[str, Any]:
    """Return the orders of Python for classes with these bases; None where Python refuses."""
    classes: dict[str, Any] = {}
    for name, bases in parents.items():
        try:
            classes[name] = type(name, tuple(classes[base] for base in bases), {})
        except TypeError:
            classes[name] = None
    return {
        name: tuple(base.__name__ for base in reversed(created.__mro__[:-1])) if created else None
        for name, created in classes.items()
    }


@pytest.mark.parametrize("seed", range(40))
def test_it_is_the_order_of_python_s_classes(seed: int) -> None:
    draw = random.Random(seed)
    names = "abcdefg"
    parents = {name: draw.sample(names[:index], draw.randint(0, min(index, 3))) for index, name in enumerate(names)}
    accepted: dict[str, list[str]] = {}
    for name, bases in parents.items():
        candidate = {**accepted, name: bases}
        expected = _python_orders(candidate)[name]
        if expected is None:
            with pytest.raises(InheritanceConflictError):
                linearize(name, candidate)
        else:
            accepted = candidate
            assert linearize(name, accepted) == expected
        if expected is None:
            accepted[name] = []


def test_t93_many_diamonds_take_little_effort() -> None:
    parents: dict[str, list[str]] = {"e0": []}
    for n in range(30):
        parents |= {f"a{n}": [f"e{n}"], f"b{n}": [f"e{n}"], f"e{n + 1}": [f"a{n}", f"b{n}"]}
    assert len(linearize("e30", parents)) == 91
    # Twice the diamonds take four times the effort; one for each way through them would take 2**15 times.
    assert count_steps(lambda: linearize("e30", parents)) < 4 * count_steps(lambda: linearize("e15", parents))


def test_t93_indirect_parents_that_are_named_too_take_little_effort() -> None:
    full = {f"e{n}": [f"e{m}" for m in range(n - 1, -1, -1)] for n in range(51)}
    # Twice the parents take eight times the effort at most; one for each way through them would take 2**25 times.
    assert count_steps(lambda: linearize("e50", full)) < 8 * count_steps(lambda: linearize("e25", full))


def test_t93_a_long_chain_and_full_lists_are_refused_beyond_the_limit() -> None:
    chain = {f"e{n}": [f"e{n - 1}"] if n else [] for n in range(1500)}
    assert len(linearize(f"e{MAX_ANCESTORS}", chain)) == MAX_ANCESTORS + 1
    full = {f"e{n}": [f"e{m}" for m in range(n - 1, -1, -1)] for n in range(300)}
    for parents in (chain, full):
        report = Mock()
        lineages = linearize_all(parents, report)
        assert len(lineages) == len(parents)
        assert [call.args[0] for call in report.mock_calls] == list(parents)[MAX_ANCESTORS + 1 :]
        assert report.mock_calls[0].args[1].name == f"e{MAX_ANCESTORS + 1}"


def test_t93_too_many_ancestors_are_one_finding_each() -> None:
    environments = {f"environments/e{n}.yaml": f"{{inherits: e{n - 1}}}" if n else "{}" for n in range(1500)}
    findings = [finding for finding in check({**FILES, **environments}).findings if " ET315 " in finding]
    assert findings == [f"environments/e101.yaml:1:12 ET315 environment 'e101' has more than {MAX_ANCESTORS} ancestors"]


@pytest.mark.parametrize(
    ("parents", "chain"),
    [
        ({"a": ["a"]}, "a → a"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "a → b → c → a"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "b → c → b"),
    ],
)
def test_t93_a_circle_is_a_chain(parents: dict[str, list[str]], chain: str) -> None:
    with pytest.raises(InheritanceCycleError) as error:
        linearize("a", parents)
    assert str(error.value) == chain


def test_a_conflict_names_both_orders() -> None:
    parents = {"a": [], "b": [], "x": ["a", "b"], "y": ["b", "a"], "z": ["x", "y"]}
    with pytest.raises(InheritanceConflictError) as error:
        linearize("z", parents)
    assert (error.value.name, str(error.value)) == ("z", "y → b → a against x → a → b")


FILES = {
    **layers(),
    "environments/staging.yaml": "{}",
    "environments/base.yaml": "{abstract: true}",
    "skills/git-tools.yaml": "{type: shell}",
    "policies/rego-rule.yaml": "{policy_content: package x}",
    "policies/own-rule.yaml": "{schema: true}",
    "worker_queues/default-queue.yaml": "{environment: production}",
}

HEAD = "name: acme, edition: 2026, default_model: m"
JOB = "trigger_type: webhook, prompt_template: x, planning_mode: on_the_fly"
AGENT = "projects/p/teams/t/agents/a.yaml"

# Path and text of a file, the code, and the beginning of the hint.
NAMES = [
    ("environments/extra.yaml", "{inherits: prodution}", "ET301", "did you mean 'production'?"),
    ("environments/extra.yaml", "{inherits: [base, stagin]}", "ET301", "did you mean 'staging'?"),
    ("environments/stagings.yaml", "{inherits: stagingsx}", "ET301", "did you mean 'staging'?"),
    ("projects/p/project.yaml", "{key: PP, targets: [prod]}", "ET301", "did you mean 'production'?"),
    ("projects/p/project.yaml", "{key: PP, targets: [base]}", "ET305", "nothing inherits it: remove it"),
    ("projects/p/project.yaml", "{key: PP, policy_ids: [rego-rul]}", "ET301", "did you mean 'rego-rule'?"),
    ("projects/p/environments/prodction.yaml", "{tags: [x]}", "ET308", "did you mean 'production'?"),
    ("projects/p/environments/lab.yaml", "{own: false}", "ET308", "write 'own: true' in it"),
    ("projects/p/environments/lab.yaml", "{own: true}", "ET351", "move it to environments/lab.yaml"),
    ("projects/p/teams/t/environments/stage.yaml", "{}", "ET308", "did you mean 'staging'?"),
    ("projects/p/teams/t/team.yaml", "{skill_ids: [git_tools]}", "ET301", "did you mean 'git-tools'?"),
    ("projects/p/teams/t/team.yaml", "{targets: [stagin]}", "ET301", "did you mean 'staging'?"),
    (AGENT, "{environments: {stagin: {}}}", "ET308", "did you mean 'staging'?"),
    (AGENT, "{skill_ids: [xyz]}", "ET301", "known: git-tools"),
    ("jobs/j.yaml", f"{{{JOB}, worker_queue_name: defaut-queue}}", "ET301", "did you mean 'default-queue'?"),
    ("jobs/j.yaml", f"{{{JOB}, environment_name: stagin}}", "ET301", "did you mean 'staging'?"),
    ("worker_queues/queue.yaml", "{environment: stagingg}", "ET301", "did you mean 'staging'?"),
    (
        "organization.yaml",
        f"{{{HEAD}, people: {{ana: {{github: ana}}}}, owners: [anna]}}",
        "ET301",
        "did you mean 'ana'?",
    ),
    (
        "organization.yaml",
        f"{{{HEAD}, variables: {{A: {{environments: [stagin]}}}}}}",
        "ET301",
        "did you mean 'staging'?",
    ),
    ("organization.yaml", f"{{{HEAD}, lint: {{ET159: error}}}}", "ET204", "did you mean 'ET"),
]


# Where nothing of a kind is declared, the hint says where to declare the first.
FIRST = [
    (AGENT, "{skill_ids: [xyz]}", "there is none yet: add 'skills/xyz.yaml'"),
    (
        "jobs/j.yaml",
        f"{{{JOB}, worker_queue_name: queue}}",
        "there is none yet: add 'worker_queues/queue.yaml'",
    ),
    (
        "organization.yaml",
        f"{{{HEAD}, owners: [ana]}}",
        "there is none yet: add 'ana' to 'people' in organization.yaml",
    ),
]


@pytest.mark.parametrize(("path", "text", "hint"), FIRST)
def test_the_first_of_its_kind(path: str, text: str, hint: str) -> None:
    finding = check({**layers(), path: text}).only_finding()
    assert (finding.code, finding.hint) == ("ET301", hint)


# Parents by environment, the message, the hint, and the paths of the related locations.
CONFLICTS = [
    (
        {"live": [], "europe": ["live"], "shop": ["live", "europe"]},
        "environment 'shop' inherits 'live' before 'europe', but 'europe' inherits 'live'",
        "put 'europe' before 'live', which it inherits",
        ["environments/europe.yaml"],
    ),
    (
        {"aa": [], "bb": [], "xx": ["aa", "bb"], "shop": ["bb", "xx", "aa"]},
        "environment 'shop' inherits 'bb' before 'xx', but 'xx' inherits 'bb'",
        "put 'xx' before 'bb', which it inherits",
        ["environments/xx.yaml"],
    ),
    (
        {"aa": [], "bb": [], "xx": ["aa", "bb"], "yy": ["bb", "aa"], "shop": ["xx", "yy"]},
        "the parents of environment 'shop' conflict: 'yy' inherits 'bb' before 'aa', "
        "but 'xx' inherits 'aa' before 'bb'",
        "write the names in one order in every 'inherits'",
        ["environments/yy.yaml", "environments/xx.yaml"],
    ),
]


@pytest.mark.parametrize(("parents", "message", "hint", "related_paths"), CONFLICTS)
def test_a_conflict_says_which_order_to_change(
    parents: dict[str, list[str]], message: str, hint: str, related_paths: list[str]
) -> None:
    files = {f"environments/{name}.yaml": f"{{inherits: {quote_yaml(names)}}}" for name, names in parents.items()}
    finding = check({**layers(), **files}).only_finding()
    assert (finding.code, finding.span.path) == ("ET303", "environments/shop.yaml")
    assert (finding.message, finding.hint) == (message, hint)
    assert [related.span.path for related in finding.related] == related_paths


@pytest.mark.parametrize(("path", "text", "code", "hint"), NAMES)
def test_a_name_that_points_at_nothing(path: str, text: str, code: str, hint: str) -> None:
    findings = [finding.diagnostic for finding in check({**FILES, path: text}).outcome.findings]
    (finding,) = [finding for finding in findings if finding.code not in ("ET310", "ET752")]
    assert (finding.span.path, finding.code) == (path, code)
    assert finding.hint.startswith(hint)


def test_existing_names_and_uuids_are_accepted() -> None:
    uuid = "3f2b8c1e-7a4d-4e55-9c0a-1b2c3d4e5f60"
    files = {
        "projects/p/teams/t/team.yaml": f"{{skill_ids: [git-tools, {uuid}]}}",
        "projects/p/project.yaml": f"{{key: PP, policy_ids: [rego-rule, {uuid}], targets: [production]}}",
        "environments/production.yaml": "{inherits: base, policy_ids: [rego-rule]}",
    }
    assert check({**FILES, **files}).findings == []


# Targets of project, team and agent, the environments of the bundles, and the codes.
TARGETS = {
    "all that are not abstract": ("", "", "", ["production", "staging"], []),
    "a project": ("[staging]", "", "", ["staging"], []),
    "a team narrows": ("", "[staging]", "", ["staging"], []),
    "an agent narrows": ("[production, staging]", "[production, staging]", "[production]", ["production"], []),
    "none": ("[]", "", "", [], ["ET310"]),
    "none of an agent": ("", "", "[]", [], ["ET310"]),
    "a wider team": ("[staging]", "[staging, production]", "", ["staging"], ["ET304"]),
    "a wider agent": ("[staging]", "", "[production]", [], ["ET304"]),
    "an abstract one": ("", "", "[base]", [], ["ET305"]),
}


@pytest.mark.parametrize(("project", "team", "agent", "environments", "codes"), TARGETS.values(), ids=TARGETS.keys())
def test_targets(project: str, team: str, agent: str, environments: list[str], codes: list[str]) -> None:
    def fields(*parts: str) -> str:
        return f"{{{', '.join(part for part in parts if part)}}}"

    files = {
        "organization.yaml": FILES["organization.yaml"],
        **{path: FILES[path] for path in FILES if path.startswith("environments/")},
        "projects/p/project.yaml": fields("key: PP", project and f"targets: {project}"),
        "projects/p/teams/t/team.yaml": fields(team and f"targets: {team}"),
        "projects/p/teams/t/agents/a.yaml": fields(agent and f"targets: {agent}"),
    }
    result = check(files)
    assert ([id.partition("@")[2] for id in result.outcome.ids], result.codes) == (environments, codes)


# Schemas of users.


def with_policy(schema: Any, section: str = "{env_vars: {A: a}}") -> Any:
    return check({**layers(section), "policies/own.yaml": f"{{schema: {quote_yaml(schema)}}}"})


MISSPELLED_KEYWORDS = {
    "at the root": ({"propertees": {"env_vars": False}}, "propertees", "did you mean 'properties'?"),
    "in a property": ({"properties": {"env_vars": {"requierd": ["A"]}}}, "requierd", "did you mean 'required'?"),
    "in a list": ({"allOf": [True, {"minimun": 3}]}, "minimun", "did you mean 'minimum'?"),
    "in a definition": ({"$defs": {"a": {"adition": 1}}, "$ref": "#/$defs/a"}, "adition", None),
    "in a pattern": ({"patternProperties": {"^e": {"maxlength": 3}}}, "maxlength", "did you mean 'maxLength'?"),
    "behind not": ({"not": {"typ": "object"}}, "typ", "did you mean 'type'?"),
    "behind if": ({"if": {"Required": ["A"]}}, "Required", "did you mean 'required'?"),
    "of items": ({"properties": {"sensitive": {"items": {"patern": "a"}}}}, "patern", "did you mean 'pattern'?"),
}


@pytest.mark.parametrize(("schema", "keyword", "hint"), MISSPELLED_KEYWORDS.values(), ids=MISSPELLED_KEYWORDS.keys())
def test_t27_a_misspelled_keyword_is_reported(schema: Any, keyword: str, hint: str | None) -> None:
    finding = with_policy(schema).only_finding()
    assert (finding.code, finding.message.partition(" ")[0]) == ("ET215", f"'{keyword}'")
    text = f"{{schema: {quote_yaml(schema)}}}"
    assert text[finding.span.column - 1 :].startswith(quote_yaml(keyword))
    assert hint in (None, finding.hint)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": "c", "title": "t", "x-owner": "ana"},
        {"properties": {"propertees": {"type": "object"}, "requierd": True}},
        {"not": {"enum": [{"typo": 1}]}, "anyOf": [True, {"const": {"typo": 1}}], "default": {"typo": 1}},
        {"dependentRequired": {"typo": ["A"]}, "$defs": {"typo": {}}},
    ],
)
def test_t27_names_and_data_are_no_keywords(schema: Any) -> None:
    assert with_policy(schema).codes == []


def test_t27_two_typing_errors_are_two_findings() -> None:
    result = with_policy({"propertees": {}, "properties": {"a": {"typ": "x", "minimun": 1}}})
    assert sorted(line.split("'")[1] for line in result.findings) == ["minimun", "propertees", "typ"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strng"},
        {"properties": []},
        {"$ref": "other.json"},
        {"$ref": "file:///etc/hostname"},
        {"properties": {"a": {"$dynamicRef": "http://127.0.0.1:9/x"}}},
        {"patternProperties": {"(?=a)": True}},
    ],
)
def test_t21_t22_t23_a_schema_that_cannot_be_used_is_one_finding(schema: Any) -> None:
    assert with_policy(schema).codes == ["ET215"]


def test_t26_a_schema_that_loops_over_a_bundle_ends() -> None:
    for schema in ({"$ref": "#"}, {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}):
        assert with_policy(schema).codes == ["ET215"]


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "(", "a{1001}", "\\Z"])
def test_t23_a_contract_s_pattern_is_one_that_re2_reads(pattern: str) -> None:
    assert check(layers("", organization=f"variables: {{A: {{pattern: {quote_yaml(pattern)}}}}}")).codes == ["ET215"]


def test_t24_the_end_of_a_pattern_is_the_end_of_the_text() -> None:
    result = check(layers('{env_vars: {A: "abc\\n"}}', organization='variables: {A: {pattern: "^[a-z]+$"}}'))
    assert result.codes == ["ET701"]


@pytest.mark.parametrize(("last", "codes"), [("", []), ("{b: [7], a: 7}", ["ET704"])])
def test_t25_many_elements_are_compared_with_little_effort(last: str, codes: list[str]) -> None:
    schema = {"properties": {"config": {"properties": {"x": {"uniqueItems": True}}}}}

    def check_many(count: int) -> None:
        items = ", ".join(f"{{a: {number}, b: [{number}]}}" for number in range(count))
        assert with_policy(schema, f"{{config: {{x: [{items}, {last}]}}}}").codes == codes

    assert_linear(lambda count: partial(check_many, count), 25)
    check_many(2000)
