"""Resolved values: no expressions are left, and secret or unknown values are hidden."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from envtree.model.expression import Expression, NamePath
from envtree.model.keypath import KeyPath
from envtree.model.layers import Target
from envtree.model.merged import MergedScalar, MergedStack, MergedValue
from envtree.model.nodes import EncryptedValue

# The sections of a bundle except `secrets` and `env_vars`, which have rules of their own.
SECTIONS = ("config", "endpoints", "feature_flags", "integration_ids", "mcp_servers", "working_dir")


class Unknown:
    """The marker of a value that needs a decryption key, or the inputs of `compile`."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


class HiddenValue:
    """A value that is secret, unknown, or both; its plaintext is never printed, compared or serialised.

    `symbol` describes how to compute the value later: a merged secret, or an `ExpressionSymbol`, `CompositeSymbol`,
    `PartSymbol`, `TextSymbol` or `UnsetInputSymbol`.
    """

    __slots__ = ("_value", "secret", "symbol")

    def __init__(self, value: Any, *, secret: bool, symbol: Any) -> None:
        self._value = value
        self.secret = secret
        self.symbol = symbol

    @property
    def is_known(self) -> bool:
        """Whether the plaintext is available."""
        return self._value is not UNKNOWN

    def reveal(self) -> Any:
        """Return the plaintext; only `compile.resolve`, `compile.bundle_lint` and `output.emit` may call this."""
        return self._value

    def __repr__(self) -> str:
        return "[secret]" if self.secret else "[unknown]"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a hidden value is never serialised")


# The placeholder of a value that could not be computed and has been reported; it never causes a second finding.
ERROR_VALUE: Final = HiddenValue(UNKNOWN, secret=False, symbol=None)


class SymbolWeight(NamedTuple):
    """The approximate size of a written-out symbol, in characters, and its nesting depth."""

    size: int
    depth: int


class ExpressionSymbol(NamedTuple):
    """The symbol of a computed value: the expression, and the values of its `references`."""

    expression: Expression
    operands: tuple[Any, ...]
    weight: SymbolWeight


class CompositeSymbol(NamedTuple):
    """The symbol of a map or list with hidden parts."""

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
    """The symbol of a hidden value converted to the text of an environment variable."""

    value: HiddenValue


def is_text(value: HiddenValue) -> bool:
    """Report whether a hidden value is text for certain, judged without its plaintext."""
    symbol = value.symbol
    if type(symbol) is MergedScalar and isinstance(symbol.node.value, EncryptedValue):
        return symbol.node.value.type == "str"
    return type(symbol) is ExpressionSymbol and not symbol.expression.is_single_term


def reveal(value: Any) -> Any:
    """Return JSON data with every hidden part as plaintext; the callers of `HiddenValue.reveal` are restricted."""
    if isinstance(value, dict):
        return {key: reveal(child) for key, child in value.items()}
    if isinstance(value, list):
        return [reveal(child) for child in value]
    return value.reveal() if isinstance(value, HiddenValue) else value


def hidden_parts(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, HiddenValue]]:
    """Yield each hidden value in JSON data with its path; `path` is the path of the data itself."""
    if isinstance(value, HiddenValue):
        yield path, value
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        # Most parts are texts, which need no recursion.
        if isinstance(part, (HiddenValue, dict, list)):
            yield from hidden_parts(part, (*path, str(key)))


def symbol_operands(symbol: Any) -> tuple[Any, ...]:
    """Return the operands of a symbol, JSON data with hidden values; empty for a secret and for an input."""
    if isinstance(symbol, ExpressionSymbol):
        return symbol.operands
    if isinstance(symbol, CompositeSymbol):
        return (symbol.data,)
    if isinstance(symbol, PartSymbol):
        return (symbol.container,)
    return (symbol.value,) if isinstance(symbol, TextSymbol) else ()


class InjectedSecret(NamedTuple):
    """A secret injected into the environment: its file, its path in the file, and the value that selected it."""

    source: str
    path: str
    value: HiddenValue
    selected_by: MergedValue


class Resolved(NamedTuple):
    """The values of one bundle; any part of the JSON data in `sections` may be a `HiddenValue`.

    `sensitive` is sorted: bare names for env vars, dotted paths with their section otherwise.
    """

    merged: MergedStack
    env_vars: dict[str, Any]
    sections: dict[str, Any]
    injected: dict[str, InjectedSecret]
    sensitive: tuple[str, ...]

    @property
    def target(self) -> Target:
        """The agent and the environment of the bundle."""
        return self.merged.stack.target


class ExternalValues(NamedTuple):
    """The values of a run that come from outside the tree.

    `inputs` maps each declared input to its text, or to a `HiddenValue` if it has no value; `plaintexts` maps a secrets
    file to its leaves by dotted path; with `inputs_required`, an input that is read must have a value.
    """

    inputs: Mapping[str, Any]
    plaintexts: Mapping[str, Mapping[str, Any]]
    inputs_required: bool


class Bundle(NamedTuple):
    """One agent in one environment; `data` is the content of `bundle.json` without the digest, with hidden values.

    Only the top-level keys in `keys_with_hidden_values` can contain hidden values.
    """

    target: Target
    data: dict[str, Any]
    sensitive: frozenset[str]
    keys_with_hidden_values: frozenset[str]
