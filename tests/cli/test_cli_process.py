"""The command line as a process: its imports, closed pipes, full disks, signals and locales."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from envtree.cli import cli
from envtree.cli.support.options import module_name
from tests.support.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples/acme"
COMMAND = [sys.executable, "-m", "envtree"]
# The modules of envtree that every start imports; each additional one makes every start slower.
FRONT = {
    *("envtree", "envtree.__main__", "envtree.cli", "envtree.cli.support", "envtree.diagnostics", "envtree.model"),
    *(f"envtree.cli.support.{name}" for name in ("exits", "group", "options")),
    *(f"envtree.{name}" for name in ("diagnostics.printable", "diagnostics.suggest", "model.diagnostic", "model.span")),
    *("envtree.system", "envtree.system.console", "envtree.system.signals"),
}
# The further modules that completion imports to read ids or variables from a tree.
NAMES = {
    *(
        "envtree.cli.support.completion_candidates",
        "envtree.model.source",
        "envtree.model.tree_layout",
        "envtree.sources",
    ),
    *("envtree.sources.entity_listing", "envtree.sources.tree", "envtree.system.executables", "envtree.system.git"),
    "envtree.system.git.process",
}
SECRETS = ("audit", "edit", "get", "init", "install", "list", "readers", "rotate", "set", "sync", "unset")
DECLARED = {f"envtree.cli.{module_name(name)}" for name in cli.list_commands(click.Context(cli))}
# Prints the imported modules at the end of a process, without those that Python imports itself.
WATCH = """
import atexit, sys
before = set(sys.modules)
atexit.register(lambda: print("\\n".join(sys.modules.keys() - before), file=sys.stderr))
sys.argv = ["envtree", *sys.argv[1:]]
from envtree.__main__ import main
main()
"""
# The signals may be ignored if the test run was started with `nohup`, or in the background.
UNIGNORE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
STUB = """#!{python}
import os, time
with open(os.environ["SOPS_AGE_KEY_FILE"] + ".started", "a") as started:
    print(os.getpid(), file=started)
