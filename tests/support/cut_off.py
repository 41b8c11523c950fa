"""`python -m tests.support.cut_off COMMAND…` runs a command with no network but loopback, if this machine permits it.

A network of one's own takes root's rights: in a container one has them, and on CI's machines nobody is asked for a
password. A user namespace would do without them, but what is root's belongs to nobody there, and envtree trusts no
program of nobody.
"""

import fcntl
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# From <linux/sockios.h>: to ask for the flags of an interface, and to set them; from <linux/if.h>: that it is up.
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_REQUEST = struct.Struct("16sH14x")
# What sudo takes away whatever it is told, and a Python may need to start.
_RESTORED_VARIABLES = ("PATH", "LD_LIBRARY_PATH")


@cache
def isolation_prefix() -> tuple[str, ...]:
    """What starts a program in a network of its own; nothing where this machine does not permit it."""
    tries = ((way, subprocess.run([*way, "true"], capture_output=True, check=False)) for way in _isolation_commands())
    return next((way for way, done in tries if done.returncode == 0), ())


def _isolation_commands() -> Iterator[tuple[str, ...]]:
    unshare, sudo = shutil.which("unshare"), shutil.which("sudo")
    if unshare and os.geteuid() == 0:
        yield (unshare, "--net")
    elif unshare and sudo and os.environ.get("CI"):
        kept = [f"{name}={os.environ[name]}" for name in _RESTORED_VARIABLES if name in os.environ]
        yield (sudo, "--non-interactive", "--preserve-env", unshare, "--net", "env", *kept)


def isolated_command(*command: str) -> list[str]:
    """What runs a command in a network of its own, as who asks for it; the command itself where none is permitted."""
    if not isolation_prefix():
        return list(command)
    # Root leaves no bytecode behind that is not for others to replace.
    inside = [sys.executable, "-B", "-m", "tests.support.cut_off", "--inside", str(os.geteuid()), str(os.getegid())]
    return [*isolation_prefix(), *inside, *command]


def active_interfaces() -> list[str]:
    """The network interfaces that are up."""
    return [name for _, name in socket.if_nameindex() if _interface_flags(name) & _IFF_UP]


def _interface_flags(name: str, order: int = _SIOCGIFFLAGS, flags: int = 0) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        answer = fcntl.ioctl(asked, order, _REQUEST.pack(name.encode(), flags))
    return int(_REQUEST.unpack(answer)[1])


def _exec_isolated(uid: int, gid: int, *command: str) -> None:
    """Become the command, with loopback up and nobody's rights but the user's."""
    _interface_flags("lo", _SIOCSIFFLAGS, _IFF_UP)
    assert active_interfaces() == ["lo"], f"a network of its own has {active_interfaces()}"
    if os.geteuid() != uid:
        os.initgroups(pwd.getpwuid(uid).pw_name, gid)
        os.setgid(gid)
        os.setuid(uid)
    os.execvp(command[0], command)


def main() -> None:
    """Say which network the command will see, and become the command."""
    alone, shared = (
        "none but loopback",
        "that of this machine, which permits no other; only sockets of Python are guarded",
    )
    print(f"network: {alone if isolation_prefix() else shared}", file=sys.stderr, flush=True)
    command = isolated_command(*sys.argv[1:])
    os.execvp(command[0], command)


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        _exec_isolated(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    else:
        main()
