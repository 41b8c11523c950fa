"""Build the environment of a child: variables of the caller, overridden by those of the bundle."""

import re
from collections.abc import Iterable, Mapping

# The variables that nearly every program needs: to find programs and files, and for its terminal and locale.
_BASE_VARIABLES = re.compile(rb"PATH|HOME|TERM|LANG|LC_\w+|TZ|TMPDIR")
# The keys of secrets files are not passed to a program, which gets its secrets directly.
_SOPS_PREFIX = b"SOPS_"

ProgramEnvironment = dict[bytes, bytes]


def is_sops_variable(name: str) -> bool:
    """Report whether a variable is one of sops."""
    return name.encode("utf-8", "surrogateescape").startswith(_SOPS_PREFIX)


def build_environment(
    variables: Mapping[str, str], caller: Mapping[bytes, bytes], *, pristine: bool, inherited: Iterable[str] = ()
) -> ProgramEnvironment:
    """Return the environment of a child; a `pristine` one has only base and `inherited` variables of the caller."""
    names = {name.encode("utf-8", "surrogateescape") for name in inherited}
    caller_variables = {
        name: value
        for name, value in caller.items()
        if not name.startswith(_SOPS_PREFIX) and (not pristine or name in names or _BASE_VARIABLES.fullmatch(name))
    }
    return caller_variables | {name.encode(): value.encode() for name, value in variables.items()}
