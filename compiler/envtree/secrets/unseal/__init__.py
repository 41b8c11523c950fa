"""Resolve compiled bundles without plaintext secrets to the files that `compile --secrets plain` would write."""

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

_FILES_BY_FORMAT = {format.name: format.files for format in FORMATS}


class UnsealedBundle(NamedTuple):
    """A bundle with its sensitive values; `secrets` are these values and the secrets they were computed from."""

    compiled: CompiledBundle
    bundle: Bundle
    secrets: frozenset[NamedSecret]

    def artifact(self, writers: Writers) -> Artifact:
        """Return the files of the bundle in clear: those of the formats it was compiled to, and its extra files."""
        names = frozenset(self.compiled.names)
        formats = tuple(format for format in writers.formats if names.issuperset(_FILES_BY_FORMAT[format]))
        templates = tuple(template for template in writers.templates if template.file.name in names)
        artifact, format_result = emit(self.bundle, "plain", writers._replace(formats=formats, templates=templates))
        check_representable(format_result, self.bundle)
        return artifact._replace(files=(*artifact.files, *self.compiled.extra_files))


def check_representable(format_result: FormatResult, bundle: Bundle) -> None:
    """Raise RefusedError if the bundle cannot be represented in one of its formats.

    Its reserved names were allowed when it was compiled to the same formats.
    """
    for problem in format_result.problems:
        if not problem.reserved_name:
            raise RefusedError(problem.code, f"{problem.message}, in bundle '{bundle.target.id}'", problem.hint)


def find_references(output: CompiledOutput) -> set[str]:
    """Return the secrets that the bundles refer to, as `<file>#<path>`."""
    resolver = PlaceholderResolver()
    return {reference for bundle in output.bundles for reference in resolver.find_references(bundle)}


def unseal(
    output: CompiledOutput, secrets: Mapping[str, Any], decrypter: Callable[[Path, SecretsPolicy], Decrypter]
) -> Iterator[UnsealedBundle]:
    """Resolve the bundles of an output; `secrets` are those that they refer to, by `<file>#<path>`."""
    sealed = decrypt_sealed_files(output, decrypter)
    resolver = PlaceholderResolver()
    for bundle in output.bundles:
        resolved = resolver.resolve(bundle, PlainSecrets(secrets, sealed.get(bundle.folder, {})))
        read_secrets = frozenset(
            secret
            for reference in resolver.find_references(bundle)
            for secret in iter_named_secrets(reference, secrets.get(reference))
        )
        yield UnsealedBundle(bundle, resolved, read_secrets | collect_plaintexts(resolved))


__all__ = [
    "CompiledOutput",
    "UnsealedBundle",
    "check_representable",
    "decrypt_references",
    "find_references",
    "load_output",
    "unseal",
]
