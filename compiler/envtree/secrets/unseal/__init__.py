"""Resolve bundles that do not hold their secrets, whoever compiled them, to what `compile --secrets plain` writes."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from envtree.engine.decryption import Decrypter
from envtree.model.artifact import Artifact
from envtree.model.diagnostic import RefusedError
from envtree.model.formats import FORMATS
from envtree.model.resolved import Bundle
from envtree.model.secret_entries import NamedSecret, iter_named_secrets
from envtree.model.secrets_file import SecretsPolicy
from envtree.output.emit import FormatResult, Writers, collect_plaintexts, emit
from envtree.secrets.unseal.bundle_loader import CompiledBundle, CompiledOutput, load_output
from envtree.secrets.unseal.decryption import decrypt_references, decrypt_sealed_files
from envtree.secrets.unseal.placeholder_resolver import PlaceholderResolver, PlainSecrets

_FILES_BY_FORMAT = {each.name: each.files for each in FORMATS}


class UnsealedBundle(NamedTuple):
    """A bundle whose sensitive values are known; `secrets` are those, and the ones that they were computed from."""

    compiled: CompiledBundle
    bundle: Bundle
    secrets: frozenset[NamedSecret]

    def artifact(self, writers: Writers) -> Artifact:
        """The files of the bundle in clear: those of its formats that can be written, and what lay beside it."""
        names = frozenset(self.compiled.names)
        formats = tuple(one for one in writers.formats if names.issuperset(_FILES_BY_FORMAT[one]))
        templates = tuple(one for one in writers.templates if one.file.name in names)
        found, told = emit(self.bundle, "plain", writers._replace(formats=formats, templates=templates))
        check_representable(told, self.bundle)
        return found._replace(files=(*found.files, *self.compiled.extra_files))


def check_representable(written: FormatResult, bundle: Bundle) -> None:
    """Refuse to write a bundle in a form that cannot hold it."""
    for unfit in written.problems:
        raise RefusedError(unfit.code, f"{unfit.message}, in bundle '{bundle.target.id}'", unfit.hint)


def find_references(output: CompiledOutput) -> set[str]:
    """The secrets that bundles refer to, as `<file>#<path>`."""
    resolver = PlaceholderResolver()
    return {each for bundle in output.bundles for each in resolver.find_references(bundle)}


def unseal(
    output: CompiledOutput, secrets: Mapping[str, Any], decrypter: Callable[[Path, SecretsPolicy], Decrypter]
) -> Iterator[UnsealedBundle]:
    """Resolve the bundles of an output; `kept` are the secrets that they refer to."""
    sealed = decrypt_sealed_files(output, decrypter)
    resolver = PlaceholderResolver()
    for bundle in output.bundles:
        found = resolver.resolve(bundle, PlainSecrets(secrets, sealed.get(bundle.folder, {})))
        read = frozenset(
            one for each in resolver.find_references(bundle) for one in iter_named_secrets(each, secrets.get(each))
        )
        yield UnsealedBundle(bundle, found, read | collect_plaintexts(found))


__all__ = [
    "CompiledOutput",
    "UnsealedBundle",
    "check_representable",
    "decrypt_references",
    "find_references",
    "load_output",
    "unseal",
]
