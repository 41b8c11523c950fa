"""The text and weight of `ref` templates for computed secrets; `test_taint.py` checks that they are right."""

from typing import Any

import pytest

from envtree.compile.filters import MAX_VALUE_LENGTH
from envtree.compile.resolve.symbol_weight import describe_symbol_excess
from envtree.model.resolved import CompositeSymbol, ExpressionSymbol, HiddenValue, SymbolWeight
from envtree.output.emit import bundle_json
from tests.support.trees import ID, check, layers, quote_yaml

SECRETS = {"token": "s3cr}}t", "port": 5432, "hosts": ["a", "b"], "db": {"user": "ana", "pass.word": "p"}}
TOKEN = "'${{ secrets.token }}'"
CONFIG = f"text: 'x-{TOKEN[1:-1]}', whole: {TOKEN}, map: {{a: {TOKEN}, k: 1}}, deep: {{a: [{{b: {TOKEN}}}]}}, "
CONFIG += f"parts: '${{{{ secrets.db }}}}', list: [1], k: 1, copies: [{{a: 1, b: [{TOKEN}, 2]}}, {{c: {TOKEN}}}]"

# Values with secrets, and their `ref` templates; S stands for the reference.
AS_REFERENCE = {
    "y-${{ config.text }}": "y-x-${{ S }}",
    "z-${{ config.whole }}": "z-${{ S }}",
    "q${{ config.map }}": 'q${{ {"a": S, "k": 1} }}',
    "${{ config.text | upper }}": '${{ (("x-" ~ S) | upper) }}',
    "${{ config.list[0] ~ config.map['a'] }}": "${{ (1 ~ S) }}",
    "${{ secrets.token | replace('a', 'b') }}": '${{ (S | replace("a", "b")) }}',
    "${{ secrets.token if config.k == 1 }}": "${{ (S if (1 == 1) else none) }}",
    "${{ secrets.token if config.k else 2 }}": "${{ (S if 1 else 2) }}",
    "${{ secrets.nope | d(secrets.token) }}": "${{ S }}",
    "${{ secrets.nope | default(other=secrets.token) ~ 1 }}": "${{ (S ~ 1) }}",
    "${{ secrets.token ~ (secrets.nope | d) }}": '${{ (S ~ "") }}',
    "${{ secrets.token if true else secrets.nope | upper }}": "${{ (S if true else (none | upper)) }}",
    "${{ secrets.token if secrets.nope is undefined else 1 }}": "${{ (S if true else 1) }}",
    "${{ secrets.token if secrets.nope is defined else 1 }}": "${{ (S if false else 1) }}",
    "${{ 1 < 2 <= 3 and not (secrets.token in ['a']) }}": '${{ ((1 < 2 <= 3) and (not (S in ["a"]))) }}',
    "${{ [secrets.token, none, true, 1.5, -2, 'é'] }}": '${{ [S, none, true, 1.5, (-2), "é"] }}',
    "${{ {'a': secrets.token}.a }}": '${{ {"a": S}["a"] }}',
    "$${{ a }} ${{ secrets.token }} $${{ b }}": "$${{ a }} ${{ S }} $${{ b }}",
}
# The size and depth of each value; a text around a value adds a level, and so does each map, list and part.
WEIGHTS = {
    "x${{ secrets.token }}": (78, 2),
    "x${{ secrets.db }}": (177, 3),
    "x${{ secrets.hosts }}": (152, 3),
    "x${{ config.map }}": (96, 3),
    "x${{ config.deep.a }}": (89, 4),
    "x${{ config.deep }}": (96, 5),
    "x${{ config.copies }}": (165, 5),
    "x${{ config.parts.user }}": (196, 4),
    "${{ config.parts.user ~ config.parts['pass.word'] }}": (380, 4),
    "x${{ secrets.nope | default(config.parts.user) }}": (228, 4),
    "x${{ env_vars.PORT }}": (93, 3),
}


def hidden(value: str) -> tuple[HiddenValue, Any]:
    """Return a value of `config` without a key, and its `ref` form."""
    variables = "env_vars: {PORT: '${{ secrets.port }}'}"
    files = layers(f"{{config: {{{CONFIG}, value: {quote_yaml(value)}}}, {variables}}}", secrets={0: SECRETS})
    bundle = check(files).bundles[ID]
    return bundle.data["config"]["value"], bundle_json(bundle, "ref")["config"]["value"]


@pytest.mark.parametrize(("value", "template"), AS_REFERENCE.items())
def test_text_of_a_reference(value: str, template: str) -> None:
    assert hidden(value)[1] == {"$template": template.replace("S", 'secrets["organization.secrets.yaml#token"]')}


@pytest.mark.parametrize("value", [*AS_REFERENCE, *WEIGHTS])
def test_the_weight_of_a_reference_is_about_its_length(value: str) -> None:
    hidden_value, reference = hidden(value)
    symbol = hidden_value.symbol
    assert isinstance(symbol, ExpressionSymbol)
    assert 0.75 < symbol.weight.size / len(reference["$template"]) < 2.5
    assert symbol.weight == WEIGHTS.get(value, symbol.weight)


@pytest.mark.parametrize(
    ("size", "depth", "message"),
    [
        (MAX_VALUE_LENGTH, 80, ""),
        (
            MAX_VALUE_LENGTH + 1,
            80,
            f"with its secrets spelt out, this value is longer than {MAX_VALUE_LENGTH} characters",
        ),
        (MAX_VALUE_LENGTH, 81, "with its secrets spelt out, this value is nested in more than 80 levels"),
    ],
)
def test_limits_of_references(size: int, depth: int, message: str) -> None:
    assert describe_symbol_excess(CompositeSymbol({}, SymbolWeight(size, depth))) == message
