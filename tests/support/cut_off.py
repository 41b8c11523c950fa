"""`python -m tests.support.cut_off COMMAND…` runs a command without a network except loopback, if possible.

A network namespace requires root: containers run as root, and CI machines have sudo without a password. A user
namespace would not require root, but maps files of root to the user `nobody`, whose programs envtree does not trust.
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
# From <linux/sockios.h>: get and set the flags of an interface; from <linux/if.h>: the flag of an active interface.
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_REQUEST = struct.Struct("16sH14x")
# Variables that sudo always removes, and that Python may need to start.
_RESTORED_VARIABLES = ("PATH", "LD_LIBRARY_PATH")


@cache
def isolation_prefix() -> tuple[str, ...]:
    """Return the command prefix that isolates a program from the network; empty if this machine does not permit it."""
    attempts = (
        (prefix, subprocess.run([*prefix, "true"], capture_output=True, check=False))
        for prefix in _isolation_commands()
    )
    return next((prefix for prefix, result in attempts if result.returncode == 0), ())


def _isolation_commands() -> Iterator[tuple[str, ...]]:
    unshare, sudo = shutil.which("unshare"), shutil.which("sudo")
    if unshare and os.geteuid() == 0:
        yield (unshare, "--net")
    elif unshare and sudo and os.environ.get("CI"):
        variables = [f"{name}={os.environ[name]}" for name in _RESTORED_VARIABLES if name in os.environ]
        yield (sudo, "--non-interactive", "--preserve-env", unshare, "--net", "env", *variables)


def isolated_command(*command: str) -> list[str]:
    """Return a command line that runs a command isolated, as the current user; unchanged if that is not permitted."""
    if not isolation_prefix():
        return list(command)
    # `-B`: root must not write bytecode that the user cannot replace.
    entry_point = [
        sys.executable,
        "-B",
        "-m",
        "tests.support.cut_off",
        "--inside",
        str(os.geteuid()),
        str(os.getegid()),
    ]
    return [*isolation_prefix(), *entry_point, *command]


def active_interfaces() -> list[str]:
    """Return the names of the active network interfaces."""
    return [name for _, name in socket.if_nameindex() if _interface_flags(name) & _IFF_UP]


def _interface_flags(name: str, order: int = _SIOCGIFFLAGS, flags: int = 0) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram_socket:
        answer = fcntl.ioctl(datagram_socket, order, _REQUEST.pack(name.encode(), flags))
    return int(_REQUEST.unpack(answer)[1])


def _exec_isolated(uid: int, gid: int, *command: str) -> None:
    """Activate loopback, drop the rights of root, and exec the command."""
    _interface_flags("lo", _SIOCSIFFLAGS, _IFF_UP)
    assert active_interfaces() == ["lo"], f"a network of its own has {active_interfaces()}"
    if os.geteuid() != uid:
        os.initgroups(pwd.getpwuid(uid).pw_name, gid)
        os.setgid(gid)
        os.setuid(uid)
    os.execvp(command[0], command)


def main() -> None:
    """Print which network the command has, and exec it."""
    isolated, shared = (
        "none but loopback",
        "that of this machine, which permits no other; only sockets of Python are guarded",
    )
    print(f"network: {isolated if isolation_prefix() else shared}", file=sys.stderr, flush=True)
    command = isolated_command(*sys.argv[1:])
    os.execvp(command[0], command)


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        _exec_isolated(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    else:
        main()