time.sleep(1000)
"""


def run(
    *arguments: str, environ: dict[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler")} | (environ or {})
    return subprocess.run(
        [*COMMAND, *arguments], env=inherited, stdout=stdout, stderr=subprocess.PIPE, timeout=PATIENCE, check=False
    )


def with_code(tmp_path: Path, text: str) -> dict[str, str]:
    """Return the environment of a process in which Python runs some code before envtree."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/sitecustomize.py").write_text(text)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path / "code"), str(ROOT / "compiler")])}


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A compile over existing output that waits for a sops that never ends."""
    key, bin = tmp_path / "key", tmp_path / "bin"
    bin.mkdir()
    (bin / "sops").write_text(STUB.format(python=sys.executable))
    (bin / "sops").chmod(0o700)
    shutil.copytree(ACME, tmp_path / "acme")
    assert run("-C", str(tmp_path / "acme"), "compile", "--secrets", "ref", "-o", str(tmp_path / "out")).returncode == 0
    environ = with_code(tmp_path, UNIGNORE) | {"PATH": f"{bin}:{os.environ['PATH']}"}
    environ |= {"SOPS_AGE_KEY_FILE": str(key), "ENVTREE_SOPS": "path"}
    command = [*COMMAND, "-C", str(tmp_path / "acme"), "compile", "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:

        def has_started() -> bool:
            assert process.poll() is None, process.communicate()
            return Path(f"{key}.started").exists()

        wait_until(has_started, "the start of sops")
        yield process, tmp_path
        # It ends sops, too.
        process.terminate()


def imported(*arguments: str, **environ: str) -> tuple[str, set[str]]:
    """Return the output of a command line, and the modules of envtree that it has imported."""
    result = subprocess.run(
        [sys.executable, "-c", WATCH, *arguments],
        env={"PYTHONPATH": str(ROOT / "compiler"), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    names = {name for name in result.stderr.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    envtree_modules = {name for name in names if name.partition(".")[0] == "envtree"}
    assert {name.partition(".")[0] for name in names - envtree_modules} - {"__mp_main__"} == {"click"}, result.stderr
    return result.stdout, envtree_modules


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        ("--version", set()),
        ("--help", {*DECLARED, "envtree.model.formats"}),
        ("check --help", {"envtree.cli.check"}),
        ("compile --help", {"envtree.cli.compile", "envtree.model.formats"}),
        ("watch --help", {"envtree.cli.watch", "envtree.model.formats"}),
        ("secrets --help", {"envtree.cli.secrets", *(f"envtree.cli.secrets.{name}" for name in SECRETS)}),
        ("completion zsh", {"envtree.cli.completion", "envtree.cli.commands", "envtree.cli.commands.completion"}),
    ],
)
def test_little_is_imported_for_little(arguments: str, more: set[str]) -> None:
    answer, envtree_modules = imported(*arguments.split())
    assert answer
    assert envtree_modules == FRONT | more


@pytest.mark.parametrize(
    ("words", "candidate", "more"),
    [
        ("ch", "plain,check", {"envtree.cli.check"}),
        ("compile --sec", "plain,--secrets", {"envtree.cli.compile", "envtree.model.formats"}),
        ("code et4", "plain,ET402", {"envtree.cli.code", "envtree.diagnostics.codes"}),
        ("watch --onc", "plain,--once", {"envtree.cli.watch", "envtree.model.formats"}),
        (
            "watch plat",
            "plain,platform/cost-watcher@production",
            {"envtree.cli.watch", "envtree.model.formats", *NAMES},
        ),
        ("show plat", "plain,platform/cost-watcher@production", {"envtree.cli.show", "envtree.model.formats", *NAMES}),
        ("explain platform/cost-watcher@production TE", "plain,TE", {"envtree.cli.explain", *NAMES}),
    ],
)
def test_completion_imports_next_to_nothing(words: str, candidate: str, more: set[str]) -> None:
    """The limit is 150 ms, of which Python and click take half."""
    environ = {"_ENVTREE_COMPLETE": "bash_complete", "COMP_WORDS": f"envtree -C {ACME} {words}"}
    environ["COMP_CWORD"] = str(len(words.split()) + 2)
    answer, envtree_modules = imported(**environ)
    assert candidate in answer
    assert envtree_modules == FRONT | more


@pytest.mark.parametrize("arguments", [("schema", "agent"), ("show", "platform/cost-watcher@production"), ("tree",)])
def test_a_closed_pipe_is_silent(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = run("-C", str(ACME), *arguments, stdout=writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "junit", "gitlab"])
def test_a_closed_pipe_is_silent_in_every_form(form: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = run("-C", str(ROOT / "examples/broken"), "check", "--output-format", form, stdout=writer)
    os.close(writer)
    assert (result.returncode, result.stderr if form not in ("text", "github") else b"") == (141, b"")


def test_a_full_disk_behind_stdout_is_the_machine() -> None:
    with open("/dev/full", "wb") as full:
        result = run("-C", str(ACME), "tree", stdout=full.fileno())
    assert result.returncode == 3
    assert b"no space left on device" in result.stderr
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "show platform/cost-watcher@production",
        "show platform/cost-watcher@production --format compose",
        "tree",
        "tree --output-format json",
        "schema",
        "schema agent",
        "check --output-format json",
    ],
)
def test_an_answer_that_nobody_can_get_is_a_failure(arguments: str) -> None:
    words = f'exec "{sys.executable}" -m envtree -C "{ACME}" {arguments} >&-'
    environ = {"PYTHONPATH": str(ROOT / "compiler")}
    result = subprocess.run(["/bin/sh", "-c", words], env=environ, check=False, capture_output=True)
    assert result.returncode == 3
    assert result.stderr.startswith(b"error ET805: stdout is closed")


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_stream_is_no_trouble(closed: int) -> None:
    words = f'exec "{sys.executable}" -m envtree -C "{ACME}" check {closed}>&-'
    result = subprocess.run(["/bin/sh", "-c", words], env={"PYTHONPATH": str(ROOT / "compiler")}, check=False)
    assert result.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_t99_a_signal_leaves_the_output_and_nobody_behind(
    number: signal.Signals, slow: tuple[subprocess.Popen[bytes], Path]
) -> None:
    process, folder = slow
    # The staging folder and the lock exist only during the run.
    before = {path: data for path, data in contents(folder / "out").items() if ".envtree" not in str(path)}
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (128 + number, b"", b"")
    assert contents(folder / "out") == before
    assert {path.name for path in folder.iterdir()} == {"acme", "bin", "code", "key.started", "out"}
    for pid in (folder / "key.started").read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


# Sends a signal when a module is first searched for.
AT_IMPORT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "{module}":
            sys.meta_path.remove(Finder)
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder)
"""


