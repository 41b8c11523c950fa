"""Keep a Python process on this machine: loaded at its start, before anything of its own, by PYTHONPATH.

It sees every socket that Python opens. What tries to leave is refused, and written to the file that
`ENVTREE_TEST_EGRESS` names, so that a test can say what was tried.
"""

import ipaddress
import os
import sys
from typing import Any


def is_local(host: object) -> bool:
    """Whether a host of a socket call is this machine. An empty one is every address of it, which is too many."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text is None or text == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(text)).is_loopback
    except ValueError:
        return False


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what would leave; called by the interpreter for everything that it does."""
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        if isinstance(address, tuple) and not is_local(address[0]):
            refuse(event, address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_local(arguments[0]):
        refuse(event, arguments[0])


def refuse(event: str, host: object) -> None:
    """Write down who was asked for, and stop the call."""
    line = f"{event} {host!r}\n".encode()
    file = os.open(os.environ["ENVTREE_TEST_EGRESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line)
    os.close(file)
    raise PermissionError(f"{event}: {host!r} is not this machine")


sys.addaudithook(watch)
