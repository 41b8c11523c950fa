"""Archives whose headers, members or sum would fill the memory are refused by every reader (T102)."""

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from envtree.model.diagnostic import RefusedError
from envtree.system.archive import archive_reader
from tests.support.vault import Vault, vault

__all__ = ["vault"]

SIZE = 1 << 29
ZEROS = bytes(1 << 20)
# Far more than a small archive needs, far less than any of the hostile ones would.
MAX_MEMORY_KB = 250_000
# `ru_maxrss` counts the process that started this one as well.
MEASURED = """
import re, sys
from pathlib import Path
from envtree.cli import invoke
code = invoke(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], file=sys.stderr)
sys.exit(code)
"""


def header(name: str, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def pax_sparse() -> bytes:
    """A file whose sparse map, of a format that pax headers choose, begins its data."""
    info = tarfile.TarInfo("sparse")
    info.size = SIZE
    fields = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse", "GNU.sparse.realsize": "1"}
    info.pax_headers = fields
    return info.tobuf(tarfile.PAX_FORMAT) + b"99999999\n"


HOSTILE_TARS = {
    "a pax header": header("x", tarfile.XHDTYPE, SIZE),
    "a global pax header": header("x", tarfile.XGLTYPE, SIZE),
    "a long name": header("x", tarfile.GNUTYPE_LONGNAME, SIZE),
    "a long link": header("x", tarfile.GNUTYPE_LONGLINK, SIZE),
    "a large member": header("manifest.json", tarfile.REGTYPE, SIZE),
    "a sparse member": header("x", tarfile.GNUTYPE_SPARSE, SIZE),
    "a sparse map": pax_sparse(),
}


def zstd_tar(head: bytes) -> bytes:
    """A small frame that expands to a header and as many zeros as it announces."""
    packed = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(packed, closefd=False) as writer:
        writer.write(head)
        for _ in range(SIZE // len(ZEROS)):
            writer.write(ZEROS)
    return packed.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("command", [("verify",), ("merge-manifests", "-o", "merged")], ids=lambda words: words[0])
@pytest.mark.parametrize("head", HOSTILE_TARS.values(), ids=HOSTILE_TARS.keys())
def test_t102_a_small_archive_takes_little_memory(head: bytes, command: tuple[str, ...], tmp_path: Path) -> None:
    archive = tmp_path / "hostile.tar.zst"
    archive.write_bytes(zstd_tar(head))
    assert archive.stat().st_size < 100_000
    words = [sys.executable, "-c", MEASURED, *command, str(archive)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    *message, memory = done.stderr.splitlines()
    assert done.returncode == 1, done.stderr
    assert "ET631" in message[0]
    assert int(memory) < MAX_MEMORY_KB


@pytest.mark.parametrize("limit", ["_MAX_MEMBERS", "_MAX_TOTAL_SIZE"])
def test_t102_the_sum_is_limited_too(limit: str, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("out.tar.zst", "out.zip"):
        assert vault.envtree("compile", "--secrets", "ref", "--archive", name).returncode == 0
        assert list(archive_reader.read_members(vault.folder / name))
    monkeypatch.setattr(archive_reader, limit, 1)
    for name in ("out.tar.zst", "out.zip"):
        with pytest.raises(RefusedError) as refusal:
            list(archive_reader.read_members(vault.folder / name))
        assert refusal.value.code == "ET631"


def hostile_members() -> Iterator[tarfile.TarInfo]:
    for name, kind in (
        ("../outside", tarfile.REGTYPE),
        ("/etc/passwd", tarfile.REGTYPE),
        ("dev/default/link", tarfile.SYMTYPE),
        ("dev/default/a/unlisted", tarfile.REGTYPE),
        ("manifest.json", tarfile.REGTYPE),
    ):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        yield info


@pytest.mark.parametrize("extra", list(hostile_members()), ids=lambda info: info.name)
def test_t102_merging_refuses_what_verify_refuses(extra: tarfile.TarInfo, vault: Vault) -> None:
    assert vault.envtree("compile", "--secrets", "ref", "--archive", "out.tar.zst").returncode == 0
    archive = vault.folder / "out.tar.zst"
    packed = zstandard.ZstdDecompressor().stream_reader(archive.read_bytes()).read()
    stream = io.BytesIO(packed)
    with tarfile.open(fileobj=stream, mode="a") as tar:
        tar.addfile(extra, io.BytesIO())
    archive.write_bytes(zstandard.ZstdCompressor().compress(stream.getvalue()))
    for command in (("verify", "out.tar.zst"), ("merge-manifests", "out.tar.zst", "-o", "merged")):
        done = vault.envtree(*command)
        assert done.returncode == 1, command
        assert not (vault.folder / "merged").exists()


def test_t102_a_zip_that_announces_too_much(tmp_path: Path) -> None:
    path = tmp_path / "hostile.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("manifest.json", "w", force_zip64=True) as member,
    ):
        for _ in range(SIZE // len(ZEROS)):
            member.write(ZEROS)
    (read,) = archive_reader.read_members(tmp_path / "hostile.zip")
    assert read.data is None
