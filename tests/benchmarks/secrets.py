"""Decrypt the same secrets files with the native reader and with the real sops, in turns, and print the speed."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from envtree.engine.decryption import decrypt_all
from envtree.frontend.parse import parse
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.model.diagnostic import Diagnostics
from envtree.model.secrets_file import DecryptError, SecretsFile, SecretsPolicy
from envtree.model.source import Kind, Location, Source
from envtree.secrets.sops.select_decrypter import select_decrypter
from tests.benchmarks import recorded
from tests.benchmarks.encryption import Keys, encrypt_all, make_keys

POLICY = SecretsPolicy(frozenset({"age"}), (), require_scope=False)
READERS = ("native", "process")
HEADER = f"{'reader':<10}{'files/s':>10}{'seconds':>10}{'min':>8}{'max':>8}{'CPU s':>8}   sops's time / its time"


class Spent(NamedTuple):
    """The time for opening all files once: by the clock, and of processors, with child processes included."""

    seconds: float
    cpu: float

    @classmethod
    def by_now(cls) -> Spent:
        """Return the time since an arbitrary moment in the past."""
        usages = (resource.getrusage(scope) for scope in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return cls(time.perf_counter(), sum(times.ru_utime + times.ru_stime for times in usages))

    def since(self, before: Spent) -> Spent:
        """Return the difference to an earlier measurement."""
        return Spent(self.seconds - before.seconds, self.cpu - before.cpu)


def main() -> None:
    """Make the files, open them with both readers, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--values", type=int, default=12, help="in each file")
    parser.add_argument("--readers", type=int, default=2, help="people who can open each file, the last of whom does")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="also write the table to this file")
    parser.add_argument("--record", action="store_true", help="record the ratio as the one to compare with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="envtree-benchmark-") as folder:
        keys = make_keys(Path(folder), options.readers)
        files = _make_files(Path(folder), options.files, options.values, keys)
        machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
        print(f"{options.files} files of {options.values} values for {options.readers} age keys, encrypted by sops")
        print(f"{options.rounds} rounds in turns, {machine}", "", sep="\n", flush=True)
        spent = play(Path(folder), files, keys.environ, options.rounds)
    # Processor time, unlike the clock, depends neither on the number of processors nor on other load.
    ratio = {"sops, of the native reader's": statistics.median(ratio.cpu for ratio in ratios(spent, "native"))}
    lines = [*table(spent, len(files)), *recorded.compare("decrypting", ratio)]
    lines += ["each run of either reader gave the values that were encrypted"]
    if options.record:
        recorded.record("decrypting", ratio)
    print(*lines, sep="\n")
    if options.keep:
        options.keep.parent.mkdir(parents=True, exist_ok=True)
        options.keep.write_text("\n".join([*lines, ""]), encoding="utf-8")


def play(folder: Path, files: list[SecretsFile], environ: dict[str, str], rounds: int) -> dict[str, list[Spent]]:
    """Return the time of each round, which opens every file once and compares the values."""
    expected = {sealed.path: _values(index, len(sealed.content.entries)) for index, sealed in enumerate(files)}
    spent: dict[str, list[Spent]] = {name: [] for name in READERS}
    for _ in range(rounds):
        for name in READERS:
            start = Spent.by_now()
            # Choosing the reader is included, so loading the libraries counts in the first round.
            opened = decrypt_all(select_decrypter(folder, POLICY, environ=environ | {"ENVTREE_SOPS": name}), files)
            spent[name].append(Spent.by_now().since(start))
            if any(isinstance(data, DecryptError) or data != expected[path] for path, data in opened.items()):
                sys.exit(f"the {name} reader gave other values than those that were encrypted")
    return spent


def table(spent: dict[str, list[Spent]], count: int) -> list[str]:
    """Return one line per reader."""
    lines = [HEADER]
    for name, runs in spent.items():
        seconds = [run.seconds for run in runs]
        median, cpu = statistics.median(seconds), statistics.median(run.cpu for run in runs)
        factors = ratios(spent, name)
        lines.append(
            f"{name:<10}{count / median:>10,.0f}{median:>10.3f}{min(seconds):>8.3f}{max(seconds):>8.3f}{cpu:>8.3f}"
            f"   {_range([factor.seconds for factor in factors])},"
            f" of processors {_range([factor.cpu for factor in factors])}"
        )
    return lines


def ratios(spent: dict[str, list[Spent]], name: str) -> list[Spent]:
    """Return sops's time divided by a reader's within each round, so that other load affects both sides."""
    pairs = zip(spent["process"], spent[name], strict=True)
    return [Spent(sops.seconds / reader.seconds, sops.cpu / reader.cpu) for sops, reader in pairs]


def _range(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _values(index: int, count: int) -> dict[str, Any]:
    """Return texts as long as passwords and URLs; every fourth value is a number."""
    return {
        f"VALUE_{number}": index * 1000 + number
        if number % 4 == 3
        else hashlib.sha256(f"{index}-{number}".encode()).hexdigest()[: 16 + 4 * number]
        for number in range(count)
    }


def _make_files(folder: Path, files: int, values: int, keys: Keys) -> list[SecretsFile]:
    """Encrypt files with the real sops, and read them as the stages do."""
    paths = [f"s{index:05}.secrets.yaml" for index in range(files)]
    for index, path in enumerate(paths):
        lines = (f"{name}: {value!r}\n" for name, value in _values(index, values).items())
        (folder / path).write_text("".join(lines), "utf-8")
    encrypt_all(folder, paths, keys)
    return [_read(folder, path) for path in paths]


def _read(folder: Path, path: str) -> SecretsFile:
    data = (folder / path).read_bytes()
    location = Location(Kind.SECRETS, "", "", "organization", Kind.ORGANIZATION)
    diags = Diagnostics()
    document = parse(Source(path, location, data, hashlib.sha256(data).hexdigest()), diags)
    sealed = document and read_secrets_file(document, diags)
    if sealed is None:
        sys.exit(f"what sops wrote is not what envtree reads: {[finding.code for finding in diags]}")
    return sealed


if __name__ == "__main__":
    main()
