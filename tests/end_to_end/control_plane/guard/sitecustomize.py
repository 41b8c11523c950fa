"""Keep a Python process on this machine; PYTHONPATH loads this module before any other.

It sees every socket operation of Python. An operation that would leave the machine is refused, and recorded in the file
that `ENVTREE_TEST_EGRESS` names, so that a test can check it.
"""

import ipaddress
import os
import sys
from typing import Any


def is_local(host: object) -> bool:
    """Report whether the host of a socket call is this machine; an empty one means all addresses, so it is not."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text is None or text == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(text)).is_loopback
    except ValueError:
        return False


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse operations that would leave the machine; called by the interpreter for every audit event."""
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        if isinstance(address, tuple) and not is_local(address[0]):
            refuse(event, address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_local(arguments[0]):
        refuse(event, arguments[0])


def refuse(event: str, host: object) -> None:
    """Record the host, and stop the call."""
    line = f"{event} {host!r}\n".encode()
    file = os.open(os.environ["ENVTREE_TEST_EGRESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line)
    os.close(file)
    raise PermissionError(f"{event}: {host!r} is not this machine")


sys.addaudithook(watch)
