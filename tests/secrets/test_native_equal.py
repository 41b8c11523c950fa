"""The native reader and the real sops read every file alike: files encrypted by sops, and files forged here."""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from envtree.model.secrets_file import SecretsFile
from tests.support.native_files import (
    FORMATS,
    LEFT_TO_SOPS,
    FileGenerator,
    ForgedLeaf,
    Identity,
    SecretsFolder,
    compare_decrypters,
    decrypt_outcome,
    forge,
    new_identity,
    random_forged,
    render_block_yaml,
)
from tests.support.rounds import rounds


@pytest.fixture
def machine(tmp_path: Path) -> SecretsFolder:
    (tmp_path / "tree").mkdir()
    return SecretsFolder(tmp_path / "tree", new_identity())


OTHERS = [new_identity() for _ in range(4)]


def recipients(rng: random.Random, own: Identity) -> list[str]:
    """Return the own key among up to four others, in random order."""
    chosen = [identity.public for identity in rng.sample(OTHERS, rng.choice((0, 0, 1, 2, 4)))]
    chosen.insert(rng.randint(0, len(chosen)), own.public)
    return chosen


def encrypted(machine: SecretsFolder, seed: int, count: int) -> Iterator[SecretsFile]:
    """Yield files made by the real sops, without those that sops or the stages refuse."""

    def encrypt_one(number: int) -> SecretsFile | None:
        rng = random.Random(f"{seed}-{number}")
        format = FORMATS[number % len(FORMATS)]
        path = f"s{number}.secrets.{format}"
        machine.encrypt(
            path, FileGenerator(rng.randrange(2**32), format, f"s{number}").plain(), recipients(rng, machine.identity)
        )
        return machine.read_sealed_file(path)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(encrypt_one, range(count)))


def forged(machine: SecretsFolder, seed: int, count: int) -> Iterator[SecretsFile]:
    """Yield files made without sops in the form in which it writes them."""
    for number in range(count):
        rng = random.Random(f"forged-{seed}-{number}")
        format = rng.choice(("yaml", "json"))
        data = forge(random_forged(rng), recipients(rng, machine.identity))
        path = f"f{number}.secrets.{format}"
        (machine.root / path).write_text(
            render_block_yaml(data) if format == "yaml" else json.dumps(data, indent=2), "utf-8"
        )
        sealed = machine.read_sealed_file(path)
        assert sealed, path
        yield sealed


def agree(machine: SecretsFolder, files: Iterator[SecretsFile]) -> Counter[str]:
    """Compare both readers; return how often each outcome occurred."""
    counts: Counter[str] = Counter()
    for sealed, native, sops in compare_decrypters(machine, files):
        assert native in (sops, LEFT_TO_SOPS), (sealed.path, (machine.root / sealed.path).read_text())
        outcome = "left" if native == LEFT_TO_SOPS else "refused" if native.startswith("ET") else "opened"
        counts[f"{outcome} {sealed.format}"] += 1
    return counts


def is_thorough(counts: Counter[str], count: int) -> bool:
    """Report whether almost all files reached the readers, and the native one opened almost all of these."""
    opened = sum(number for outcome, number in counts.items() if outcome.startswith("opened"))
    return counts.total() > 0.7 * count and opened > 0.85 * counts.total()


def test_files_of_sops(machine: SecretsFolder) -> None:
    count = rounds(gate=30, full=60)
    counts = agree(machine, encrypted(machine, 1, count))
    assert is_thorough(counts, count), counts
    assert all(counts[f"opened {format}"] for format in FORMATS)


def test_files_of_strangers(machine: SecretsFolder) -> None:
    count = rounds(gate=40, full=80)
    counts = agree(machine, forged(machine, 1, count))
    assert counts["opened yaml"] + counts["opened json"] == count, counts


@pytest.mark.full
@pytest.mark.parametrize("part", range(4))
def test_thousands_of_files(machine: SecretsFolder, part: int) -> None:
    """5,000 files in all: a third made by the real sops, the others by the writer of the tests."""
    counts = agree(machine, encrypted(machine, 100 + part, 550)) + agree(machine, forged(machine, 100 + part, 850))
    print(part, dict(counts))
    assert counts.total() >= 1250
    assert is_thorough(counts, 1400), counts


# ── types ───────────────────────────────────────────────────────────────────────────────────────────────────────────

SPELLINGS = {
    "text": ["12:30", "0o17", "2026-11-24", ".inf", "no", "1_000", "0x10", "1e3", "<<", "null"],
    "number": ["0755", "0o17", "0x10", "1_000", "1e3", "1e400", ".inf", "-.inf", ".nan", "+1", "1.", ".5", "12:30"],
    "time": ["2026-11-24", "2026-11-24T20:40:04Z", "2026-11-24 20:40:04", "2026-11-24T20:40:04.5+02:00", "0001-01-01"],
}


