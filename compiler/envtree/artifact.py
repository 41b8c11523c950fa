"""What goes to disk: the files of one bundle, and the manifest that owns them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

Mode = Literal["plain", "ref", "seal"]


class Artifact(NamedTuple):
    """The files of one bundle: `folder` is relative to the output, `files` maps names to bytes."""

    id: str
    folder: str
    digest: str
    files: tuple[tuple[str, bytes], ...]

    def receipt(self) -> "Receipt":
        """What the manifest has of this bundle."""
        return Receipt(
            self.folder,
            self.digest,
            {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in self.files},
        )


class Receipt(NamedTuple):
    """One bundle as the manifest has it; `files` maps a name to its SHA-256 in hex and its size in bytes."""

    folder: str
    digest: str
    files: dict[str, tuple[str, int]]


class Manifest(NamedTuple):
    """All bundles of an output folder, by id; `inputs` is what was read from the process environment."""

    edition: int
    mode: Mode
    inputs: dict[str, str]
    bundles: dict[str, Receipt]

    def data(self) -> dict[str, Any]:
        """The manifest as JSON data."""
        return {
            "envtree": "1",
            "edition": self.edition,
            "mode": self.mode,
            "inputs": self.inputs,
            "bundles": {
                id: {
                    "path": receipt.folder,
                    "digest": receipt.digest,
                    "files": {name: {"sha256": sha, "size": size} for name, (sha, size) in receipt.files.items()},
                }
                for id, receipt in self.bundles.items()
            },
        }

    def paths(self, id: str) -> list[str]:
        """The files of a bundle, relative to the output."""
        receipt = self.bundles.get(id)
        return [f"{receipt.folder}/{name}" for name in receipt.files] if receipt else []


class Output(NamedTuple):
    """Where a run writes and as what: `root` is the tree's, `selects` says which ids the run replaces and prunes."""

    folder: Path
    root: Path
    mode: Mode
    edition: int
    inputs: dict[str, str]
    selects: Callable[[str], bool]

    def successor(self, old: Manifest, receipts: dict[str, Receipt]) -> Manifest:
        """The manifest after this run: what it did not select stays as it was, with the inputs that made it."""
        kept = {id: receipt for id, receipt in old.bundles.items() if id not in receipts and not self.selects(id)}
        inputs = old.inputs | self.inputs if kept else self.inputs
        return Manifest(self.edition, self.mode, inputs, kept | receipts)
