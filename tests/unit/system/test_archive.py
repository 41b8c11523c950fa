"""`compile --archive`: reproducible archives of an output, unpacked by the usual programs."""

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
from tests.support.waiting import PATIENCE

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
# The SHA-256 of the archives of this tree on any machine. It changes with the format of the output, and with the
# version of the compressor in pyproject.toml.
EXPECTED_DIGESTS = {
    "out.tar.zst": "fcdd348460d1e59422c37697ad3c4fdcf1a64a87f8f75f1b81055a3739f769ff",
    "out.zip": "6e56d81681a61c7e1db9fa16f6274ceeaad368365fde499f57d1d841daa134bb",
}


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive with the usual programs."""
    folder.mkdir()
    if archive.suffix == ".zip":
        command = ["unzip", "-q", str(archive), "-d", str(folder)]
    else:
        command = ["tar", "--zstd", "-xpf", str(archive), "-C", str(folder)]
    subprocess.run(command, check=True)
    return folder


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of everything below a folder."""
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}


@pytest.mark.parametrize("mode", ["plain", "ref", "seal"])
@pytest.mark.parametrize("name", NAMES)
def test_an_archive_has_the_content_of_the_folder(name: str, mode: str, still: Vault, tmp_path: Path) -> None:
    out, archive = tmp_path / "out", tmp_path / name
    process = still.envtree("compile", "--secrets", mode, "-o", str(out), "--archive", str(archive))
    assert (process.returncode, process.stdout) == (0, b""), process.stderr
    assert f"\nwrote 1 bundle to '{out}' and '{archive}'" in process.stderr.decode()
    unpacked = unpack(archive, tmp_path / "unpacked")
    assert read_folder(unpacked) == read_folder(out)
    assert modes(unpacked) == modes(out)
    assert stat.S_IMODE(archive.stat().st_mode) == (0o600 if mode == "plain" else 0o644)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["out", name, "unpacked"])


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_same_bytes_on_any_machine(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "envtree", "-C", "tree", "compile", "--secrets", "ref", "--archive", name]
    digests = []
    for day, zone in ((1_700_000_000, "Pacific/Auckland"), (1_900_000_000, "America/Lima")):
        folder = tmp_path / zone
        for path, text in TREE.items():
            (folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "tree" / path).write_text(text)
            os.utime(folder / "tree" / path, (day, day))
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler"), "TZ": zone, "LC_ALL": "C"}
        environ["PYTHONHASHSEED"] = str(day % 1000)
        previous_umask = os.umask(0o027 if day % 3 else 0)
        try:
            subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
        finally:
            os.umask(previous_umask)
        assert not (folder / "tree/out").exists()
        digests.append(hashlib.sha256((folder / name).read_bytes()).hexdigest())
    assert digests == [EXPECTED_DIGESTS[name]] * 2


def test_a_zip_needs_nothing_to_be_unpacked(still: Vault, tmp_path: Path) -> None:
    assert still.envtree("compile", "--archive", str(tmp_path / "out.zip")).returncode == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist()[-1] == "manifest.json"


@pytest.mark.parametrize("name", NAMES)
def test_only_selected_bundles_are_packed(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "envtree", "-C", str(ROOT / "examples/acme"), "compile", "--secrets", "ref"]
    process = subprocess.run(
        [*command, "--archive", name, "storefront/**@production"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler")},
        capture_output=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    unpacked = unpack(tmp_path / name, tmp_path / "unpacked")
    assert {path.split("/")[:2] == ["production", "storefront"] for path in read_folder(unpacked)} == {True, False}
    assert {path for path in read_folder(unpacked) if "/" not in path} == {"manifest.json"}


@pytest.mark.parametrize("name", NAMES)
def test_check_compares_and_writes_nothing(name: str, vault: Vault) -> None:
    check = ("compile", "--secrets", "ref", "--archive", name, "--check")
    missing = vault.envtree(*check)
    assert (missing.returncode, missing.stdout) == (4, f"{name}\n".encode())
    assert not (vault.folder / name).exists()
    assert vault.envtree(*check[:-1]).returncode == 0
    same = vault.envtree(*check)
    assert (same.returncode, same.stdout) == (0, b""), same.stderr
    vault.write({"environments/dev.yaml": "execution_environment: {env_vars: {NEW: x}}\n"})
    before = (vault.folder / name).read_bytes()
    assert vault.envtree(*check).returncode == 4
    assert (vault.folder / name).read_bytes() == before


def test_with_an_error_the_archive_stays_as_it_was(vault: Vault) -> None:
    (vault.folder / "out.zip").write_text("what was there before")
    vault.write({"environments/dev.yaml": "execution_environment: {env_vars: {NEW: '${{ env_vars.NO }}'}}\n"})
    process = vault.envtree("compile", "--archive", "out.zip", "-o", "out")
    assert process.returncode == 1
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


@pytest.mark.parametrize("reason", REFUSED)
def test_a_path_where_an_archive_cannot_be_written(reason: str, vault: Vault) -> None:
    arguments, code, message = REFUSED[reason]
    (vault.folder / "folder.zip").mkdir()
    (vault.folder / "link.zip").symlink_to("target.zip")
    before = read_folder(vault.folder)
    process = vault.envtree("compile", "--secrets", "ref", *arguments)
    assert (process.returncode, message in process.stderr.decode()) == (code, True), process.stderr
    assert read_folder(vault.folder) == before


def test_plain_bundles_are_not_written_to_a_tracked_archive(vault: Vault) -> None:
    (vault.folder / "out.zip").touch()
    for command in (["git", "init", "-q"], ["git", "add", "out.zip"]):
        subprocess.run(command, cwd=vault.folder, check=True)
    refused = vault.envtree("compile", "--archive", "out.zip")
    assert (refused.returncode, b"ET801" in refused.stderr) == (1, True)
    assert (vault.folder / "out.zip").read_bytes() == b""
    assert vault.envtree("compile", "--archive", "out.zip", "--secrets", "ref").returncode == 0


def test_the_draft_of_a_killed_run_is_replaced(vault: Vault) -> None:
    draft = vault.folder / ".out.zip.envtree"
    draft.touch(0o600)
    draft.write_bytes(b"half an archive" * 1000)
    assert vault.envtree("compile", "--archive", "out.zip").returncode == 0
    assert not draft.exists()
    assert vault.envtree("compile", "--archive", "out.zip", "--check").returncode == 0


def test_the_draft_of_another_user_is_not_overwritten(vault: Vault) -> None:
    (vault.folder / "theirs").write_text("theirs")
    os.link(vault.folder / "theirs", vault.folder / ".out.zip.envtree")
    process = vault.envtree("compile", "--archive", "out.zip")
    assert (process.returncode, b"ET806" in process.stderr) == (1, True)
    assert (vault.folder / "theirs").read_text() == "theirs"


SLOW = """
import sys, time
from envtree.engine import publish
from envtree.cli import main
emit = publish.emit
def slow(*arguments):
    print("now", flush=True)
    time.sleep(1000)
    return emit(*arguments)
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
        assert process.wait(PATIENCE) == 143
    assert [path.name for path in vault.folder.iterdir() if "zip" in path.name] == []
