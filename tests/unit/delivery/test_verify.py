"""`verify`: changes in an output are reported, and the receipt names its sources."""

import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from envtree.delivery.verify import verify
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import RefusedError
from tests.support.vault import ID, Vault, read_folder, still, vault

__all__ = ["still", "vault"]

HOME = "dev/default/a"
NAMES = ["out", "out.tar.zst", "out.zip"]


def compiled(vault: Vault, name: str, *more: str, mode: str = "ref") -> Path:
    """Compile to an output of this name."""
    result = vault.envtree("compile", "--secrets", mode, "-o" if name == "out" else "--archive", name, *more)
    assert result.returncode == 0, result.stderr
    return vault.folder / name


def files_in(output: Path) -> dict[str, bytes]:
    if output.is_dir():
        return read_folder(output)
    if output.suffix == ".zip":
        with zipfile.ZipFile(output) as archive:
            return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    data = zstandard.ZstdDecompressor().stream_reader(output.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in members.items() if file}


def repack(output: Path, files: dict[str, bytes]) -> None:
    """Replace the files of an output, as an attacker could."""
    if output.is_dir():
        for path in read_folder(output):
            (output / path).unlink()
        for path, data in files.items():
            (output / path).parent.mkdir(exist_ok=True, parents=True)
            (output / path).write_bytes(data)
    elif output.suffix == ".zip":
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files.items():
                archive.writestr(path, data)
    else:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for path, data in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        output.write_bytes(zstandard.ZstdCompressor().compress(stream.getvalue()))


def verify_output(vault: Vault, output: Path, *more: str) -> dict[str, Any]:
    """Return the JSON output of `verify`, and check its exit code."""
    result = vault.envtree("verify", str(output), "--output-format", "json", *more)
    data: dict[str, Any] = json.loads(result.stdout)
    assert Schemas().is_valid("output/verify", data)
    assert result.returncode == bool(data["problems"]), result
    return data


def find_problems(vault: Vault, output: Path) -> list[tuple[str, str, str | None]]:
    return [
        (problem["kind"], problem["path"], problem["bundle"]) for problem in verify_output(vault, output)["problems"]
    ]


@pytest.mark.parametrize("mode", ["plain", "ref", "seal"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_compiled_is_as_it_was(name: str, mode: str, still: Vault, tmp_path: Path) -> None:
    output = compiled(still, str(tmp_path / name) if name != "out" else name, mode=mode)
    data = verify_output(still, output)
    assert (data["problems"], data["touched"], data["bundles"], data["mode"]) == ([], [], 1, mode)
    text = still.envtree("verify", str(output))
    assert text.stderr == b"1 bundle, all as they were compiled\n"
    assert text.stdout.decode().startswith(f"manifest {data['manifest']}\nno receipt")


def change(path: str) -> Callable[[dict[str, bytes]], None]:
    def flip_bit(files: dict[str, bytes]) -> None:
        data = bytearray(files[path])
        data[len(data) // 2] ^= 1
        files[path] = bytes(data)

    return flip_bit


def contradict(files: dict[str, bytes]) -> None:
    """Change a bundle and the manifest's digest of its file, but not the digest in the bundle."""
    import hashlib

    path = f"{HOME}/bundle.json"
    files[path] = files[path].replace(b"nothing-secret", b"nothing-special")
    manifest = json.loads(files["manifest.json"])
    entry = {"sha256": hashlib.sha256(files[path]).hexdigest(), "size": len(files[path])}
    manifest["bundles"][ID]["files"]["bundle.json"] = entry
    files["manifest.json"] = json.dumps(manifest).encode()


def set_edition(files: dict[str, bytes]) -> None:
    files["manifest.json"] = files["manifest.json"].replace(b'"edition": 2026', b'"edition": 2031')


CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], Any], list[tuple[str, str, str | None]]]] = {
    "one byte of the bundle": (change(f"{HOME}/bundle.json"), [("changed", f"{HOME}/bundle.json", ID)]),
    "one byte of the variables": (change(f"{HOME}/.env"), [("changed", f"{HOME}/.env", ID)]),
    "a file that is gone": (lambda files: files.pop(f"{HOME}/.env"), [("missing", f"{HOME}/.env", ID)]),
    "a file beside it": (
        lambda files: files.update({f"{HOME}/env.sh": b"rm -r /"}),
        [("unlisted", f"{HOME}/env.sh", ID)],
    ),
    "a bundle that the manifest calls right": (contradict, [("contradicting", f"{HOME}/bundle.json", ID)]),
    "another edition": (set_edition, [("edition", "manifest.json", None)]),
}


