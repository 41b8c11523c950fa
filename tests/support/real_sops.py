"""Trees whose secrets the real sops has encrypted, and people with keys who can open them."""

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
    """Somebody with an age key in a file, or with a PGP key in a home of gpg."""

    public: str
    environ: Mapping[str, str]

    @property
    def sops_option(self) -> str:
        """The option with which sops encrypts for this person."""
        return f"--{'age' if self.public.startswith('age1') else 'pgp'}={self.public}"


def make_age_user(folder: Path, name: str) -> SopsUser:
    """A new age key."""
    identity = pyrage.x25519.Identity.generate()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"{identity}\n")
    return SopsUser(str(identity.to_public()), {"SOPS_AGE_KEY_FILE": str(folder / name)})


@contextmanager
def make_pgp_user() -> Iterator[SopsUser]:
    """A new PGP key; the path of the agent's socket must be short."""
    home = tempfile.mkdtemp(prefix="gpg")
    machine = {"PATH": SEARCH_PATH, "GNUPGHOME": home}
    user = "envtree test <test@example.com>"
    make = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", user, "future-default", "default", "never"]
    subprocess.run(make, env=machine, check=True, capture_output=True)
    shown = subprocess.run(["gpg", "--list-keys", "--with-colons"], env=machine, check=True, capture_output=True)
    fingerprint = next(line.split(":")[9] for line in shown.stdout.decode().splitlines() if line.startswith("fpr"))
    try:
        yield SopsUser(fingerprint, {"GNUPGHOME": home})
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=machine, check=False)
        shutil.rmtree(home, ignore_errors=True)


def run_sops(
    root: Path, *arguments: str, user: SopsUser | None = None, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """Run the real sops in a folder, with somebody's key."""
    environ = {"PATH": SEARCH_PATH, "HOME": "/", "SOPS_DISABLE_VERSION_CHECK": "1", **(user.environ if user else {})}
    return subprocess.run(["sops", *arguments], cwd=root, env=environ, check=check, capture_output=True)


def encrypt_file(root: Path, path: str, text: str, *options: str, user: SopsUser | None = None) -> Path:
    """Write a file and let the real sops encrypt it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    run_sops(root, "encrypt", "--in-place", *options, f"./{path}", user=user)
    return file


def decrypt_file(root: Path, path: str, user: SopsUser) -> dict[str, Any] | None:
    """What sops says is in a file, None if this person cannot open it."""
    done = run_sops(root, "decrypt", "--output-type", "json", f"./{path}", user=user, check=False)
    data: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return data


def read_recipients(file: Path) -> set[str]:
    """The age and PGP keys that a file names."""
    text = file.read_text()
    return set(re.findall(r"\bage1[02-9ac-hj-np-z]{58}", text)) | set(re.findall(r"\b[0-9A-F]{40}\b", text))


def people_section(**users: SopsUser) -> str:
    """The people of organization.yaml."""
    lines = [f"  {name}: {{{_key_kind(one)}: {one.public}, github: {name}-acme}}\n" for name, one in users.items()]
    return "people:\n" + "".join(lines)


def _key_kind(one: SopsUser) -> str:
    return "age" if one.public.startswith("age1") else "pgp"


def yaml_list(names: Sequence[str]) -> str:
    """Names as a list in YAML."""
    return f"[{', '.join(names)}]"