@pytest.mark.parametrize("module", ["envtree.cli", "click", "envtree.cli.commands.tree", "yaml"])
def test_ctrl_c_while_it_starts_prints_no_traceback(module: str, tmp_path: Path) -> None:
    environ = with_code(tmp_path, AT_IMPORT.format(module=module, number=int(signal.SIGINT)))
    result = run("-C", str(ACME), "tree", environ=environ)
    # Before the handler is installed, the signal ends the process, which a shell also reports as 130.
    early = module in ("envtree.cli", "click")
    assert (result.returncode, result.stdout, result.stderr) == (-signal.SIGINT if early else 130, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("existing", [True, False])
def test_t99_a_signal_after_the_commit_is_too_late(number: signal.Signals, existing: bool, tmp_path: Path) -> None:
    """The exit codes 130 and 143 promise that the output is unchanged."""
    out = tmp_path / "out"
    command = ("-C", str(ACME), "compile", "--secrets", "ref", "-o", str(out))
    if existing:
        assert run(*command, "*/*@staging").returncode == 0
    late = f"""{UNIGNORE}
import atexit, os
def wrap(call):
    def late(source, target, **named):
        call(source, target, **named)
        if {str(out)!r} == target or target.endswith("out/manifest.json"):
            os.kill(os.getpid(), {int(number)})
    return late
os.rename, os.replace = wrap(os.rename), wrap(os.replace)
remove = os.unlink
def unlink(path, **named):
    remove(path, **named)
    if str(path).endswith(".envtree.lock"):
        os.kill(os.getpid(), {int(number)})
os.unlink = unlink
atexit.register(os.kill, os.getpid(), {int(number)})
"""
    result = run(*command, environ=with_code(tmp_path, late))
    assert (result.returncode, (out / "manifest.json").exists()) == (0, True), result.stderr
    assert b"wrote " in result.stderr
    assert run(*command, "--check").returncode == 0


def test_a_signal_that_was_ignored_stays_ignored(tmp_path: Path) -> None:
    words = f"""trap '' HUP INT; exec "{sys.executable}" -m envtree -C "{ACME}" tree"""
    code = with_code(
        tmp_path,
        "import sys, os\nclass Finder:\n    def find_spec(name, path=None, target=None):\n"
        "        if name == 'envtree.cli.commands.tree':\n"
        "            os.kill(os.getpid(), 1)\n            os.kill(os.getpid(), 2)\n"
        "sys.meta_path.insert(0, Finder)\n",
    )
    result = subprocess.run(["/bin/sh", "-c", words], env=code, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


def test_the_program_starts_where_the_module_does() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert scripts == {"envtree": "envtree.__main__:main"}


def test_a_process_with_plaintext_leaves_no_core(slow: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, _ = slow
    assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)


def test_a_hostile_checkout_touches_nothing_outside(tmp_path: Path) -> None:
    """The umask gives the files of a checkout the permissions of files that envtree leaves behind."""
    victim, origin, clone = tmp_path / "victim", tmp_path / "origin", tmp_path / "clone"
    victim.mkdir()
    (victim / "id_rsa").write_text("key")
    assert run("init", str(origin)).returncode == 0
    staging = origin / "out/.envtree-staging"
    staging.mkdir(parents=True)
    (origin / "out/link").symlink_to(victim)
    (staging / "0").write_text("evil")
    (staging / "journal.json").write_text('["ref",[["0","link/post-checkout"]],["link/id_rsa"]]')
    for command in (["init", "-q"], ["add", "-f", "."], ["commit", "-q", "-m", "x"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", *identity, *command], cwd=origin, check=True, capture_output=True)
    for umask in (0o022, 0o077):
        subprocess.run(["git", "clone", "-q", str(origin), str(clone)], check=True, capture_output=True, umask=umask)
        for extra in ((), ("--check",)):
            result = run("-C", str(clone), "compile", "--secrets", "ref", "-o", str(clone / "out"), *extra)
            assert (result.returncode, b"ET806" in result.stderr) == (1, True), result.stderr
        assert contents(victim) == {victim / "id_rsa": b"key"}
        shutil.rmtree(clone)


@pytest.mark.parametrize(
    "environ", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "latin-1"}]
)
def test_a_poor_locale_changes_no_answer(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "agents").mkdir()
    (tmp_path / "organization.yaml").write_text("name: acme\nedition: 2026\ndefault_model: m/m\n")
    (tmp_path / "environments/dev.yaml").write_text("日本: x\nexecution_environment:\n  env_vars: {A: 日本}\n")
    (tmp_path / "agents/a.yaml").write_text("{}\n")
    assert run("-C", str(tmp_path), "check", environ=environ).returncode == 1
    (tmp_path / "environments/dev.yaml").write_text("execution_environment:\n  env_vars: {A: 日本}\n")
    outputs = [
        run("-C", str(tmp_path), "show", "default/a@dev", environ=variables).stdout for variables in (environ, {})
    ]
    assert outputs[0] == outputs[1]
    assert "日本".encode() in outputs[0]
    assert b"`-- default/" in run("-C", str(tmp_path), "tree", environ=environ).stdout
