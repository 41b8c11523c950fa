"""`compile --archive`: an output in one file, the same bytes wherever and whenever, unpacked by the real programs."""

import hashlib
import os
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from envtree.model.artifact import Output
from envtree.model.diagnostic import MachineError
from envtree.output.write import pack
from tests.support.vault import ROOT, Vault, read_folder, still, vault

__all__ = ["still", "vault"]

NAMES = ["out.tar.zst", "out.zip"]
TREE = {
    "organization.yaml": "name: acme\nedition: 2026\ndefault_model: m/m\n",
    "environments/dev.yaml": "{}\n",
    "environments/prod.yaml": "execution_environment: {env_vars: {LEVEL: info}, config: {names: [Ünïcode, 1.5]}}\n",
    "agents/one.yaml": "{}\n",
    "teams/a/team.yaml": "{}\n",
    "teams/a/agents/two.yaml": "{}\n",
}
# What is made of it on any machine. It changes with what is written, and with a release of the compressor: then its
# version in pyproject.toml is another one too.
KNOWN = {
    "out.tar.zst": "fcdd348460d1e59422c37697ad3c4fdcf1a64a87f8f75f1b81055a3739f769ff",
    "out.zip": "6e56d81681a61c7e1db9fa16f6274ceeaad368365fde499f57d1d841daa134bb",
}


def unpack(archive: Path, folder: Path) -> Path:
    """What the usual programs make of an archive."""
    folder.mkdir()
    if archive.suffix == ".zip":
        command = ["unzip", "-q", str(archive), "-d", str(folder)]
    else:
        command = ["tar", "--zstd", "-xpf", str(archive), "-C", str(folder)]
    subprocess.run(command, check=True)
    return folder


def modes(folder: Path) -> dict[str, int]:
    """The permissions of everything below a folder."""
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}


