"""Open what the secrets of bundles are in: the secrets files of their tree, or the sealed files beside them."""

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

# Whatever the policy of the tree was: bundles are sealed for people, and neither a service nor a program is asked.
_SEALED_FILE_POLICY = SecretsPolicy(frozenset({"age", "age-ssh", "pgp"}), (), require_scope=False)


def decrypt_references(
    run: Run, references: Iterable[str], decrypter: Callable[[SecretsPolicy], Decrypter]
) -> dict[str, Any]:
    """Secrets by `<file>#<path>`, out of the secrets files of a tree; what does not exist any more is left out."""
    assert run.workspace
    wanted = {reference.partition("#")[0] for reference in references}
    resources = (run.files[path] for path in wanted if path in run.files)
    files = [resource.secrets_file for resource in resources if resource.secrets_file]
    opened = decrypt_all(decrypter(run.workspace.organization.secrets_policy), files)
    return {
        f"{path}#{inside}": value
        for path, outcome in opened.items()
        for inside, value in flatten_leaves(_unwrap_outcome(outcome)).items()
    }


def decrypt_sealed_files(
    output: CompiledOutput, decrypter: Callable[[Path, SecretsPolicy], Decrypter]
) -> dict[str, dict[str, Any]]:
    """The entries of each sealed file, by the folder of its bundle."""
    files = {one.folder: _parse_sealed_file(one) for one in output.bundles if one.sealed is not None}
    if not files:
        return {}
    opened = decrypt_all(decrypter(output.root.absolute(), _SEALED_FILE_POLICY), files.values())
    by_folder = {one.folder: one for one in output.bundles}
    return {
        folder: _check_owner(by_folder[folder], _unwrap_outcome(opened[file.path])) for folder, file in files.items()
    }


def _parse_sealed_file(bundle: CompiledBundle) -> SecretsFile:
    findings = Diagnostics()
    found = read_sealed_secrets(bundle.sealed_path, bundle.sealed or b"", findings)
    if found is None:
        first = next(iter(findings))
        raise RefusedError(first.code, f"{first.span}: {first.message}", first.hint)
    return found


def _check_owner(bundle: CompiledBundle, entries: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a sealed file, which must be that of this bundle: another's may hold the same names."""
    if entries.get(BUNDLE_ID_ENTRY) != bundle.target.id:
        message = f"'{bundle.sealed_path}' holds the secrets of another bundle than '{bundle.target.id}'"
        raise RefusedError("ET631", message, "compile the bundle again, and do not move its files apart")
    return {name: entry for name, entry in entries.items() if name != BUNDLE_ID_ENTRY}


def _unwrap_outcome(outcome: DecryptOutcome) -> dict[str, Any]:
    if isinstance(outcome, DecryptError):
        raise outcome.to_refused_error()
    return outcome
