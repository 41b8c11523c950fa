"""The answers of explain, as frozen data that contains no secret, only the fact that there is one."""

from typing import Any, Literal, NamedTuple

from envtree.model.layers import LayerKind
from envtree.model.span import Span

LayerAction = Literal["set", "locked", "merged", "shadowed", "deleted", "absent"]


class DisplayValue(NamedTuple):
    """The value that a layer wrote: its type and plain data.

    A secret has no data; `length` counts its plaintext bytes if it is encrypted.
    """

    type: str
    value: Any
    is_secret: bool = False
    length: int | None = None


class ValueOrigin(NamedTuple):
    """The origin of a value; `span` is None if only the file is known, `path` is empty without a file."""

    layer: LayerKind
    scope: str
    path: str
    span: Span | None


class LayerEntry(NamedTuple):
    """The effect of one layer on a value; `key` is the key it was written at, `rule` how it was merged."""

    origin: ValueOrigin
    key: str
    action: LayerAction
    rule: str | None
    written: DisplayValue | None
    is_winner: bool


class KeySummary(NamedTuple):
    """A key with its value and its origin, and the `expression` with the keys it `reads`, if computed."""

    key: str
    value: Any
    sensitive: bool
    origin: ValueOrigin | None
    expression: str | None = None
    reads: tuple[str, ...] = ()


class InjectedSecretOrigin(NamedTuple):
    """An injected secret: the path of its leaf in the file, and its metadata, readable without a key."""

    path: str
    origin: ValueOrigin
    written: DisplayValue


class OutputVariable(NamedTuple):
    """The environment variable made of a value, the key of the value, and the location of the name pattern."""

    name: str
    key: str
    span: Span


class Provenance(NamedTuple):
    """The full provenance of a key.

    `layer_entries` are ordered from the lowest layer up, `sources` are the values that it is computed from, directly or
    not, and `nested_keys` the keys inside it.
    """

    summary: KeySummary
    layer_entries: tuple[LayerEntry, ...]
    lock: Span | None
    sources: tuple[KeySummary, ...]
    secret: InjectedSecretOrigin | None
    nested_keys: tuple[KeySummary, ...]
    variable: OutputVariable | None = None


class OrderedLayer(NamedTuple):
    """A layer in the order of a bundle, and its files."""

    layer: LayerKind
    scope: str
    files: tuple[str, ...]
