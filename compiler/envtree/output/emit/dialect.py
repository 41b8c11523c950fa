"""What the writers of all formats have in common: what they are given, and what they say of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from envtree.compile.filters import is_writable
from envtree.model.output_settings import Kubernetes

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Variables(NamedTuple):
    """A bundle as a writer gets it: the texts of its variables, sorted by name, and the names of those left out.

    `secret` names those of the texts that are secrets. `references` maps a secret that is left out to what stands for
    it in the bundle; `unknown` need an input. `data` is the bundle as JSON data. `fingerprint` changes when any secret
    does, and tells nothing about it. What is not secret lies elsewhere if the secrets are `apart`.
    """

    texts: Mapping[str, str]
    secret: frozenset[str] = frozenset()
    references: Mapping[str, Any] = _NOTHING
    unknown: tuple[str, ...] = ()
    data: Mapping[str, Any] = _NOTHING
    kubernetes: Kubernetes = Kubernetes()
    fingerprint: str = ""
    apart: bool = False

    @property
    def joined(self) -> str:
        """All texts in one: most bundles hold nothing special, and to look at all of it at once is faster."""
        return "".join(self.texts.values())

    @property
    def unwritable(self) -> frozenset[str]:
        """The names of variables that no environment can hold."""
        if is_writable(self.joined):
            return frozenset()
        return frozenset(name for name, text in self.texts.items() if not is_writable(text))


class Excess(NamedTuple):
    """More than a reader takes: it certainly fails, or may. `name` is the variable, empty for all of them together."""

    certain: bool
    message: str
    hint: str
    name: str = ""


class Missing(NamedTuple):
    """A variable that is left out, and that the format promises to hold or to refer to."""

    name: str
    why: str
    hint: str


Refusal = Callable[[str, str], str]
Write = Callable[[Variables], bytes]


class Dialect(NamedTuple):
    """How a format is written: each of its files, why a variable cannot be, and what is too much.

    `refusal` takes a name and its text, and gives a reason, or nothing. `missing` are those that must not be left out.
    `process` says whether the reader starts a process with the variables: always, possibly, or never (None).
    """

    write: tuple[Write, ...]
    refusal: Refusal | None = None
    missing: Callable[[Variables], Iterable[Missing]] = lambda given: ()
    excess: Callable[[Variables, tuple[bytes, ...]], Iterable[Excess]] = lambda given, files: ()
    process: bool | None = None


def lines(given: Variables, line: Callable[[str, str], str], *, comments: bool = True) -> bytes:
    """A file with a line, or some, for each variable, behind comments about those that are left out."""
    head = left_out(given) if comments else ()
    return "".join([*head, *(f"{line(name, text)}\n" for name, text in given.texts.items())]).encode()


def plain_lines(given: Variables, middle: str, end: str = "\n", *, comments: bool = True) -> bytes:
    """The same for texts that go as they are between what stands behind the name and what ends the line."""
    # Joined without a step of Python for each of them, of which most files have dozens.
    body = end.join(map(middle.join, given.texts.items())) + (end if given.texts else "")
    head = "".join(left_out(given)) if comments and (given.references or given.unknown) else ""
    return (head + body).encode()


def left_out(given: Variables) -> Iterator[str]:
    """Comments with the names that are left out, and why; all of our dialects but a few begin them with '#'."""
    for why, names in (("sensitive", given.references), ("unknown", given.unknown)):
        if names:
            yield f"# {why}, left out: {', '.join(sorted(names))}\n"