@pytest.mark.parametrize("mode", ["plain", "ref", "seal"])
@pytest.mark.parametrize("name", NAMES)
def test_it_holds_what_the_folder_does(name: str, mode: str, still: Vault, tmp_path: Path) -> None:
    out, archive = tmp_path / "out", tmp_path / name
    done = still.envtree("compile", "--secrets", mode, "-o", str(out), "--archive", str(archive))
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    assert f"\nwrote 1 bundle to '{out}' and '{archive}'" in done.stderr.decode()
    there = unpack(archive, tmp_path / "there")
    assert read_folder(there) == read_folder(out)
    assert modes(there) == modes(out)
    assert stat.S_IMODE(archive.stat().st_mode) == (0o600 if mode == "plain" else 0o644)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["out", name, "there"])


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_same_bytes_on_any_machine(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "envtree", "-C", "tree", "compile", "--secrets", "ref", "--archive", name]
    found = []
    for day, zone in ((1_700_000_000, "Pacific/Auckland"), (1_900_000_000, "America/Lima")):
        home = tmp_path / zone
        for path, text in TREE.items():
            (home / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
            (home / "tree" / path).write_text(text)
            os.utime(home / "tree" / path, (day, day))
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler"), "TZ": zone, "LC_ALL": "C"}
        environ["PYTHONHASHSEED"] = str(day % 1000)
        old = os.umask(0o027 if day % 3 else 0)
        try:
            subprocess.run(command, cwd=home, env=environ, check=True, capture_output=True)
        finally:
            os.umask(old)
        assert not (home / "tree/out").exists()
        found.append(hashlib.sha256((home / name).read_bytes()).hexdigest())
    assert found == [KNOWN[name]] * 2


def test_a_zip_needs_nothing_to_be_unpacked(still: Vault, tmp_path: Path) -> None:
    assert still.envtree("compile", "--archive", str(tmp_path / "out.zip")).returncode == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist()[-1] == "manifest.json"


@pytest.mark.parametrize("name", NAMES)
def test_a_selection_is_all_that_is_packed(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "envtree", "-C", str(ROOT / "examples/acme"), "compile", "--secrets", "ref"]
    done = subprocess.run(
        [*command, "--archive", name, "storefront/**@production"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    there = unpack(tmp_path / name, tmp_path / "there")
    assert {path.split("/")[:2] == ["production", "storefront"] for path in read_folder(there)} == {True, False}
    assert {path for path in read_folder(there) if "/" not in path} == {"manifest.json"}


@pytest.mark.parametrize("name", NAMES)
def test_check_compares_and_writes_nothing(name: str, vault: Vault) -> None:
    check = ("compile", "--secrets", "ref", "--archive", name, "--check")
    missing = vault.envtree(*check)
    assert (missing.returncode, missing.stdout) == (1, f"{name}\n".encode())
    assert not (vault.folder / name).exists()
    assert vault.envtree(*check[:-1]).returncode == 0
    same = vault.envtree(*check)
    assert (same.returncode, same.stdout) == (0, b""), same.stderr
    vault.write({"environments/dev.yaml": "execution_environment: {env_vars: {NEW: x}}\n"})
    before = (vault.folder / name).read_bytes()
    assert vault.envtree(*check).returncode == 1
    assert (vault.folder / name).read_bytes() == before


def test_with_an_error_the_archive_stays_as_it_was(vault: Vault) -> None:
    (vault.folder / "out.zip").write_text("what was there before")
    vault.write({"environments/dev.yaml": "execution_environment: {env_vars: {NEW: '${{ env_vars.NO }}'}}\n"})
    done = vault.envtree("compile", "--archive", "out.zip", "-o", "out")
    assert done.returncode == 1
    assert (vault.folder / "out.zip").read_text() == "what was there before"
    assert sorted(path.name for path in vault.folder.iterdir()) == ["home", "keys", "out.zip", "tree"]


REFUSED = {
    "another ending": (("--archive", "out.tar.gz"), 2, "is no archive that can be made; end it in .tar.zst or .zip"),
    "no name": (("--archive", ".zip"), 2, "is no archive that can be made"),
    "a folder": (("--archive", "folder.zip"), 2, "is a directory"),
    "a link": (("--archive", "link.zip"), 1, "ET806"),
    "among the sources": (("--archive", "tree/environments/x.zip"), 1, "ET806"),
    "in the output": (("-o", "out", "--archive", "out/x.zip"), 2, "choose places beside each other"),
    "where nothing can be made": (("--archive", "/proc/none/x.zip"), 3, "ET805"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_where_an_archive_cannot_be(why: str, vault: Vault) -> None:
    arguments, code, words = REFUSED[why]
    (vault.folder / "folder.zip").mkdir()
    (vault.folder / "link.zip").symlink_to("target.zip")
    before = read_folder(vault.folder)
    done = vault.envtree("compile", "--secrets", "ref", *arguments)
    assert (done.returncode, words in done.stderr.decode()) == (code, True), done.stderr
    assert read_folder(vault.folder) == before


def test_plain_bundles_go_into_no_file_that_git_tracks(vault: Vault) -> None:
    (vault.folder / "out.zip").touch()
    for command in (["git", "init", "-q"], ["git", "add", "out.zip"]):
        subprocess.run(command, cwd=vault.folder, check=True)
    refused = vault.envtree("compile", "--archive", "out.zip")
    assert (refused.returncode, b"ET801" in refused.stderr) == (1, True)
    assert (vault.folder / "out.zip").read_bytes() == b""
    assert vault.envtree("compile", "--archive", "out.zip", "--secrets", "ref").returncode == 0


def test_what_a_killed_run_left_is_replaced(vault: Vault) -> None:
    draft = vault.folder / ".out.zip.envtree"
    draft.touch(0o600)
    draft.write_bytes(b"half an archive" * 1000)
    assert vault.envtree("compile", "--archive", "out.zip").returncode == 0
    assert not draft.exists()
    assert vault.envtree("compile", "--archive", "out.zip", "--check").returncode == 0


def test_a_draft_of_somebody_else_is_not_written_into(vault: Vault) -> None:
    (vault.folder / "theirs").write_text("theirs")
    os.link(vault.folder / "theirs", vault.folder / ".out.zip.envtree")
    done = vault.envtree("compile", "--archive", "out.zip")
    assert (done.returncode, b"ET806" in done.stderr) == (1, True)
    assert (vault.folder / "theirs").read_text() == "theirs"


SLOW = """
import sys, time
from envtree.engine import publish
from envtree.cli import main
emit = publish.emit
def slow(*given):
    print("now", flush=True)
    time.sleep(30)
    return emit(*given)
publish.emit = slow
main()
"""


def test_a_signal_leaves_no_draft(vault: Vault) -> None:
    command = [sys.executable, "-c", SLOW, "-C", str(vault.root), "compile", "--archive", "out.zip"]
    with subprocess.Popen(command, cwd=vault.folder, env=vault.environ, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"now\n"
        output = Output(vault.folder / "out.zip", vault.root, "ref", 2026, {}, lambda _: True)
        with pytest.raises(MachineError, match="another run is writing"):
            pack([], {"": output}, lambda _: None, wait=0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    assert [path.name for path in vault.folder.iterdir() if "zip" in path.name] == []
