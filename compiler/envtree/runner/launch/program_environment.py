"""The environment of a child: what it takes over from the caller's, and the bundle's variables over it."""

import re
from collections.abc import Iterable, Mapping

# What nearly every program needs to find others, its user's files, and the right way to speak.
_BASE_VARIABLES = re.compile(rb"PATH|HOME|TERM|LANG|LC_\w+|TZ|TMPDIR")
# What opens secrets files is no business of a program that gets its own secrets.
_SOPS_PREFIX = b"SOPS_"

ProgramEnvironment = dict[bytes, bytes]


def is_sops_variable(name: str) -> bool:
    """Whether a variable of the caller is for sops alone."""
    return name.encode("utf-8", "surrogateescape").startswith(_SOPS_PREFIX)


def build_environment(
    variables: Mapping[str, str], caller: Mapping[bytes, bytes], *, pristine: bool, inherited: Iterable[str] = ()
) -> ProgramEnvironment:
    """The whole environment of a child; a pristine one has of the caller's what all need, and what is `inherited`."""
    names = {name.encode("utf-8", "surrogateescape") for name in inherited}
    taken = {
        name: value
        for name, value in caller.items()
        if not name.startswith(_SOPS_PREFIX) and (not pristine or name in names or _BASE_VARIABLES.fullmatch(name))
    }
    return taken | {name.encode(): value.encode() for name, value in variables.items()}
