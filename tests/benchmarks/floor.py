"""The minimum for any Python program: read all files, parse them with libyaml, write two ready files per bundle."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from yaml._yaml import CParser

# The file in which the parent process finds the time of each part.
PARTS = "parts.json"


def main(ready: str, folders: str, output: str) -> None:
    """Process the tree in the working folder, and write how long each part took."""
    gc.disable()
    marks = [time.perf_counter()]
    texts = [_read(path) for path in _files(".")]
    marks.append(time.perf_counter())
    for text in texts:
        _parse(text)
    marks.append(time.perf_counter())
    artifacts = [(path.name, path.read_bytes()) for path in sorted(Path(ready).iterdir())]
    for folder in Path(folders).read_text(encoding="utf-8").splitlines():
        _write(f"{output}/{folder}", artifacts)
    marks.append(time.perf_counter())
    parts = ("discover", "parse", "write")
    seconds = {part: end - start for part, start, end in zip(parts, marks, marks[1:], strict=False)}
    Path(output, PARTS).write_text(json.dumps(seconds), encoding="utf-8")


def _files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.name.endswith(".yaml"):
                yield entry.path


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _parse(text: bytes) -> None:
    get, end = CParser(text).get_event, yaml.StreamEndEvent
    while type(get()) is not end:
        pass


def _write(folder: str, artifacts: list[tuple[str, bytes]]) -> None:
    os.makedirs(folder)
    for name, data in artifacts:
        descriptor = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(descriptor, data)
        os.close(descriptor)


if __name__ == "__main__":
    main(*sys.argv[1:])
