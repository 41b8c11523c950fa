"""`envtree run`: a program gets the variables of its bundle, and its output has no secrets (T59-T61, T63-T65).

The child processes are real, and so is sops.
"""

import base64
import fcntl
import json
import os
import pty
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from envtree.runner.launch.program_environment import build_environment
from tests.support.vault import ID, NUMBER, PASSWORD, SECRETS, Vault, still, vault
from tests.support.waiting import PATIENCE, wait_until

__all__ = ["still", "vault"]

MARK = b"[redacted]"
CANARY = b"quokka7"
# Parts of the secrets that must not be readable.
PIECES = (CANARY, b"nique", b"second-line", b"canary", b"third-line", str(NUMBER).encode(), b"918273")


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def started(vault: Vault, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start envtree, and wait until its child has printed `ready`."""
    process = subprocess.Popen(
        vault.command("run", ID, "--", *arguments), env=vault.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.read(6) == b"ready\n"
    return process


# The environment of the child.


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="it takes /proc")
def test_t60_the_child_cannot_read_what_opens_secrets_from_its_parent(still: Vault) -> None:
    key = Path(still.reader.environ["SOPS_AGE_KEY_FILE"]).read_text()
    # The shell is replaced by envtree, so $$ is the process id of envtree.
    script = f'exec {shlex.join(still.command("run", ID))} -- cat /proc/self/status "/proc/$$/environ"'
    # Root has capabilities to read everything, which it rarely has in a container.
    lesser = ["setpriv", "--bounding-set=-sys_ptrace,-perfmon,-sys_admin"] if os.geteuid() == 0 else []
    environ = {**still.environ, "SOPS_AGE_KEY": key}
    result = subprocess.run([*lesser, "sh", "-c", script], env=environ, capture_output=True, check=False)
    assert b"Seccomp" in result.stdout
    assert b"Permission denied" in result.stderr
    assert b"AGE-SECRET" not in result.stdout


def test_the_child_gets_the_variables_of_the_bundle_over_the_callers(still: Vault) -> None:
    script = "import os, json; print(json.dumps({k: len(v) for k, v in os.environ.items()}))"
    result = still.envtree("run", ID, "--", *python(script), environ={"MINE": "12345", "PLAIN": "of the caller"})
    lengths = json.loads(result.stdout)
    assert result.returncode == 0, result
    assert lengths["PASSWORD"] == len(PASSWORD)
    assert lengths["URL"] == len(f"postgres://u:{quote(PASSWORD, safe='')}@h/d")
    assert (lengths["PIN"], lengths["MINE"], lengths["PLAIN"]) == (len(str(NUMBER)), 5, len("nothing-secret"))


@pytest.mark.parametrize(
    ("options", "inherited"),
    [
        ((), {"MINE", "OTHER", "LC_TIME", "LANG", "TERM", "TZ", "HOME", "PATH", "TMPDIR", "PYTHONPATH"}),
        (("--pristine",), {"LC_TIME", "LANG", "TERM", "TZ", "HOME", "PATH", "TMPDIR"}),
        (("--inherit", "MINE,NOPE"), {"MINE", "LC_TIME", "LANG", "TERM", "TZ", "HOME", "PATH", "TMPDIR"}),
        (
            ("--inherit", "MINE", "--inherit", "OTHER"),
            {"MINE", "OTHER", "LC_TIME", "LANG", "TERM", "TZ", "HOME", "PATH", "TMPDIR"},
        ),
    ],
)
def test_what_is_taken_over(still: Vault, options: tuple[str, ...], inherited: set[str]) -> None:
    caller = {"MINE": "1", "OTHER": "2", "LC_TIME": "C", "LANG": "C.UTF-8", "TERM": "dumb", "TZ": "UTC"}
    result = still.envtree("run", *options, ID, "--", "env", "-0", environ=caller)
    names = {pair.partition(b"=")[0].decode() for pair in result.stdout.split(b"\0") if pair}
    assert names - {"PASSWORD", "SHORT", "FLAG", "PLAIN", "URL", "PIN"} == inherited


def test_t60_what_opens_secrets_never_reaches_the_child(still: Vault) -> None:
    keys = (b"SOPS_AGE_KEY_CMD", b"SOPS_AGE_RECIPIENTS", b"SOPS_ANY")
    for options in ((), ("--pristine",), ("--inherit", "SOPS_AGE_KEY_FILE")):
        result = still.envtree("run", *options, ID, "--", "env", "-0", environ={"SOPS_ANY": "x"})
        assert b"SOPS" not in result.stdout
        assert result.returncode == (2 if "--inherit" in options else 0), result
    assert build_environment({}, dict.fromkeys(keys, b"x"), pristine=False) == {}


def test_bytes_of_the_caller_stay_as_they_are() -> None:
    assert build_environment({"A": "é"}, {b"B\xff": b"\xfe", b"A": b"x"}, pristine=False) == {
        b"B\xff": b"\xfe",
        b"A": "é".encode(),
    }
    assert build_environment({}, {b"B\xff": b"\xfe", b"PATH": b"/"}, pristine=True, inherited=["B\udcff"]) == {
        b"B\xff": b"\xfe",
        b"PATH": b"/",
    }


def test_what_no_environment_can_carry_is_refused(vault: Vault) -> None:
    vault.encrypt("organization.secrets.yaml", SECRETS | {"short": "a\0b"})
    result = vault.envtree("run", ID, "--", "true")
    assert (result.returncode, b"ET803" in result.stderr, b"'SHORT' holds a character" in result.stderr) == (
        1,
        True,
        True,
    )
    assert b"a\0b" not in result.stderr


# The output of the child.

SAY = """
import os, sys, time
for name in ("PASSWORD", "URL", "PIN"):
    for stream in (1, 2):
        for text in ("<" + os.environ[name] + ">", os.environ[name], "\\n"):
            for byte in text.encode():
                os.write(stream, bytes([byte]))
"""


def test_t64_a_secret_in_one_byte_writes_on_both_streams_is_not_readable(still: Vault) -> None:
    result = still.envtree("run", ID, "--", *python(SAY))
    assert result.returncode == 0
    line = b"<" + MARK + b">" + MARK + b"\n"
    assert result.stdout == line * 3
    assert result.stderr.endswith(line * 3)
    assert not any(piece in result.stdout + result.stderr for piece in PIECES)


SPELL = """
import base64, json, os, shlex, sys, time, urllib.parse
secret = os.environ["PASSWORD"]
raw = secret.encode()
for lines in (secret.split("\\n"), [secret]):
    for text in lines:
        raw = text.encode()
        for offset in range(3):
            print("a", base64.b64encode(b"x" * offset + raw + b"z").decode())
            print("b", base64.urlsafe_b64encode(b"x" * offset + raw + b"z").decode())
            print("c", base64.encodebytes(b"x" * offset + raw + b"z").decode())
        for form in (raw.hex(), urllib.parse.quote(text), urllib.parse.quote(text, safe=""), json.dumps(text),
                     json.dumps(text, ensure_ascii=False), shlex.quote(text), repr(text), text):
            print("d", form)
            print("e", form, file=sys.stderr)
"""


def test_t64_no_spelling_of_a_secret_is_readable(still: Vault) -> None:
    result = still.envtree("run", ID, "--", *python(SPELL))
    assert result.returncode == 0
    output = result.stdout + result.stderr
    forms = [*PIECES, *(base64.b64encode(b"x" * n + CANARY)[4 if n else 0 : -4] for n in range(3))]
    forms += [piece.hex().encode() for piece in PIECES]
    assert not [form for form in forms if form in output]
    assert output.count(MARK) >= 2 * 3 * 3 * 2 + 4 * 8


def test_the_raw_secret_behind_a_computed_value_is_not_readable_either(vault: Vault) -> None:
    vault.write({"agents/a.yaml": "execution_environment: {env_vars: {HASH: '${{ secrets.db.password | sha256 }}'}}\n"})
    vault.write({"agents/b.yaml": "{}\n"})
    result = vault.envtree("run", ID, "--", *python(f"print({PASSWORD!r})"))
    assert (result.returncode, result.stdout) == (0, MARK + b"\n")


def test_t65_short_secrets_are_told_by_name_and_not_masked(still: Vault) -> None:
    result = still.envtree("run", ID, "--", "sh", "-c", 'echo "$SHORT $FLAG is true"')
    assert result.stdout == b"abc true is true\n"
    output = result.stderr.decode()
    assert output == "not redacted, because such short texts are everywhere: FLAG, SHORT\n"


def test_nothing_waits_for_more_than_a_beginning(still: Vault) -> None:
    script = "import sys, time; sys.stdout.write('ready\\nq'); sys.stdout.flush(); time.sleep(1000)"
    process = started(still, *python(script))
    process.terminate()
    out, _ = process.communicate(timeout=PATIENCE)
    # The `q`, a possible beginning of a secret, is printed at the end.
    assert (process.returncode, out) == (128 + signal.SIGTERM, b"q")


def test_without_redaction_the_program_takes_the_place_of_envtree(still: Vault) -> None:
    script = "import os; print(os.environ['PASSWORD'], flush=True); os.kill(os.getpid(), 9)"
    result = still.envtree("run", "--no-redact", ID, "--", *python(script))
    assert (result.returncode, result.stdout.decode(), result.stderr) == (-9, PASSWORD + "\n", b"")


def test_stdin_is_passed_through(still: Vault) -> None:
    data = os.urandom(300_000)
    result = still.envtree("run", ID, "--", "cat", input=data)
    assert (result.returncode, result.stdout) == (0, data)


def test_much_output_on_both_streams_comes_through(still: Vault) -> None:
    script = "import os\nfor n in range(300): os.write(1, b'o' * 9999); os.write(2, b'e' * 9999)"
    result = still.envtree("run", ID, "--", *python(script))
    assert (result.stdout, result.stderr.count(b"e" * 9999)) == (b"o" * 9999 * 300, 300)


def test_a_reader_that_leaves_ends_the_program(still: Vault) -> None:
    process = subprocess.Popen(
        still.command("run", ID, "--", "yes"), env=still.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(timeout=PATIENCE) == 128 + signal.SIGPIPE
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


def test_a_full_disk_is_told(still: Vault) -> None:
    with open("/dev/full", "wb") as full:
        command = still.command("run", ID, "--", "sh", "-c", "seq 9999")
        result = subprocess.run(command, env=still.environ, stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == 3
    assert b"ET805: the output of the program cannot be written: no space left on device" in result.stderr


def test_a_daemon_that_keeps_the_streams_open_does_not_keep_envtree(still: Vault) -> None:
    result = still.envtree("run", ID, "--", "sh", "-c", "(exec sleep 1000) & echo $!")
    assert (result.returncode, result.stdout.endswith(b"\n")) == (0, True)
    # It is still there when envtree has ended.
    os.kill(int(result.stdout), signal.SIGKILL)


# The end of the child.


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_the_childs(still: Vault, code: int) -> None:
    assert still.envtree("run", ID, "--", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_that_ended_it_is_told_as_shells_do(still: Vault, number: signal.Signals) -> None:
    result = still.envtree("run", ID, "--", "sh", "-c", f"kill -{number.value} $$")
    assert result.returncode == 128 + number


def test_what_cannot_be_run_is_told_in_a_sentence(still: Vault, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/no/such/interpreter\n")
    (tmp_path / "script").chmod(0o755)
    for options in ((), ("--no-redact",)):
        for program, code, words in (
            ("no-such-program", 127, "there is no program 'no-such-program'"),
            ("/no/such/program", 127, "there is no program '/no/such/program'"),
            ("/etc/passwd", 126, "'/etc/passwd' cannot be run: permission denied"),
            ("/etc", 126, "'/etc' cannot be run: permission denied"),
            (str(tmp_path / "script"), 126, "cannot be run: no such file or directory"),
        ):
            result = still.envtree("run", *options, ID, "--", program)
            assert (result.returncode, result.stdout) == (code, b"")
            assert words in result.stderr.decode()
            assert CANARY not in result.stderr


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH"])
def test_signals_arrive_at_the_child(still: Vault, name: str) -> None:
    script = f"trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
    process = started(still, "sh", "-c", script)
    process.send_signal(signal.Signals[f"SIG{name}"])
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (5, f"got {name}\n".encode()), err


# Another thread than the main one gets the signal, as if it came just before a system call.
ELSEWHERE = """
import signal, subprocess
def blocking(wait):
    def blocked(*arguments):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        return wait(*arguments)
    return blocked
subprocess.Popen.poll = blocking(subprocess.Popen.poll)
subprocess.Popen.wait = blocking(subprocess.Popen.wait)
"""


def blocks(status: str, number: signal.Signals) -> bool:
    """Report whether the main thread of a process blocks a signal."""
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_signal_that_interrupts_nothing_is_passed_on_too(vault: Vault) -> None:
    (vault.folder / "code").mkdir()
    (vault.folder / "code/sitecustomize.py").write_text(ELSEWHERE)
    path = os.pathsep.join([str(vault.folder / "code"), vault.environ["PYTHONPATH"]])
    child = python("import time; print('ready', flush=True); time.sleep(1000)")
    command = vault.command("run", ID, "--", *child)
    with subprocess.Popen(command, env={**vault.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.read(6) == b"ready\n"
        status = Path(f"/proc/{process.pid}/status")
        wait_until(lambda: blocks(status.read_text(), signal.SIGTERM), "envtree to wait for its child")
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM


def test_the_childs_own_children_get_them_too(still: Vault) -> None:
    # The outer shell waits for the inner one, so both have to get the signal.
    script = "sh -c 'trap \"echo inner\" TERM; echo ready; sleep 1000 & wait $!; exit 0'; echo never"
    process = started(still, "sh", "-c", script)
    process.terminate()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert out in (b"inner\n", b"")


def test_a_child_that_goes_on_is_waited_for(still: Vault) -> None:
    script = "n=0; trap 'echo no; n=$((n+1))' INT TERM; echo ready; while [ $n -lt 2 ]; do sleep 0.05; done; exit 4"
    process = started(still, "sh", "-c", script)
    process.send_signal(signal.SIGINT)
    # A shell that gets both signals at once may run the second trap before the first has ended.
    assert process.stdout
    assert process.stdout.readline() == b"no\n"
    process.terminate()
    out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (4, b"no\n")


# In a terminal.

Step = tuple[bytes, Callable[[int, int], object]]


def on_a_terminal(vault: Vault, command: list[str], *steps: Step) -> tuple[int, bytes]:
    """Run a program in its own terminal; each step is a text to wait for, and an action after it."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, {**vault.environ, "TERM": "xterm", "PS1": "PROMPT> "})
    output, answered, waiting = b"", 0, list(steps)

    def has_ended() -> bool:
        nonlocal output, answered
        if waiting and waiting[0][0] in output[answered:]:
            answered = len(output)
            waiting.pop(0)[1](pid, terminal)
        if not select.select([terminal], [], [], 0.1)[0]:
            return False
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:
            return True
        output += chunk
        return not chunk

    try:
        wait_until(has_ended, lambda: f"the end of {command}, which has shown {output!r}")
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output


def typing(keys: bytes) -> Callable[[int, int], object]:
    return lambda _, terminal: os.write(terminal, keys)


def test_a_terminal_stays_one_and_still_shows_no_secret(still: Vault) -> None:
    script = 'test -t 0 && test -t 1 && test -t 2 && echo terminal; echo "$PASSWORD"; printf "a\\nb\\n" >&2'
    code, output = on_a_terminal(still, still.command("run", ID, "--", "sh", "-c", script))
    assert code == 0
    # The order of the two streams may change, but each of them is complete.
    assert b"terminal\r\n" in output
    assert b"\n" + MARK + b"\r\n" in output
    assert b"a\r\nb\r\n" in output
    assert not any(piece in output for piece in PIECES)


def test_keys_of_the_terminal_reach_the_child_once(still: Vault) -> None:
    script = "trap 'echo got it; n=$((n+1))' INT; echo ready; while [ -z $n ]; do sleep 0.1; done; sleep 0.5; exit $n"
    code, output = on_a_terminal(still, still.command("run", ID, "--", "sh", "-c", script), (b"ready", typing(b"\x03")))
    assert (code, output.count(b"got it")) == (1, 1)


def test_a_program_can_ask(still: Vault) -> None:
    script = 'printf "name? "; read x; echo "hello $x"'
    code, output = on_a_terminal(
        still, still.command("run", ID, "--", "sh", "-c", script), (b"name? ", typing(b"bo\n"))
    )
    assert code == 0
    assert b"hello bo\r\n" in output


def test_the_size_of_the_terminal_is_handed_on(still: Vault) -> None:
    script = """
import os, signal, time
told = []
def tell(*_):
    told.append(os.write(1, repr(os.get_terminal_size(1)).encode()))
signal.signal(signal.SIGWINCH, tell)
os.write(1, b"ready")
while not told:
    time.sleep(0.1)
"""

    def resize(_: int, terminal: int) -> None:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 123, 0, 0))

    _, output = on_a_terminal(still, still.command("run", ID, "--", *python(script)), (b"ready", resize))
    assert b"columns=123, lines=50" in output


