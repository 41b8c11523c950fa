"""Random organizations: resolved references and sealed files are byte for byte the output of plain mode."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pyrage
import pytest
from hypothesis import assume, given, settings

from envtree import EDITION
from envtree.cli.support.session import tree_request
from envtree.engine.publish import CompilePlan, Destinations, publish, without_extra_files
from envtree.engine.request import Request
from envtree.engine.run import Run
from envtree.model.artifact import Output, SecretsMode
from envtree.output.emit import Writers
from envtree.output.write import write
from envtree.secrets.seal import add_sealed_files
from envtree.secrets.sops.select_decrypter import select_decrypter
from envtree.secrets.unseal import decrypt_references, find_references, load_output, unseal
from envtree.sources.tree import DirectoryTree
from tests.properties import writing
from tests.properties.organizations import Organization, organizations
from tests.properties.test_organizations import SLOW
from tests.properties.writing import OpenBook, write_tree
from tests.support.real_sops import SEARCH_PATH
from tests.support.rounds import rounds
from tests.support.vault import read_folder


class Compiled:
    """A drawn organization on disk, and its outputs by mode."""

    def __init__(self, folder: str, drawn: Organization) -> None:
        self.folder = Path(folder).resolve()
        self.drawn = drawn
        write_tree(self.folder / "tree", drawn.tree, drawn.secrets, flow=drawn.flow)

    def request(self) -> Request:
        book = OpenBook(self.drawn.secrets)
        return tree_request(DirectoryTree(self.folder / "tree"), decrypter=lambda policy: book, require_inputs=True)

    def output(self, name: str, mode: SecretsMode) -> Output:
        return Output(self.folder / name, self.folder / "tree", mode, EDITION, {}, lambda id: True)

    def compile(self, mode: SecretsMode) -> dict[str, bytes]:
        """Return the files that a mode writes; none if there is an error."""
        output = self.output(mode, mode)
        beside = (
            add_sealed_files(without_extra_files, output, only_check=False) if mode == "seal" else without_extra_files
        )
        request = self.request()._replace(decrypter=None) if mode == "ref" else self.request()
        publish(CompilePlan(request, Destinations(output), frozenset({"bundle", "compose"}), beside))
        return read_folder(output.folder) if output.folder.exists() else {}

    def unseal(self, mode: SecretsMode) -> dict[str, bytes]:
        """Return the files that the output of a mode is resolved to."""
        stored = load_output(self.folder / mode)
        references, run = find_references(stored), Run(self.request()._replace(decrypter=None))
        book = OpenBook(self.drawn.secrets)
        secrets = decrypt_references(run, references, lambda policy: book)
        assert stored.manifest
        output = self.output("again", "plain")._replace(inputs=stored.manifest.inputs)
        write(
            (bundle.artifact(Writers(("compose",))) for bundle in unseal(stored, secrets, select_decrypter)),
            output,
            lambda: True,
        )
        return read_folder(self.folder / "again")


@settings(SLOW, max_examples=rounds(gate=12, full=40))
@given(organizations())
def test_references_are_resolved_to_what_plain_writes(drawn: Organization) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compiled = Compiled(folder, drawn)
        plain = compiled.compile("plain")
        assume(plain)
        # Errors that only the plaintext reveals do not occur in this mode.
        assume(compiled.compile("ref"))
        assert compiled.unseal("ref") == plain


@pytest.fixture(scope="module", autouse=True)
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make a key pair, and set the variables for its private key."""
    identity = pyrage.x25519.Identity.generate()
    file = tmp_path_factory.mktemp("key") / "key"
    file.write_text(f"{identity}\n")
    variables = {"SOPS_AGE_KEY_FILE": str(file), "PATH": SEARCH_PATH}
    with (
        mock.patch.dict(os.environ, variables),
        mock.patch.object(writing, "RECIPIENT", str(identity.to_public())),
    ):
        yield str(identity.to_public())


@settings(SLOW, max_examples=rounds(gate=4, full=8))
@given(organizations())
def test_sealed_files_are_resolved_to_what_plain_writes(drawn: Organization) -> None:
    readers = {"people": {"ci": {"age": writing.RECIPIENT}}, "secret_readers": ["ci"]}
    drawn.tree["organization.yaml"].update(readers)
    with tempfile.TemporaryDirectory() as folder:
        compiled = Compiled(folder, drawn)
        plain = compiled.compile("plain")
        assume(plain)
        sealed = compiled.compile("seal")
        assert compiled.unseal("seal") == plain
        # Existing sealed files stay unchanged.
        assert compiled.compile("seal") == sealed
