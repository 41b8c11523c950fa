"""Encrypt and decrypt files with the real sops, for users with age or PGP keys."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyrage

SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
HEAD = "name: acme\nedition: 2026\ndefault_model: m/m\n"


class SopsUser(NamedTuple):
    """A user with an age key in a file, or a PGP key in a GNUPGHOME."""

    public: str
    environ: Mapping[str, str]

    @property
    def sops_option(self) -> str:
        """The option that makes sops encrypt for this user."""
        return f"--{'age' if self.public.startswith('age1') else 'pgp'}={self.public}"


def make_age_user(folder: Path, name: str) -> SopsUser:
    """Make a user with a new age key."""
    identity = pyrage.x25519.Identity.generate()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"{identity}\n")
    return SopsUser(str(identity.to_public()), {"SOPS_AGE_KEY_FILE": str(folder / name)})


@contextmanager
def make_pgp_user() -> Iterator[SopsUser]:
    """Make a user with a new PGP key, in a folder with a short path, as its socket requires."""
    home = tempfile.mkdtemp(prefix="gpg")
    environ = {"PATH": SEARCH_PATH, "GNUPGHOME": home}
    user = "envtree test <test@example.com>"
    command = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", user, "future-default", "default", "never"]
    subprocess.run(command, env=environ, check=True, capture_output=True)
    listing = subprocess.run(["gpg", "--list-keys", "--with-colons"], env=environ, check=True, capture_output=True)
    fingerprint = next(line.split(":")[9] for line in listing.stdout.decode().splitlines() if line.startswith("fpr"))
    try:
        yield SopsUser(fingerprint, {"GNUPGHOME": home})
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=environ, check=False)
        shutil.rmtree(home, ignore_errors=True)


def run_sops(
    root: Path, *arguments: str, user: SopsUser | None = None, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """Run the real sops in a folder, with the key of a user, if given."""
    environ = {"PATH": SEARCH_PATH, "HOME": "/", "SOPS_DISABLE_VERSION_CHECK": "1", **(user.environ if user else {})}
    return subprocess.run(["sops", *arguments], cwd=root, env=environ, check=check, capture_output=True)


def encrypt_file(root: Path, path: str, text: str, *options: str, user: SopsUser | None = None) -> Path:
    """Write a file and encrypt it with the real sops."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    run_sops(root, "encrypt", "--in-place", *options, f"./{path}", user=user)
    return file


def decrypt_file(root: Path, path: str, user: SopsUser) -> dict[str, Any] | None:
    """Return the content of a file, or None if the user cannot decrypt it."""
    result = run_sops(root, "decrypt", "--output-type", "json", f"./{path}", user=user, check=False)
    data: dict[str, Any] | None = json.loads(result.stdout) if result.returncode == 0 else None
    return data


def read_recipients(file: Path) -> set[str]:
    """Return the age and PGP recipients of a file."""
    text = file.read_text()
    return set(re.findall(r"\bage1[02-9ac-hj-np-z]{58}", text)) | set(re.findall(r"\b[0-9A-F]{40}\b", text))


def people_section(**users: SopsUser) -> str:
    """Return the section `people` of organization.yaml."""
    lines = [f"  {name}: {{{_key_kind(user)}: {user.public}, github: {name}-acme}}\n" for name, user in users.items()]
    return "people:\n" + "".join(lines)


def _key_kind(user: SopsUser) -> str:
    return "age" if user.public.startswith("age1") else "pgp"


def yaml_list(names: Sequence[str]) -> str:
    """Return names as a YAML list."""
    return f"[{', '.join(names)}]"