def test_a_shell_can_stop_it_and_let_it_go_on(still: Vault) -> None:
    line = f"{' '.join(still.command('run', ID, '--'))} sh -c 'echo re''ady; sleep 1; echo do''ne'\n"
    steps = [
        (b"PROMPT> ", typing(line.encode())),
        (b"ready\r\n", typing(b"\x1a")),
        (b"Stopped", typing(b"fg\n")),
        (b"done\r\n", typing(b"exit 9\n")),
    ]
    code, output = on_a_terminal(still, ["bash", "--norc", "-i"], *steps)
    assert (code, b"Stopped" in output) == (9, True), output


# Variables that control programs.


RESERVED = "execution_environment: {secrets: {LD_PRELOAD: short}, env_vars: {PATH: /x, NODE_OPTIONS: x, HTTP_PROXY: x"


def test_t71_reserved_names_are_refused(vault: Vault) -> None:
    vault.write({"agents/a.yaml": RESERVED + ", KUBIYA_ORG_ID: x, GIT_SHA: x}}\n"})
    result = vault.envtree("run", ID, "--", "true")
    assert result.returncode == 1
    output = result.stderr.decode()
    assert "error ET707: the bundle sets 'HTTP_PROXY', 'LD_PRELOAD', 'NODE_OPTIONS', 'PATH': " in output
    assert "use --allow HTTP_PROXY,LD_PRELOAD,NODE_OPTIONS,PATH if that is meant" in output
    partly = vault.envtree("run", "--allow", "PATH,LD_PRELOAD", "--allow", "NODE_OPTIONS", ID, "--", "true")
    assert b"ET707: the bundle sets 'HTTP_PROXY': it reroutes" in partly.stderr


