"""What explain answers: frozen data in which no secret stands, only that there is one."""

from typing import Any, Literal, NamedTuple

from envtree.model.layers import LayerKind
from envtree.model.span import Span

LayerAction = Literal["set", "locked", "merged", "shadowed", "deleted", "absent"]


class DisplayValue(NamedTuple):
    """What a layer wrote: its type and plain data; a secret has no data, `length` counts its bytes if it is sealed."""

    type: str
    value: Any
    is_secret: bool = False
    length: int | None = None


class ValueOrigin(NamedTuple):
    """Where something was said; `span` is None where only the file is known, `path` is empty without a file."""

    layer: LayerKind
    scope: str
    path: str
    span: Span | None


class LayerEntry(NamedTuple):
    """What one layer has to do with a value; `key` is where it said so, `rule` how it stands over what is below."""

    origin: ValueOrigin
    key: str
    action: LayerAction
    rule: str | None
    written: DisplayValue | None
    is_winner: bool


class KeySummary(NamedTuple):
    """A key with its value and its winner; `expression` and `reads` where the winner is computed."""

    key: str
    value: Any
    sensitive: bool
    origin: ValueOrigin | None
    expression: str | None = None
    reads: tuple[str, ...] = ()


class InjectedSecretOrigin(NamedTuple):
    """The secret that is injected: the path of its leaf inside the file, and what is known of it without a key."""

    path: str
    origin: ValueOrigin
    written: DisplayValue


class OutputVariable(NamedTuple):
    """The environment variable that a value becomes, the key of the value, and where the pattern of its name stands."""

    name: str
    key: str
    span: Span


class Provenance(NamedTuple):
    """All about one key: its rungs, lowest first, what the winner reads, directly or not, and the keys inside."""

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
