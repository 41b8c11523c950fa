"""Values are inserted into the text of a file: every other byte stays, and what is not understood is refused."""

from typing import Any

import pytest

from envtree.refactor.insert_value import NoPlaceError, append_item, insert_value, read_data

SECRETS = ("execution_environment", "secrets")
# The text before and after the insertion of `secrets: [A]` into `execution_environment`.
INSERTED = {
    "": "execution_environment:\n  secrets: [A]\n",
    "{}\n": "execution_environment:\n  secrets: [A]\n",
    "# why\n{}\n": "# why\nexecution_environment:\n  secrets: [A]\n",
    "# only this": "# only this\nexecution_environment:\n  secrets: [A]\n",
    "name: x": "name: x\nexecution_environment:\n  secrets: [A]\n",
    "name: x\r\n": "name: x\r\nexecution_environment:\r\n  secrets: [A]\r\n",
    "name: x  # y\n\n# end\n": "name: x  # y\nexecution_environment:\n  secrets: [A]\n\n# end\n",
    "execution_environment:\nname: x\n": "execution_environment:\n  secrets: [A]\nname: x\n",
    "execution_environment: {}\n": "execution_environment: {secrets: [A]}\n",
    "execution_environment: {config: {a: 1}}  # x\n": "execution_environment: {config: {a: 1}, secrets: [A]}  # x\n",
    "execution_environment:\n    config:\n        a: 1  # one\n\nname: x\n": (
        "execution_environment:\n    config:\n        a: 1  # one\n    secrets: [A]\n\nname: x\n"
    ),
    "execution_environment:\n  config:\n    - a\n    - b: |\n        x\n        y\nname: x\n": (
        "execution_environment:\n  config:\n    - a\n    - b: |\n        x\n        y\n  secrets: [A]\nname: x\n"
    ),
    "a: &a {x: 1}\nexecution_environment:\n  config: *a\nname: x\n": (
        "a: &a {x: 1}\nexecution_environment:\n  config: *a\n  secrets: [A]\nname: x\n"
    ),
    "execution_environment:\n  env_vars:\n    Ü: 'ä😀'\n    \"b\": c\n": (
        "execution_environment:\n  env_vars:\n    Ü: 'ä😀'\n    \"b\": c\n  secrets: [A]\n"
    ),
}


@pytest.mark.parametrize("text", INSERTED)
def test_a_value_is_inserted_and_nothing_else_changes(text: str) -> None:
    assert insert_value(text, SECRETS, ["A"]) == INSERTED[text]


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "secrets: []\n": "secrets: [B]\n",
        "secrets: [A]\n": "secrets: [A, B]\n",
        "secrets: [\n  A,\n]\n": "secrets: [\n  A,B\n]\n",
        "secrets:\n  - A  # a\nname: x\n": "secrets:\n  - A  # a\n  - B\nname: x\n",
        "secrets:\n- A\nname: x\n": "secrets:\n- A\n- B\nname: x\n",
    }.items(),
)
def test_an_item_is_appended(text: str, expected: str) -> None:
    assert append_item(text, ("secrets",), "B") == expected


@pytest.mark.parametrize("value", ["no", "1", "a b", "", {"age": "age1x", "n": "no"}, ["a: b", 1, True, None]])
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    for key in ("people", "007", "n", "a.b"):
        assert read_data(insert_value("name: x\n", ("p", key), value)) == {"name": "x", "p": {key: value}}


@pytest.mark.parametrize(
    "text",
    [
        "execution_environment: text\n",
        "execution_environment:\n  secrets: [B]\n",
        "execution_environment: [a]\n",
        "execution_environment: {a: 1  # why\n}\n",
        "execution_environment: null\n",
        "x: [\n",
        "a: 1\n---\nb: 1\n",
    ],
)
def test_a_form_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(NoPlaceError):
        insert_value(text, SECRETS, ["A"])
