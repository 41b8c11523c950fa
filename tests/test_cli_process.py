"""The command line as a process: what it imports, closed pipes, full disks, signals, locales."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ACME = ROOT / "examples/acme"
COMMAND = [sys.executable, "-m", "envtree"]
# What takes time to import, or to be afraid of.
HEAVY = {
    "jinja2",
    "yaml",
    "jsonschema",
    "jsonschema_rs",
    "orjson",
    "re2",
    "deepmerge",
    "subprocess",
    "socket",
    "envtree.pipeline",
}
STUB = """#!{python}
import os, time
with open(os.environ["SOPS_AGE_KEY_FILE"] + ".started", "a") as started:
    print(os.getpid(), file=started)
time.sleep(60)
"""


def run(
    *arguments: str, environ: dict[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler")} | (environ or {})
    return subprocess.run(
        [*COMMAND, *arguments], env=inherited, stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False
    )


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A compile over existing output that has got as far as a sops which never ends."""
    key, bin = tmp_path / "key", tmp_path / "bin"
    bin.mkdir()
    (bin / "sops").write_text(STUB.format(python=sys.executable))
    (bin / "sops").chmod(0o700)
    shutil.copytree(ACME, tmp_path / "acme")
    assert run("-C", str(tmp_path / "acme"), "compile", "--secrets", "ref", "-o", str(tmp_path / "out")).returncode == 0
    environ = {"PATH": f"{bin}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "compiler")}
    environ["SOPS_AGE_KEY_FILE"] = str(key)
    command = [*COMMAND, "-C", str(tmp_path / "acme"), "compile", "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not Path(f"{key}.started").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process, tmp_path
        process.kill()


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("check", "--help"), ("completion", "zsh")])
def test_little_is_imported_for_little(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "envtree", *arguments],
        env={"PYTHONPATH": str(ROOT / "compiler")},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "click" in imported
    assert not imported & HEAVY


def test_completion_imports_no_compiler() -> None:
    environ = {"_ENVTREE_COMPLETE": "bash_complete", "COMP_WORDS": f"envtree -C {ACME} show plat", "COMP_CWORD": "4"}
    done = run(environ=environ | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert b"plain,platform/cost-watcher@production" in done.stdout
    imported = {line.rpartition(b"|")[2].strip().decode() for line in done.stderr.splitlines()}
    assert not imported & (HEAVY - {"subprocess", "socket"})


@pytest.mark.parametrize("arguments", [("schema", "agent"), ("show", "platform/cost-watcher@production"), ("tree",)])
def test_a_closed_pipe_is_silent(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run("-C", str(ACME), *arguments, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_behind_stdout_is_the_machine() -> None:
    with open("/dev/full", "wb") as full:
        done = run("-C", str(ACME), "tree", stdout=full.fileno())
    assert done.returncode == 3
    assert b"no space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_stream_is_no_trouble(closed: int) -> None:
    words = f'exec "{sys.executable}" -m envtree -C "{ACME}" check {closed}>&-'
    done = subprocess.run(["/bin/sh", "-c", words], env={"PYTHONPATH": str(ROOT / "compiler")}, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_output_and_nobody_behind(
    number: signal.Signals, slow: tuple[subprocess.Popen[bytes], Path]
) -> None:
    process, folder = slow
    # What is staged and the lock are there only while it runs.
    before = {path: data for path, data in contents(folder / "out").items() if ".envtree" not in str(path)}
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (128 + number, b"", b"")
    assert contents(folder / "out") == before
    assert {path.name for path in folder.iterdir()} == {"acme", "bin", "key.started", "out"}
    for pid in (folder / "key.started").read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_a_process_with_plaintext_leaves_no_core(slow: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, _ = slow
    assert resource.prlimit(process.pid, resource.RLIMIT_CORE) == (0, 0)


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
    shown = [run("-C", str(tmp_path), "show", "default/a@dev", environ=each).stdout for each in (environ, {})]
    assert shown[0] == shown[1]
    assert "日本".encode() in shown[0]
    assert b"`-- default/" in run("-C", str(tmp_path), "tree", environ=environ).stdout
