"""The interface of the format writers: their input, the problems that they report, and shared line formatting."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from envtree.compile.filters import is_writable
from envtree.model.output_settings import KubernetesSettings

_EMPTY: Mapping[str, Any] = MappingProxyType({})


class WriterInput(NamedTuple):
    """A bundle as input of a writer: the texts of its variables, sorted by name, and the names of those left out.

    `secret_names` are those of `texts` that are secrets. `references` maps an omitted secret to its reference in the
    bundle; `unknown_names` need an input. `data` is the bundle as JSON data. `fingerprint` changes with any secret and
    reveals nothing about it. With `is_secrets_only` the other variables are written to another output.
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
        """All texts concatenated: most contain nothing special, and one search over all of them is faster."""
        return "".join(self.texts.values())

    @property
    def unwritable_names(self) -> frozenset[str]:
        """The names of variables that no environment can carry."""
        if is_writable(self.joined_text):
            return frozenset()
        return frozenset(name for name, text in self.texts.items() if not is_writable(text))


class SizeLimit(NamedTuple):
    """A size that a reader refuses, certainly or possibly; `name` is the variable, empty for all of them together."""

    is_certain: bool
    message: str
    hint: str
    name: str = ""


class OmittedVariable(NamedTuple):
    """A variable that is left out although the format must contain it or refer to it."""

    name: str
    reason: str
    hint: str


RejectionCheck = Callable[[str, str], str]
FileWriter = Callable[[WriterInput], bytes]


class Dialect(NamedTuple):
    """How a format is written: a writer for each of its files, and the checks of its limits.

    `rejection_reason` takes a name and its text and returns why the variable cannot be written, or "". `find_omitted`
    returns the variables that must not be left out. `starts_process` says whether the reader starts a process with the
    variables: always (True), possibly (False) or never (None); `is_read_by_shell` whether a shell reads the file or is
    started with its variables.
    """

    file_writers: tuple[FileWriter, ...]
    rejection_reason: RejectionCheck | None = None
    find_omitted: Callable[[WriterInput], Iterable[OmittedVariable]] = lambda env: ()
    check_size: Callable[[WriterInput, tuple[bytes, ...]], Iterable[SizeLimit]] = lambda env, files: ()
    starts_process: bool | None = None
    is_read_by_shell: bool = False


def format_lines(env: WriterInput, format_line: Callable[[str, str], str], *, comments: bool = True) -> bytes:
    """Return a file with one or more lines for each variable, after comments about those that are left out."""
    head = omission_comments(env) if comments else ()
    return "".join([*head, *(f"{format_line(name, text)}\n" for name, text in env.texts.items())]).encode()


def format_plain_lines(env: WriterInput, separator: str, terminator: str = "\n", *, comments: bool = True) -> bytes:
    """Return the same for texts that are written unchanged between a separator and a terminator."""
    # Joined without a Python step per variable: most files have dozens.
    body = terminator.join(map(separator.join, env.texts.items())) + (terminator if env.texts else "")
    head = "".join(omission_comments(env)) if comments and (env.references or env.unknown_names) else ""
    return (head + body).encode()


def omission_comments(env: WriterInput) -> Iterator[str]:
    """Yield comments with the names that are left out, and the reason; most dialects begin comments with '#'."""
    for reason, names in (("sensitive", env.references), ("unknown", env.unknown_names)):
        if names:
            yield f"# {reason}, left out: {', '.join(sorted(names))}\n"