@pytest.mark.parametrize("case", CHANGES)
@pytest.mark.parametrize("name", NAMES)
def test_what_was_changed_is_named(name: str, case: str, vault: Vault) -> None:
    output = compiled(vault, name)
    change_files, expected = CHANGES[case]
    files = files_in(output)
    change_files(files)
    repack(output, files)
    assert find_problems(vault, output) == expected
    result = vault.envtree("verify", name)
    assert result.returncode == 1
    assert result.stdout.decode().startswith(f"{expected[0][1]}: ")


@pytest.mark.parametrize("name", NAMES[1:])
def test_no_changed_byte_of_an_archive_goes_unseen(name: str, vault: Vault) -> None:
    output = compiled(vault, name)
    whole, files, named = output.read_bytes(), files_in(output), 0
    for at in range(0, len(whole), max(1, len(whole) // 200)):
        output.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        try:
            verdict = verify(output)
        except RefusedError:
            continue
        # The dates of files are not compared.
        assert verdict.problems or files_in(output) == files
        named += ID in verdict.changed_bundles
    assert named


def test_a_zip_with_a_wrong_checksum_names_the_bundle(vault: Vault) -> None:
    output = compiled(vault, "out.zip")
    data = output.read_bytes()
    at = data.index(b"nothing-secret")
    output.write_bytes(data[:at] + b"N" + data[at + 1 :])
    assert find_problems(vault, output) == [("changed", f"{HOME}/.env", ID)]


def hostile_tar(members: list[tarfile.TarInfo]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return zstandard.ZstdCompressor().compress(stream.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "extra",
    [
        member("../../outside"),
        member("/etc/passwd"),
        member("dev/x/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("dev/x/device", tarfile.CHRTYPE),
        member("dev/x/pipe", tarfile.FIFOTYPE),
        member("dev/x/hard", tarfile.LNKTYPE, "manifest.json"),
    ],
    ids=lambda info: info.name,
)
def test_what_no_output_holds_is_unsafe(extra: tarfile.TarInfo, vault: Vault) -> None:
    output = compiled(vault, "out.tar.zst")
    manifest = files_in(output)["manifest.json"].replace(b"\n", b" ")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(extra)
        info = tarfile.TarInfo("manifest.json")
        info.size = len(manifest)
        tar.addfile(info, io.BytesIO(manifest))
    output.write_bytes(zstandard.ZstdCompressor().compress(stream.getvalue()))
    before = read_folder(vault.folder)
    assert ("unsafe", extra.name, None) in find_problems(vault, output)
    assert read_folder(vault.folder) == before


def test_a_link_in_a_folder_is_not_followed(vault: Vault) -> None:
    output = compiled(vault, "out")
    bundle = output / HOME / "bundle.json"
    bundle.rename(vault.folder / "moved.json")
    bundle.symlink_to(vault.folder / "moved.json")
    assert find_problems(vault, output) == [("changed", f"{HOME}/bundle.json", ID)]


NOTHING = {
    "no output": ("keys", 1, "there is no 'manifest.json'"),
    "no archive": ("text.txt", 1, "is no archive"),
    "not packed": ("text.zip", 1, "is damaged from its beginning"),
    "not compressed": ("text.tar.zst", 1, "is damaged from its beginning"),
    "no manifest": ("odd", 1, "none that envtree wrote"),
    "nothing at all": ("nothing", 2, "does not exist"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_what_is_no_output(case: str, vault: Vault) -> None:
    for name in ("text.txt", "text.zip", "text.tar.zst"):
        (vault.folder / name).write_text("hunter2")
    (vault.folder / "odd").mkdir()
    (vault.folder / "odd/manifest.json").write_text('{"hunter2": 1}')
    name, code, words = NOTHING[case]
    result = vault.envtree("verify", name)
    assert (result.returncode, result.stdout, words in result.stderr.decode()) == (code, b"", True), result
    assert b"hunter2" not in result.stderr


def test_the_digest_tells_a_whole_output_from_another(vault: Vault) -> None:
    output = compiled(vault, "out.zip")
    digest = verify_output(vault, output)["manifest"]
    assert verify_output(vault, output, "--expect", digest)["problems"] == []
    vault.write({"environments/dev.yaml": "execution_environment: {env_vars: {NEW: x}}\n"})
    compiled(vault, "out.zip")
    assert [problem["kind"] for problem in verify_output(vault, output, "--expect", digest)["problems"]] == ["manifest"]
    assert vault.envtree("verify", "out.zip", "--expect", "abc").returncode == 2


# Receipts.


def git(vault: Vault, *arguments: str) -> str:
    person = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    result = subprocess.run(["git", *person, *arguments], cwd=vault.folder, check=True, capture_output=True, text=True)
    return result.stdout.strip()


@pytest.fixture
def committed(vault: Vault) -> Vault:
    git(vault, "init", "-q")
    git(vault, "add", "tree")
    git(vault, "commit", "-q", "-m", "first")
    return vault


@pytest.mark.parametrize("name", NAMES)
def test_a_receipt_names_the_commit_and_the_files(name: str, committed: Vault) -> None:
    vault = committed
    vault.write({"projects.txt": "of no meaning"})
    receipt = verify_output(vault, compiled(vault, name, "--receipt"), "--repository", str(vault.root))["receipt"]
    assert (receipt["commit"], receipt["clean"], receipt["folder"]) == (git(vault, "rev-parse", "HEAD"), True, "tree")
    assert receipt["files"] == {
        path: git(vault, "hash-object", f"tree/{path}")
        for path in ("agents/a.yaml", "environments/dev.yaml", "organization.secrets.yaml", "organization.yaml")
    }
    output = vault.envtree("verify", name).stdout.decode()
    assert f"from 4 files at commit {receipt['commit']}, tree clean" in output


DIRTY: dict[str, Callable[[Path], Any]] = {
    "edited": lambda root: (root / "agents/a.yaml").write_text("{}\n"),
    "new": lambda root: (root / "agents/b.yaml").write_text("{}\n"),
    "staged, and back": lambda root: (root / "environments/dev.yaml").write_text("# nothing\n{}\n"),
    "deleted": lambda root: (root / "environments/prod.yaml").unlink(),
}


@pytest.mark.parametrize("how", DIRTY)
def test_a_tree_is_clean_if_the_commit_holds_it(how: str, committed: Vault) -> None:
    vault = committed
    vault.write({"environments/prod.yaml": "{}\n"})
    git(vault, "add", "tree")
    git(vault, "commit", "-q", "-m", "second")
    assert verify_output(vault, compiled(vault, "out.zip", "--receipt"))["receipt"]["clean"] is True
    DIRTY[how](vault.root)
    git(vault, "add", "tree")
    data = verify_output(vault, compiled(vault, "out.zip", "--receipt"))
    assert data["receipt"]["clean"] is False
    assert b"with changes that were not committed" in vault.envtree("verify", "out.zip").stdout


def test_what_the_commit_does_not_hold_is_named(committed: Vault) -> None:
    vault = committed
    vault.write({"agents/a.yaml": "{}\n", "agents/b.yaml": "{}\n"})
    output = compiled(vault, "out.zip", "--receipt")
    data = verify_output(vault, output, "--repository", ".")
    assert [(problem["kind"], problem["path"]) for problem in data["problems"]] == [
        ("source", "agents/a.yaml"),
        ("source", "agents/b.yaml"),
    ]


def test_a_receipt_outside_of_git_has_the_files(vault: Vault) -> None:
    data = verify_output(vault, compiled(vault, "out", "--receipt"))
    assert (data["receipt"]["commit"], data["receipt"]["clean"]) == (None, None)
    assert len(data["receipt"]["files"]) == 4
    unproven = vault.envtree("verify", "out", "--repository", ".")
    assert (unproven.returncode, b"it names no commit" in unproven.stderr) == (1, True)


def test_a_receipt_is_for_all_that_is_there(committed: Vault) -> None:
    vault = committed
    vault.write({"environments/prod.yaml": "{}\n"})
    compiled(vault, "out", "--receipt")
    check = ("compile", "--secrets", "ref", "-o", "out", "--check")
    assert vault.envtree(*check).returncode == 0
    assert vault.envtree(*check, "--receipt").returncode == 0
    git(vault, "commit", "-q", "--allow-empty", "-m", "empty")
    assert vault.envtree(*check).returncode == 0
    assert vault.envtree(*check, "--receipt").stdout == b"manifest.json\n"
    compiled(vault, "out", "**@dev", "--receipt")
    assert verify_output(vault, vault.folder / "out")["receipt"] is None
    compiled(vault, "out")
    assert "receipt" not in json.loads((vault.folder / "out/manifest.json").read_bytes())
