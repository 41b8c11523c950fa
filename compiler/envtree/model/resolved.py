"""Values without expressions, and how secret each of them is."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from envtree.model.expression import Expression, NamePath
from envtree.model.keypath import KeyPath
from envtree.model.layers import Target
from envtree.model.merged import Leaf, Merged, MergedStack
from envtree.model.nodes import Cipher

# The sections of a bundle beside `secrets` and `env_vars`, which have rules of their own.
SECTIONS = ("config", "endpoints", "feature_flags", "integration_ids", "mcp_servers", "working_dir")


class Unknown:
    """A value that only a key, or `compile` with its inputs, can tell."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


class Hidden:
    """A value that is secret, unknown, or both; it never prints, compares or serialises what it holds.

    `symbol` says how to compute it later: a merged secret, or a `Derived`, `Composite`, `Part`, `AsText` or `Unset`.
    """

    __slots__ = ("_value", "secret", "symbol")

    def __init__(self, value: Any, *, secret: bool, symbol: Any) -> None:
        self._value = value
        self.secret = secret
        self.symbol = symbol

    @property
    def known(self) -> bool:
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
HOLE: Final = Hidden(UNKNOWN, secret=False, symbol=None)


class Weight(NamedTuple):
    """About how many characters a symbol has when it is spelt out, and how deep it is nested."""

    size: int
    depth: int


class Derived(NamedTuple):
    """The symbol of a computed value: the expression, and the values of its `reads`."""

    expression: Expression
    operands: tuple[Any, ...]
    weight: Weight


class Composite(NamedTuple):
    """The symbol of a map or list that holds hidden parts."""

    data: Any
    weight: Weight


class Part(NamedTuple):
    """The symbol of a part of a hidden map or list."""

    whole: Hidden
    path: NamePath


class Unset(NamedTuple):
    """The symbol of a declared input that has no value in this run."""

    name: str


class AsText(NamedTuple):
    """The symbol of a hidden value that became the text of an environment variable."""

    value: Hidden


def is_text(value: Hidden) -> bool:
    """Whether a hidden value is certainly text, whatever it holds."""
    symbol = value.symbol
    if type(symbol) is Leaf and isinstance(symbol.node.value, Cipher):
        return symbol.node.value.type == "str"
    return type(symbol) is Derived and not symbol.expression.whole


def reveal(value: Any) -> Any:
    """JSON data with every hidden part in clear; only `resolve`, `lint` and `emit` may ask for it."""
    if isinstance(value, dict):
        return {key: reveal(child) for key, child in value.items()}
    if isinstance(value, list):
        return [reveal(child) for child in value]
    return value.reveal() if isinstance(value, Hidden) else value


def hidden_parts(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Hidden]]:
    """What is hidden in JSON data, or is all of it, with its place; `path` is that of the data."""
    if isinstance(value, Hidden):
        yield path, value
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        # Most parts are texts, in which nothing is hidden.
        if isinstance(part, (Hidden, dict, list)):
            yield from hidden_parts(part, (*path, str(key)))


def operands(symbol: Any) -> tuple[Any, ...]:
    """What a symbol is computed from: JSON data in which hidden values stand; nothing for a secret and an input."""
    if isinstance(symbol, Derived):
        return symbol.operands
    if isinstance(symbol, Composite):
        return (symbol.data,)
    return (symbol.whole,) if isinstance(symbol, Part) else (symbol.value,) if isinstance(symbol, AsText) else ()


class Injection(NamedTuple):
    """A secret that is put into the environment: its file, its path in there, and what chose it."""

    source: str
    path: str
    value: Hidden
    chosen: Merged


class Resolved(NamedTuple):
    """One bundle's values: sections hold JSON data in which a `Hidden` may stand for any part.

    `sensitive` is sorted: bare names for env vars, dotted paths with their section otherwise.
    """

    merged: MergedStack
    env_vars: dict[str, Any]
    sections: dict[str, Any]
    injected: dict[str, Injection]
    sensitive: tuple[str, ...]

    @property
    def target(self) -> Target:
        """Which agent in which environment."""
        return self.merged.stack.target


class Outside(NamedTuple):
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
    hiding: frozenset[str]
