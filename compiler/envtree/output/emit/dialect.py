"""What the writers of all formats have in common: what they are given, and what they say of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from envtree.compile.filters import is_writable
from envtree.model.output_settings import KubernetesSettings

_EMPTY: Mapping[str, Any] = MappingProxyType({})


class WriterInput(NamedTuple):
    """A bundle as a writer gets it: the texts of its variables, sorted by name, and the names of those left out.

    `secret` names those of the texts that are secrets. `references` maps a secret that is left out to what stands for
    it in the bundle; `unknown` need an input. `data` is the bundle as JSON data. `fingerprint` changes when any secret
    does, and tells nothing about it. What is not secret lies elsewhere if the secrets are `apart`.
    """

    texts: Mapping[str, str]
    secret_names: frozenset[str] = frozenset()
    references: Mapping[str, Any] = _EMPTY
    unknown_names: tuple[str, ...] = ()
    data: Mapping[str, Any] = _EMPTY
    kubernetes: KubernetesSettings = KubernetesSettings()
    fingerprint: str = ""
    is_secrets_only: bool = False

    @property
    def joined_text(self) -> str:
        """All texts in one: most bundles hold nothing special, and to look at all of it at once is faster."""
        return "".join(self.texts.values())

    @property
    def unwritable_names(self) -> frozenset[str]:
        """The names of variables that no environment can hold."""
        if is_writable(self.joined_text):
            return frozenset()
        return frozenset(name for name, text in self.texts.items() if not is_writable(text))


class SizeLimit(NamedTuple):
    """More than a reader takes: it certainly fails, or may. `name` is the variable, empty for all of them together."""

    is_certain: bool
    message: str
    hint: str
    name: str = ""


class OmittedVariable(NamedTuple):
    """A variable that is left out, and that the format promises to hold or to refer to."""

    name: str
    reason: str
    hint: str


RejectionCheck = Callable[[str, str], str]
FileWriter = Callable[[WriterInput], bytes]


class Dialect(NamedTuple):
    """How a format is written: each of its files, why a variable cannot be, and what is too much.

    `refusal` takes a name and its text, and gives a reason, or nothing. `missing` are those that must not be left out.
    `process` says whether the reader starts a process with the variables: always, possibly, or never (None).
    """

    file_writers: tuple[FileWriter, ...]
    rejection_reason: RejectionCheck | None = None
    find_omitted: Callable[[WriterInput], Iterable[OmittedVariable]] = lambda given: ()
    check_size: Callable[[WriterInput, tuple[bytes, ...]], Iterable[SizeLimit]] = lambda given, files: ()
    starts_process: bool | None = None


def format_lines(env: WriterInput, format_line: Callable[[str, str], str], *, comments: bool = True) -> bytes:
    """A file with a line, or some, for each variable, behind comments about those that are left out."""
    head = omission_comments(env) if comments else ()
    return "".join([*head, *(f"{format_line(name, text)}\n" for name, text in env.texts.items())]).encode()


def format_plain_lines(env: WriterInput, separator: str, terminator: str = "\n", *, comments: bool = True) -> bytes:
    """The same for texts that go as they are between what stands behind the name and what ends the line."""
    # Joined without a step of Python for each of them, of which most files have dozens.
    body = terminator.join(map(separator.join, env.texts.items())) + (terminator if env.texts else "")
    head = "".join(omission_comments(env)) if comments and (env.references or env.unknown_names) else ""
    return (head + body).encode()


def omission_comments(env: WriterInput) -> Iterator[str]:
    """Comments with the names that are left out, and why; all of our dialects but a few begin them with '#'."""
    for why, names in (("sensitive", env.references), ("unknown", env.unknown_names)):
        if names:
            yield f"# {why}, left out: {', '.join(sorted(names))}\n"
