"""Decrypt the same secrets files with the native reader and with the real sops, in turns, and print the speed."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyrage

from envtree.diagnostic import Diagnostics
from envtree.parse import parse
from envtree.secret import DecryptError, SealedFile, SecretsPolicy
from envtree.sops import decrypt_all
from envtree.sops.choice import choose
from envtree.source import Kind, Location, Source
from envtree.validate.sealed import read_sealed

POLICY = SecretsPolicy(frozenset({"age"}), (), require_scope=False)
READERS = ("native", "process")
HEADER = f"{'reader':<10}{'files/s':>10}{'seconds':>10}{'min':>8}{'max':>8}   sops's time / its time"


def main() -> None:
    """Make the files, open them with both readers, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--values", type=int, default=12, help="in each file")
    parser.add_argument("--readers", type=int, default=2, help="people who can open each file, the last of whom does")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-least", type=float, default=0.0, help="the ratio below which this is an error")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="envtree-benchmark-") as folder:
        people = [pyrage.x25519.Identity.generate() for _ in range(options.readers)]
        environ = _environ(Path(folder), str(people[-1]))
        files = _made(Path(folder), options.files, options.values, [str(one.to_public()) for one in people], environ)
        machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
        print(f"{options.files} files of {options.values} values for {options.readers} age keys, encrypted by sops")
        print(f"{options.rounds} rounds in turns, {machine}", "", sep="\n", flush=True)
        seconds = play(Path(folder), files, environ, options.rounds)
    print(*table(seconds, len(files)), sep="\n")
    print("each run of either reader gave the values that were encrypted")
    if statistics.median(ratios(seconds, "native")) < options.at_least:
        sys.exit(f"the native reader is not {options.at_least:g} times as fast")


def play(folder: Path, files: list[SealedFile], environ: dict[str, str], rounds: int) -> dict[str, list[float]]:
    """The seconds of each round, in which every file is opened once and compared with what it was."""
    expected = {sealed.path: _values(index, len(sealed.content.entries)) for index, sealed in enumerate(files)}
    seconds: dict[str, list[float]] = {name: [] for name in READERS}
    for _ in range(rounds):
        for name in READERS:
            start = time.perf_counter()
            # With the choice, so that loading the libraries counts in the first round.
            opened = decrypt_all(choose(folder, POLICY, environ=environ | {"ENVTREE_SOPS": name}), files)
            seconds[name].append(time.perf_counter() - start)
            if any(isinstance(data, DecryptError) or data != expected[path] for path, data in opened.items()):
                sys.exit(f"the {name} reader gave other values than those that were encrypted")
    return seconds


def table(seconds: dict[str, list[float]], count: int) -> list[str]:
    """One line a reader."""
    lines = [HEADER]
    for name, mine in seconds.items():
        median, found = statistics.median(mine), ratios(seconds, name)
        lines.append(
            f"{name:<10}{count / median:>10,.0f}{median:>10.3f}{min(mine):>8.3f}{max(mine):>8.3f}"
            f"   {statistics.median(found):.1f} ({found[0]:.1f} to {found[-1]:.1f})"
        )
    return lines


def ratios(seconds: dict[str, list[float]], name: str) -> list[float]:
    """sops's time by that of a reader, taken within each round, so that a busy machine weighs on both sides."""
    return sorted(theirs / mine for theirs, mine in zip(seconds["process"], seconds[name], strict=True))


def _environ(folder: Path, key: str) -> dict[str, str]:
    keys = folder / "keys.txt"
    keys.write_text(f"{key}\n", "utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "HOME": str(folder), "SOPS_AGE_KEY_FILE": str(keys)}


def _values(index: int, count: int) -> dict[str, Any]:
    """Texts as long as passwords and URLs are, and every fourth value a number."""
    return {
        f"VALUE_{number}": index * 1000 + number
        if number % 4 == 3
        else hashlib.sha256(f"{index}-{number}".encode()).hexdigest()[: 16 + 4 * number]
        for number in range(count)
    }


def _made(folder: Path, files: int, values: int, recipients: list[str], environ: dict[str, str]) -> list[SealedFile]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda index: _make(folder, index, values, recipients, environ), range(files)))


def _make(folder: Path, index: int, values: int, recipients: list[str], environ: dict[str, str]) -> SealedFile:
    """One file, encrypted by the real sops, and read as the stages read it."""
    path = f"s{index:05}.secrets.yaml"
    lines = (f"{name}: {value!r}\n" for name, value in _values(index, values).items())
    (folder / path).write_text("".join(lines), "utf-8")
    command = ["sops", "--config", os.devnull, "encrypt", "--in-place", "--age", ",".join(recipients), path]
    subprocess.run(command, cwd=folder, env=environ | {"SOPS_DISABLE_VERSION_CHECK": "1"}, check=True)
    data = (folder / path).read_bytes()
    location = Location(Kind.SECRETS, "", "", "organization", Kind.ORGANIZATION)
    diags = Diagnostics()
    document = parse(Source(path, location, data, hashlib.sha256(data).hexdigest()), diags)
    sealed = document and read_sealed(document, diags)
    if sealed is None:
        sys.exit(f"what sops wrote is not what envtree reads: {[finding.code for finding in diags]}")
    return sealed


if __name__ == "__main__":
    main()
