"""Values without expressions, and how secret each of them is."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from envtree.model.expression import Expression, NamePath
from envtree.model.keypath import KeyPath
from envtree.model.layers import Target
from envtree.model.merged import MergedScalar, MergedStack, MergedValue
from envtree.model.nodes import EncryptedValue

# The sections of a bundle beside `secrets` and `env_vars`, which have rules of their own.
SECTIONS = ("config", "endpoints", "feature_flags", "integration_ids", "mcp_servers", "working_dir")


class Unknown:
    """A value that only a key, or `compile` with its inputs, can tell."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


class HiddenValue:
    """A value that is secret, unknown, or both; it never prints, compares or serialises what it holds.

    `symbol` says how to compute it later: a merged secret, or a `Derived`, `Composite`, `Part`, `AsText` or `Unset`.
    """

    __slots__ = ("_value", "secret", "symbol")

    def __init__(self, value: Any, *, secret: bool, symbol: Any) -> None:
        self._value = value
        self.secret = secret
        self.symbol = symbol

    @property
    def is_known(self) -> bool:
        """Whether the plaintext is at hand."""
        return self._value is not UNKNOWN

    def reveal(self) -> Any:
        """The plaintext; only `resolve`, `lint` and `emit` may ask for it."""
        return self._value

    def __repr__(self) -> str:
        return "[secret]" if self.secret else "[unknown]"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a hidden value is never serialised")


# What stands for a value that could not be computed and has been reported: it never causes a second finding.
ERROR_VALUE: Final = HiddenValue(UNKNOWN, secret=False, symbol=None)


class SymbolWeight(NamedTuple):
    """About how many characters a symbol has when it is spelt out, and how deep it is nested."""

    size: int
    depth: int


class ExpressionSymbol(NamedTuple):
    """The symbol of a computed value: the expression, and the values of its `reads`."""

    expression: Expression
    operands: tuple[Any, ...]
    weight: SymbolWeight


class CompositeSymbol(NamedTuple):
    """The symbol of a map or list that holds hidden parts."""

    data: Any
    weight: SymbolWeight


class PartSymbol(NamedTuple):
    """The symbol of a part of a hidden map or list."""

    container: HiddenValue
    path: NamePath


class UnsetInputSymbol(NamedTuple):
    """The symbol of a declared input that has no value in this run."""

    name: str


class TextSymbol(NamedTuple):
    """The symbol of a hidden value that became the text of an environment variable."""

    value: HiddenValue


def is_text(value: HiddenValue) -> bool:
    """Whether a hidden value is certainly text, whatever it holds."""
    symbol = value.symbol
    if type(symbol) is MergedScalar and isinstance(symbol.node.value, EncryptedValue):
        return symbol.node.value.type == "str"
    return type(symbol) is ExpressionSymbol and not symbol.expression.is_single_term


def reveal(value: Any) -> Any:
    """JSON data with every hidden part in clear; only `resolve`, `lint` and `emit` may ask for it."""
    if isinstance(value, dict):
        return {key: reveal(child) for key, child in value.items()}
    if isinstance(value, list):
        return [reveal(child) for child in value]
    return value.reveal() if isinstance(value, HiddenValue) else value


def hidden_parts(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, HiddenValue]]:
    """What is hidden in JSON data, or is all of it, with its place; `path` is that of the data."""
    if isinstance(value, HiddenValue):
        yield path, value
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        # Most parts are texts, in which nothing is hidden.
        if isinstance(part, (HiddenValue, dict, list)):
            yield from hidden_parts(part, (*path, str(key)))


def symbol_operands(symbol: Any) -> tuple[Any, ...]:
    """What a symbol is computed from: JSON data in which hidden values stand; nothing for a secret and an input."""
    if isinstance(symbol, ExpressionSymbol):
        return symbol.operands
    if isinstance(symbol, CompositeSymbol):
        return (symbol.data,)
    return (
        (symbol.container,)
        if isinstance(symbol, PartSymbol)
        else (symbol.value,)
        if isinstance(symbol, TextSymbol)
        else ()
    )


class InjectedSecret(NamedTuple):
    """A secret that is put into the environment: its file, its path in there, and what chose it."""

    source: str
    path: str
    value: HiddenValue
    selected_by: MergedValue


class Resolved(NamedTuple):
    """One bundle's values: sections hold JSON data in which a `Hidden` may stand for any part.

    `sensitive` is sorted: bare names for env vars, dotted paths with their section otherwise.
    """

    merged: MergedStack
    env_vars: dict[str, Any]
    sections: dict[str, Any]
    injected: dict[str, InjectedSecret]
    sensitive: tuple[str, ...]

    @property
    def target(self) -> Target:
        """Which agent in which environment."""
        return self.merged.stack.target


class ExternalValues(NamedTuple):
    """All that comes from outside the tree.

    `inputs` maps each declared input to its text, or to a Hidden when it has none; `plaintexts` maps a secrets file to
    its leaves by dotted path; with `inputs_required` an input that is read must have a value.
    """

    inputs: Mapping[str, Any]
    plaintexts: Mapping[str, Mapping[str, Any]]
    inputs_required: bool


class Bundle(NamedTuple):
    """One agent in one environment: `data` is what `bundle.json` holds but for the digest, with hidden parts hidden.

    Only what is `hiding` of the data, by its first keys, has hidden parts.
    """

    target: Target
    data: dict[str, Any]
    sensitive: frozenset[str]
    keys_with_hidden_values: frozenset[str]
