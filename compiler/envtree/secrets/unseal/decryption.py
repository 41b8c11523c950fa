"""Decrypt the secrets of bundles: from the secrets files of their tree, or from the sealed files next to them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from envtree.engine.decryption import Decrypter, DecryptOutcome, decrypt_all
from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostics, RefusedError
from envtree.model.secret_entries import BUNDLE_ID_ENTRY
from envtree.model.secrets_file import DecryptError, SecretsFile, SecretsPolicy, flatten_leaves
from envtree.secrets.seal.sealed_secrets import read_sealed_secrets
from envtree.secrets.unseal.bundle_loader import CompiledBundle, CompiledOutput

# Independent of the policy of the tree: bundles are sealed for people, so no service or plugin is needed.
_SEALED_FILE_POLICY = SecretsPolicy(frozenset({"age", "age-ssh", "pgp"}), (), require_scope=False)


def decrypt_references(
    run: Run, references: Iterable[str], decrypter: Callable[[SecretsPolicy], Decrypter]
) -> dict[str, Any]:
    """Decrypt secrets by `<file>#<path>` from the secrets files of a tree; those that no longer exist are left out."""
    assert run.workspace
    paths = {reference.partition("#")[0] for reference in references}
    resources = (run.files[path] for path in paths if path in run.files)
    files = [resource.secrets_file for resource in resources if resource.secrets_file]
    opened = decrypt_all(decrypter(run.workspace.organization.secrets_policy), files)
    return {
        f"{path}#{secret_path}": value
        for path, outcome in opened.items()
        for secret_path, value in flatten_leaves(_unwrap_outcome(outcome)).items()
    }


def decrypt_sealed_files(
    output: CompiledOutput, decrypter: Callable[[Path, SecretsPolicy], Decrypter]
) -> dict[str, dict[str, Any]]:
    """Return the entries of each sealed file, by the folder of its bundle."""
    files = {bundle.folder: _parse_sealed_file(bundle) for bundle in output.bundles if bundle.sealed is not None}
    if not files:
        return {}
    opened = decrypt_all(decrypter(output.root.absolute(), _SEALED_FILE_POLICY), files.values())
    by_folder = {bundle.folder: bundle for bundle in output.bundles}
    return {
        folder: _check_owner(by_folder[folder], _unwrap_outcome(opened[file.path])) for folder, file in files.items()
    }


def _parse_sealed_file(bundle: CompiledBundle) -> SecretsFile:
    findings = Diagnostics()
    sealed = read_sealed_secrets(bundle.sealed_path, bundle.sealed or b"", findings)
    if sealed is None:
        first = next(iter(findings))
        raise RefusedError(first.code, f"{first.span}: {first.message}", first.hint)
    return sealed


def _check_owner(bundle: CompiledBundle, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a sealed file; RefusedError if it is that of another bundle, which may have equal names."""
    if entries.get(BUNDLE_ID_ENTRY) != bundle.target.id:
        message = f"'{bundle.sealed_path}' holds the secrets of another bundle than '{bundle.target.id}'"
        raise RefusedError("ET631", message, "compile the bundle again, and do not move its files apart")
    return {name: entry for name, entry in entries.items() if name != BUNDLE_ID_ENTRY}


def _unwrap_outcome(outcome: DecryptOutcome) -> dict[str, Any]:
    if isinstance(outcome, DecryptError):
        raise outcome.to_refused_error()
    return outcome
