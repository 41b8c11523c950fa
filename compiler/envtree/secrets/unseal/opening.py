"""Open what the secrets of bundles are in: the secrets files of their tree, or the sealed files beside them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostics, Refusal
from envtree.model.secret_placeholders import OWNER
from envtree.model.secrets_file import DecryptError, SealedFile, SecretsPolicy, leaves
from envtree.secrets.seal.beside import read_beside
from envtree.secrets.sops import Decrypter, Outcome, decrypt_all
from envtree.secrets.unseal.stored import Output, Stored

# Whatever the policy of the tree was: bundles are sealed for people, and neither a service nor a program is asked.
_POLICY = SecretsPolicy(frozenset({"age", "age-ssh", "pgp"}), (), require_scope=False)


def open_kept(run: Run, references: Iterable[str], decrypter: Callable[[SecretsPolicy], Decrypter]) -> dict[str, Any]:
    """Secrets by `<file>#<path>`, out of the secrets files of a tree; what does not exist any more is left out."""
    assert run.workspace
    wanted = {reference.partition("#")[0] for reference in references}
    resources = (run.files[path] for path in wanted if path in run.files)
    files = [resource.sealed for resource in resources if resource.sealed]
    opened = decrypt_all(decrypter(run.workspace.organization.secrets_policy), files)
    return {
        f"{path}#{inside}": value
        for path, outcome in opened.items()
        for inside, value in leaves(_plain(outcome)).items()
    }


def open_sealed(output: Output, decrypter: Callable[[Path, SecretsPolicy], Decrypter]) -> dict[str, dict[str, Any]]:
    """The entries of each sealed file, by the folder of its bundle."""
    files = {one.folder: _sealed_file(one) for one in output.bundles if one.sealed is not None}
    if not files:
        return {}
    opened = decrypt_all(decrypter(output.root.absolute(), _POLICY), files.values())
    by_folder = {one.folder: one for one in output.bundles}
    return {folder: _own(by_folder[folder], _plain(opened[file.path])) for folder, file in files.items()}


def _sealed_file(bundle: Stored) -> SealedFile:
    findings = Diagnostics()
    found = read_beside(bundle.path, bundle.sealed or b"", findings)
    if found is None:
        first = next(iter(findings))
        raise Refusal(first.code, f"{first.span}: {first.message}", first.hint)
    return found


def _own(bundle: Stored, entries: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a sealed file, which must be that of this bundle: another's may hold the same names."""
    if entries.get(OWNER) != bundle.target.id:
        message = f"'{bundle.path}' holds the secrets of another bundle than '{bundle.target.id}'"
        raise Refusal("ET631", message, "compile the bundle again, and do not move its files apart")
    return {name: entry for name, entry in entries.items() if name != OWNER}


def _plain(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, DecryptError):
        raise outcome.refusal()
    return outcome