def test_names_that_the_organization_allows_are_set(vault: Vault) -> None:
    allowed = "execution_environment:\n  env_vars:\n    EDITOR: mine  # envtree: allow ET751: it is theirs\n"
    vault.write({"agents/a.yaml": allowed})
    result = vault.envtree("run", ID, "--", "printenv", "EDITOR")
    assert (result.returncode, result.stdout) == (0, b"mine\n")
    # Another layer sets it too, which is not allowed.
    vault.write({"environments/dev.yaml": "execution_environment: {env_vars: {EDITOR: x}}\n"})
    assert b"ET707" in vault.envtree("run", ID, "--", "printenv", "EDITOR").stderr
    organization = (vault.root / "organization.yaml").read_text()
    vault.write({"organization.yaml": organization + "lint: {ET751: 'off'}\n"})
    assert vault.envtree("run", ID, "--", "printenv", "EDITOR").stdout == b"mine\n"


# Problems that are found before a program starts.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the bundle and the command are missing"),
        ((ID,), "the command is missing"),
        (("--bundle", "home"), "the command is missing"),
        (("default/b@dev", "--", "true"), "did you mean 'default/a@dev'"),
        (("--inherit", "SOPS_AGE_KEY", ID, "--", "true"), "'SOPS_AGE_KEY' is for sops alone"),
    ],
)
def test_the_command_line_is_checked_first(still: Vault, arguments: tuple[str, ...], words: str) -> None:
    result = still.envtree("run", *arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert words in result.stderr.decode()


def test_a_broken_tree_or_a_lost_key_starts_nothing(vault: Vault) -> None:
    result = vault.envtree("run", ID, "--", "touch", "started", environ={"SOPS_AGE_KEY_FILE": "/nowhere"})
    assert (result.returncode, b"ET621" in result.stderr) == (3, True)
    vault.write({"agents/b.yaml": "nope: 1\n"})
    result = vault.envtree("run", ID, "--", "touch", "started")
    assert (result.returncode, b"ET201" in result.stderr) == (1, True)
    assert not (vault.folder / "started").exists()


# Places where a secret must not be.


def all_command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


@pytest.mark.parametrize("words", [("run", ID, "--", "sleep", "1"), ("compile", "--secrets", "seal", "-o", "out")])
def test_t59_no_secret_stands_in_the_arguments_of_any_process(words: tuple[str, ...], vault: Vault) -> None:
    # Not CANARY: other tests have it in arguments.
    canary = f"emu-{os.urandom(8).hex()}"
    vault.encrypt("organization.secrets.yaml", {"db": {"password": canary, "pin": 1234}, "short": "x", "flag": True})
    process = subprocess.Popen(vault.command(*words), env=vault.environ, cwd=vault.folder, stderr=subprocess.PIPE)
    command_lines: set[bytes] = set()
    while process.poll() is None:
        command_lines.update(all_command_lines())
    process.communicate()
    assert process.returncode == 0
    assert not [arguments for arguments in command_lines if canary.encode() in arguments]


def test_t60_no_secret_stands_in_the_environment_of_envtree(still: Vault) -> None:
    process = started(still, "sh", "-c", "echo ready; sleep 1000")
    own_environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    child_environment = Path(f"/proc/{children[0]}/environ").read_bytes()
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert (CANARY in own_environment, CANARY in child_environment, b"SOPS_" in child_environment) == (
        False,
        True,
        False,
    )


def test_t61_no_file_is_written(vault: Vault) -> None:
    before = {path: path.stat().st_mtime_ns for path in vault.folder.rglob("*")}
    assert vault.envtree("run", ID, "--", "true").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in vault.folder.rglob("*")} == before


