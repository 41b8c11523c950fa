"""What explain answers: frozen data in which no secret stands, only that there is one."""

from typing import Any, Literal, NamedTuple

from envtree.model.layers import LayerKind
from envtree.model.span import Span

Action = Literal["set", "locked", "merged", "shadowed", "deleted", "absent"]


class Shown(NamedTuple):
    """What a layer wrote: its type and plain data; a secret has no data, `length` counts its bytes if it is sealed."""

    type: str
    value: Any
    secret: bool = False
    length: int | None = None


class Origin(NamedTuple):
    """Where something was said; `span` is None where only the file is known, `path` is empty without a file."""

    layer: LayerKind
    scope: str
    path: str
    span: Span | None


class Rung(NamedTuple):
    """What one layer has to do with a value; `key` is where it said so, `rule` how it stands over what is below."""

    origin: Origin
    key: str
    action: Action
    rule: str | None
    written: Shown | None
    wins: bool


class Line(NamedTuple):
    """A key with its value and its winner; `expression` and `reads` where the winner is computed."""

    key: str
    value: Any
    sensitive: bool
    origin: Origin | None
    expression: str | None = None
    reads: tuple[str, ...] = ()


class Secret(NamedTuple):
    """The secret that is injected: the path of its leaf inside the file, and what is known of it without a key."""

    path: str
    origin: Origin
    written: Shown


class Variable(NamedTuple):
    """The environment variable that a value becomes, the key of the value, and where the pattern of its name stands."""

    name: str
    key: str
    span: Span


class Ladder(NamedTuple):
    """All about one key: its rungs, lowest first, what the winner reads, directly or not, and the keys inside."""

    line: Line
    rungs: tuple[Rung, ...]
    lock: Span | None
    sources: tuple[Line, ...]
    secret: Secret | None
    keys: tuple[Line, ...]
    variable: Variable | None = None


class Step(NamedTuple):
    """A layer in the order of a bundle, and its files."""

    layer: LayerKind
    scope: str
    files: tuple[str, ...]
