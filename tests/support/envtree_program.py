"""A program `envtree` for shell commands: a small client whose commands run in forks of a server, not in a new Python.

A command with a PYTHONPATH needs a Python of its own, and gets it.
"""

import ast
import functools
import gc
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import warnings
from pathlib import Path

from tests.support.forked_envtree import become_envtree, import_all_modules

_CLIENT = """#!{python} -IS
import os, socket, sys
if "PYTHONPATH" in os.environ:
    os.execv({python!r}, [{python!r}, "-m", "envtree", *sys.argv[1:]])
message = repr((sys.argv, os.getcwd(), os.umask(0), dict(os.environ))).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [len(message).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(message)
    code = int(server.recv(8))
if code < 0:
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def write_envtree_program(folder: Path) -> Path:
    """Write a program `envtree` into a folder."""
    program = folder / "envtree"
    program.write_text(_CLIENT.format(python=sys.executable, address=_start_server()), "utf-8")
    program.chmod(0o755)
    return program


@functools.cache
def _start_server() -> str:
    """Start a fork of this process that serves clients as long as this process lives, and return its address."""
    import_all_modules()
    folder = tempfile.mkdtemp(prefix="envtree")
    address = f"{folder}/socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    end_of_parent, lifeline = os.pipe()
    if not _fork():
        os.close(lifeline)
        try:
            _serve(listener, end_of_parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(0)
    listener.close()
    os.close(end_of_parent)
    return address


def _fork() -> int:
    with warnings.catch_warnings():
        # The other threads of this process wait for messages, and hold no lock that the child needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _serve(listener: socket.socket, end_of_parent: int) -> None:
    gc.freeze()
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    # Nobody asks how the processes that answer have ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while end_of_parent not in select.select([listener.fileno(), end_of_parent], [], [])[0]:
        client, _ = listener.accept()
        if not _fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _answer(client)
            finally:
                os._exit(0)
        client.close()


def _answer(client: socket.socket) -> None:
    """Run the command of a client with its streams, and send the exit code."""
    size, descriptors, *_ = socket.recv_fds(client, 8, 3)
    with client.makefile("rb") as reader:
        argv, cwd, umask, environ = ast.literal_eval(reader.read(int.from_bytes(size, "big")).decode())
    if pid := _fork():
        # A reader of the streams waits until nobody can write to them any more.
        for descriptor in descriptors:
            os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        client.sendall(str(code).encode())
    else:
        os.umask(umask)
        stdin, stdout, stderr = descriptors
        become_envtree(argv, environ, cwd, (stdin, stdout, stderr))
