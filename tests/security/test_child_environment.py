"""What a program, its children and its terminal see and show: the environment, and output that is redacted."""

import os
import pty
import sys

import pytest

from tests.support.vault import ID, PASSWORD, Vault, still

__all__ = ["still"]

FIRST_LINE = PASSWORD.splitlines()[0].encode()
CANARIES = (FIRST_LINE, b"quokka7", b"second-line-of-the-canary")
KEYS = {
    "KUBIYA_CANARY": "1",
    "SOPS_AGE_KEY": "AGE-SECRET-KEY-1WOMBAT",
    "SOPS_AGE_KEY_CMD": "wombat",
    "SOPS_X": "wombat",
}

# A process that has left the session of the program, and writes before and after its end.
ORPHAN = """
import os, sys, time
text = os.environ["PASSWORD"].encode()
if not os.fork():
    os.setsid()
    if not os.fork():
        for byte in text.split(b"\\n")[0]:
            os.write(1, bytes([byte]))
        os.write(2, text)
        time.sleep(0.2)
        try:
            os.write(1, text * 1000)
        except OSError:
            pass
    os._exit(0)
os.wait()
"""
WRITERS = {
    "at once": "import os; os.write(1, os.environb[b'PASSWORD'])",
    "by byte": "import os\nfor byte in os.environb[b'PASSWORD']: os.write(1, bytes([byte]))",
    "by turns": "import os\nfor byte in os.environb[b'PASSWORD']: os.write(1, bytes([byte])); os.write(2, b'.')",
    "a grandchild": "import os; os.system('sh -c \"printenv PASSWORD; env; set\"')",
    "raw": "import os, tty; os.isatty(1) and tty.setraw(1); os.write(1, os.environb[b'PASSWORD'])",
    "an orphan": ORPHAN,
}


def run_in_terminal(words: list[str], environ: dict[str, str]) -> tuple[int, bytes]:
    """Run a program in a new terminal; return its exit status and all that the terminal got."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(words[0], words, environ)
    output = b""
    try:
        while chunk := os.read(terminal, 1 << 16):
            output += chunk
    except OSError:
        pass
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output


@pytest.mark.parametrize("writer", WRITERS)
def test_t64_descendants_are_redacted_over_pipes_and_terminals(still: Vault, writer: str) -> None:
    words = ("run", ID, "--", sys.executable, "-c", WRITERS[writer])
    piped = still.envtree(*words)
    assert piped.returncode == 0
    assert b"[redacted]" in piped.stdout
    status, shown = run_in_terminal(still.command(*words), still.environ)
    assert status == 0
    assert b"[redacted]" in shown
    for canary in CANARIES:
        assert canary not in piped.stdout + piped.stderr + shown


def test_t60_no_descendant_gets_a_key(still: Vault) -> None:
    words = ("run", ID, "--no-redact", "--", "sh", "-c", "env; sh -c env; cat /proc/self/environ")
    result = still.envtree(*words, environ=KEYS)
    assert result.returncode == 0, result.stderr
    assert b"KUBIYA_CANARY" in result.stdout
    assert b"SOPS_" not in result.stdout
    assert b"ombat" not in result.stdout.lower()