@pytest.mark.parametrize(
    ("kind", "spelled"), [(kind, spelling) for kind, spellings in SPELLINGS.items() for spelling in spellings]
)
def test_t55_what_readers_type_differently_has_the_type_of_sops(
    machine: SecretsFolder, kind: str, spelled: str
) -> None:
    text = f'"{spelled}"' if kind == "text" else spelled
    machine.encrypt("organization.secrets.yaml", f"x: {text}\n", [machine.identity.public])
    sealed = machine.read_sealed_file("organization.secrets.yaml")
    assert sealed
    native, sops = (
        decrypt_outcome(machine.native_decrypter(), sealed),
        decrypt_outcome(machine.sops_decrypter(), sealed),
    )
    assert native in (sops, LEFT_TO_SOPS)
    # Values that JSON cannot represent are refused by sops.
    assert (native == LEFT_TO_SOPS) == (kind == "number" and spelled.strip("-") in (".inf", ".nan"))


# Plaintexts in the form in which sops writes them.
USUAL = {
    "int": [b"0", b"-1", b"9223372036854775807", b"-9223372036854775808"],
    "float": [
        *(b"0", b"-0", b"2.5", b"0.000001", b"0.0000001", b"123456789012345680000"),
        *(b"1" + b"0" * zeros for zeros in (20, 21, 22, 300)),
    ],
    "bool": [b"True", b"False"],
    "time": [
        *(b"2026-01-01T00:00:00Z", b"2026-01-01T00:00:00.5Z", b"9999-12-31T23:59:59-23:59"),
        b"2026-01-01T00:00:00.120000001+01:00",
    ],
    "str": [b"x", b"\x00", b"\x7f", "ä".encode()],
}
# Plaintexts in other forms, some of which sops refuses; for the others the form that the MAC covers.
ODD: dict[str, list[bytes | tuple[bytes, bytes]]] = {
    "int": [
        *((b"007", b"7"), (b"+5", b"5"), (b"-0", b"0"), (b"-007", b"-7")),
        *(b"9223372036854775808", b"1_000", b" 5", b"5\n", b"x", b"\xff", "５".encode()),
    ],
    "float": [
        *((b"1e5", b"100000"), (b"2.50", b"2.5"), (b".5", b"0.5"), (b"-0.0", b"-0")),
        *(b"+Inf", b"NaN", b"0x1p-2", b"1_0.5", b"2.", b"123456789012345678901", b"x"),
    ],
    "bool": [(b"true", b"True"), (b"1", b"True"), (b"F", b"False"), b"yes", b"TRUE ", b"2"],
    "time": [
        *(b"2026-02-30T00:00:00Z", b"2026-01-01T00:00:00.50Z", b"0000-01-01T00:00:00Z"),
        *(b"2026-01-01T00:00:00+00:00", b"2026-01-01 00:00:00Z", b"2026-01-01T24:00:00Z"),
    ],
    "str": [b"ab\xff", b"\xed\xa0\x80"],
    "bytes": [b"ab"],
}


def read_forged(machine: SecretsFolder, leaf: ForgedLeaf) -> tuple[str, str]:
    """Return the outcome of both readers for a file with this leaf."""
    (machine.root / "x.secrets.json").write_text(json.dumps(forge({"x": leaf}, [machine.identity.public])))
    sealed = machine.read_sealed_file("x.secrets.json")
    assert sealed
    return decrypt_outcome(machine.native_decrypter(), sealed), decrypt_outcome(machine.sops_decrypter(), sealed)


@pytest.mark.parametrize(("type", "plain"), [(type, plain) for type, plains in USUAL.items() for plain in plains])
def test_t55_values_as_sops_spells_them(machine: SecretsFolder, type: str, plain: bytes) -> None:
    native, sops = read_forged(machine, ForgedLeaf(plain, type))
    assert native == sops
    assert not native.startswith("ET")


@pytest.mark.parametrize(("type", "odd"), [(type, odd) for type, spellings in ODD.items() for odd in spellings])
def test_t55_other_spellings_are_left_to_sops(
    machine: SecretsFolder, type: str, odd: bytes | tuple[bytes, bytes]
) -> None:
    plain, hashed = odd if isinstance(odd, tuple) else (odd, odd)
    native, sops = read_forged(machine, ForgedLeaf(plain, type, hashed))
    assert native == LEFT_TO_SOPS
    assert plain == hashed or not sops.startswith("ET")


def test_comments_of_a_list_are_dropped(machine: SecretsFolder) -> None:
    text = "# one\nl: # two\n  # three\n  - a # four\n  # five\n  - b\n  # six\nm:\n  # seven\n  k: c\n# eight\n"
    machine.encrypt("x.secrets.yaml", text, [machine.identity.public])
    sealed = machine.read_sealed_file("x.secrets.yaml")
    assert sealed
    assert (
        decrypt_outcome(machine.native_decrypter(), sealed)
        == decrypt_outcome(machine.sops_decrypter(), sealed)
        != LEFT_TO_SOPS
    )
    assert machine.native_decrypter().decrypt(sealed) == {"l": ["a", "b"], "m": {"k": "c"}}