def test_t63_neither_leaves_a_core(still: Vault) -> None:
    result = still.envtree("run", ID, "--", "sh", "-c", "ulimit -c")
    assert result.stdout == b"0\n"


CRASH = """
import sys
from envtree.cli import main
from envtree.runner.launch import {module}

def crash(*arguments, **_):
    raise RuntimeError("quokka7", *map(str, arguments))

{module}.{name} = crash
main()
"""


@pytest.mark.parametrize(
    "place", ["child.Stream", "redactor.Redactor.feed", "redactor._compile_heads", "streams.os.write"]
)
def test_t63_a_crash_is_one_line(still: Vault, place: str) -> None:
    module, _, name = place.partition(".")
    script = CRASH.format(module=module, name=name)
    command = [sys.executable, "-c", script, "-C", str(still.root), "run", ID, "--", "sh", "-c", "echo $PASSWORD"]
    result = subprocess.run(command, env=still.environ, capture_output=True, timeout=PATIENCE, check=False)
    assert result.returncode == 70, result
    assert result.stdout == b""
    lines = [line for line in result.stderr.decode().splitlines() if not line.startswith("not redacted")]
    assert len(lines) == 1
    assert lines[0].startswith("envtree: internal error: RuntimeError at ")


def test_a_secret_that_no_environment_can_carry_starts_nothing(vault: Vault) -> None:
    vault.encrypt(
        "organization.secrets.yaml", {"db": {"password": "quokka7\0", "pin": 1234}, "short": "x", "flag": True}
    )
    result = vault.envtree("run", ID, "--", "touch", "started")
    assert (result.returncode, b"error ET803: 'PASSWORD' holds a character" in result.stderr) == (1, True)
    assert CANARY not in result.stderr
    assert not (vault.folder / "started").exists()
