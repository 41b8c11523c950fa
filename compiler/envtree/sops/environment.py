"""What sops gets from the machine: which program it is, and the few variables that it needs."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from envtree.diagnostic import Failure
from envtree.secret import SecretsPolicy

# By kind of key; a name that ends in `_` stands for all that begin with it.
_VARIABLES = {
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
_REMOTE = frozenset({"kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"})
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_")
# Paths: sops runs in the tree's root, and these are meant from where the user stands.
_PATHS = frozenset(
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


def find_sops(search_path: str, root: Path) -> Path:
    """The sops on PATH; a Failure if there is none, or one that others could have put there."""
    found = shutil.which("sops", path=search_path)
    if found is None:
        hint = "install sops 3.9 or newer and put it on PATH; '--secrets ref' needs none"
        raise Failure("ET620", "sops is not installed", hint)
    path = Path(found).absolute()
    problem = _problem(path.parent, root) or _problem(path.resolve().parent, root)
    if problem:
        hint = "install sops in a folder that only its owner can write to, outside of the tree"
        raise Failure("ET620", f"the first sops on PATH is not used, because its folder {problem}", hint)
    return path


def child_environment(policy: SecretsPolicy, environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """The variables for sops: an allow-list by the kinds of keys that the policy admits, and what keeps it offline."""
    names = {"HOME"}.union(*(_VARIABLES.get(kind, ()) for kind in policy.key_types))
    if policy.key_types & _REMOTE:
        names.update(_NETWORK)
    prefixes = tuple(name for name in names if name.endswith("_"))
    passed = {
        name: _absolute(name, value) for name, value in environ.items() if name in names or name.startswith(prefixes)
    }
    fixed = {"PATH": os.pathsep.join(_search_path(environ.get("PATH", ""), root)), "SOPS_DISABLE_VERSION_CHECK": "1"}
    if "hc_vault" not in policy.key_types:
        fixed["SOPS_HC_VAULT_ALLOWLIST"] = "none"
    if "kms" not in policy.key_types:
        fixed["AWS_EC2_METADATA_DISABLED"] = "true"
    return passed | fixed


def _absolute(name: str, value: str) -> str:
    return str(Path(value).absolute()) if value and name in _PATHS else value


def _search_path(search_path: str, root: Path) -> Iterator[str]:
    """PATH without folders where the tree, or anybody, could lay a gpg or an age plugin of their own."""
    for entry in search_path.split(os.pathsep):
        folder = Path(entry)
        if folder.is_absolute() and folder.is_dir() and not _problem(folder, root):
            yield entry


def _problem(folder: Path, root: Path) -> str:
    """Why a program in a folder is not to be trusted; empty if it is."""
    if folder.stat().st_mode & stat.S_IWOTH:
        return "can be written to by everybody"
    # A virtual environment inside the tree is as trusted as the Python that runs this.
    real = folder.resolve()
    if real.is_relative_to(root.resolve()) and real != Path(sys.executable).parent.resolve():
        return "lies inside the tree"
    return ""
