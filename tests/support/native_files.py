"""Random secrets files, made by the real sops or by a writer in this module, and read by both decrypters."""

import base64
import hashlib
import hmac
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyrage
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from envtree.engine.decryption import verify_plaintext
from envtree.frontend.parse import parse
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.model.diagnostic import Diagnostics, MachineError
from envtree.model.secrets_file import DecryptError, SecretsFile, SecretsPolicy
from envtree.model.source import Kind, Location, Source
from envtree.secrets.sops import SopsDecrypter
from envtree.secrets.sops.environment import child_environment
from envtree.secrets.sops.native import NativeDecrypter

POLICY = SecretsPolicy(frozenset({"age"}), (), require_scope=False)
SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
FORMATS = ("yaml", "json", "env")
# An encrypted value in a file, including comments and the MAC.
TOKEN = re.compile(r"ENC\[AES256_GCM,data:[^,\]]*,iv:[^,\]]*,tag:[^,\]]*,type:[a-z]+\]")
# The outcome of the native reader for a file that it leaves to sops.
LEFT_TO_SOPS = "left to sops"


class Identity(NamedTuple):
    """An age key pair, as text."""

    private: str
    public: str


def new_identity() -> Identity:
    key = pyrage.x25519.Identity.generate()
    return Identity(str(key), str(key.to_public()))


class SecretsFolder(NamedTuple):
    """A folder of files, and the key that is available."""

    root: Path
    identity: Identity

    @property
    def environ(self) -> dict[str, str]:
        home = str(self.root.parent / "home")
        return {"PATH": SEARCH_PATH, "HOME": home, "SOPS_AGE_KEY": self.identity.private}

    def encrypt(self, path: str, text: str, recipients: Iterable[str]) -> None:
        """Encrypt a file with the real sops."""
        (self.root / path).write_text(text, "utf-8")
        keys = ",".join(recipients)
        command = ["sops", "--config", os.devnull, "encrypt", "--in-place", "--age", keys, "--", f"./{path}"]
        environ = self.environ | {"SOPS_DISABLE_VERSION_CHECK": "1"}
        subprocess.run(command, cwd=self.root, env=environ, check=True, capture_output=True)

    def read_sealed_file(self, path: str) -> SecretsFile | None:
        """Parse and validate a file; None if it has errors."""
        data = (self.root / path).read_bytes()
        location = Location(Kind.SECRETS, "", "", "organization", Kind.ORGANIZATION)
        diags = Diagnostics()
        document = parse(Source(path, location, data, hashlib.sha256(data).hexdigest()), diags)
        sealed = None if document is None else read_secrets_file(document, diags)
        # The warnings ET106 and ET150, about spelling, do not prevent decryption.
        return sealed if all(finding.code in ("ET106", "ET150") for finding in diags) else None

    def native_decrypter(self, environ: Mapping[str, str] | None = None) -> NativeDecrypter:
        """Return the native reader, with a fallback that raises LeftToSopsError."""
        environment = child_environment(POLICY, self.environ if environ is None else environ, self.root)
        return NativeDecrypter(self.root, POLICY, environment, _FallbackDecrypter())

    def sops_decrypter(self, environ: Mapping[str, str] | None = None) -> SopsDecrypter:
        """Return a decrypter that runs the real sops."""
        return SopsDecrypter(self.root, POLICY, environ=self.environ if environ is None else environ)


class LeftToSopsError(Exception):
    """The native reader leaves a file to sops."""


class _FallbackDecrypter:
    """The fallback of the native reader, instead of sops."""

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        raise LeftToSopsError

    def stop(self) -> None:
        pass


def decrypt_outcome(reader: NativeDecrypter | SopsDecrypter, sealed: SecretsFile) -> str:
    """Return the data of a file with types and order, or the code of the error, or LEFT_TO_SOPS."""
    try:
        plain = reader.decrypt(sealed)
        return f"{plain!r} {verify_plaintext(sealed, plain)!r}"
    except (DecryptError, MachineError) as error:
        return error.code
    except LeftToSopsError:
        return LEFT_TO_SOPS


def compare_decrypters(machine: SecretsFolder, files: Iterable[SecretsFile]) -> Iterator[tuple[SecretsFile, str, str]]:
    """Yield the outcomes of the native reader and of sops for each file; several sops run at a time."""
    native, sops = machine.native_decrypter(), machine.sops_decrypter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sealed_files = list(files)
        outcomes = pool.map(lambda sealed: decrypt_outcome(sops, sealed), sealed_files)
        for sealed, outcome in zip(sealed_files, outcomes, strict=True):
            yield sealed, decrypt_outcome(native, sealed), outcome


# ── random content ──────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = (
    *(
        "x",
        "hunter2",
        "two words",
        " blanks ",
        "päßwörd",
        "密码",
        "👩‍🚀 Ω",
        "e\u0301",
        "\u202etxet",
        "\ud7ff\ue000\ufffd",
    ),
    *("a\nb\n", "\n\nlines\n\n  of\n", "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n", "x" * 5000),
    *("\ttab", "\x00", "\x01\x7f\x1b[0m", "\u2028\u2029\ufeff"),
    *("true", "null", "~", "no", "12:30", "0o17", "0755", "1_000", "1e3", ".inf", "2026-11-24"),
    *("<<", "*x", "&x", "!x", "%x", "#", "# no comment", "ENC[", "ENC[AES256_GCM,data:,iv:,tag:,type:str]"),
    *("${{ x }}", "p\"a$s'\\wörd", "a=b", "\\n", "<b>&amp;</b>"),
)
NAMES = ("PASSWORD", "api_key", "a.b", "$value", "größe", "ключ", "with blank", "x-y", "x/y@z")
# Keys that some YAML readers do not read as text.
ODD_NAMES = ("on", "true", "null", "9lives", "2026-11-24", "1e3")
TIMES = ("2026-11-24", "2026-11-24T20:40:04Z", "2026-11-24T20:40:04.123456789Z", "2026-11-24 20:40:04 +05:30")
_UNSAFE = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")


class UnquotedScalar(str):
    """The spelling of a number or a time."""

    __slots__ = ()


def quote_scalar(text: str) -> str:
    """Return a text in double quotes, valid in JSON and YAML."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


class FileGenerator:
    """Generates random files of one format from one seed."""

    def __init__(self, seed: int, format: str, home: str) -> None:
        self.rng = random.Random(seed)
        self.format = format
        self.scope = home if self.rng.random() < 0.9 else "elsewhere"

    def plain(self) -> str:
        """Return a file to encrypt."""
        if self.format == "env":
            return "".join(f"{name}={self._line(name)}\n" for name in self._env_names())
        data = self._map(3, root=True)
        return self._json(data) if self.format == "json" else "".join(self._yaml(data, ""))

    def _env_names(self) -> list[str]:
        names = [f"{self.rng.choice('ABCDEF_')}{number}" for number in range(self.rng.randint(1, 8))]
        return ["_scope", *names] if self.rng.random() < 0.3 else names

    def _line(self, name: str) -> str:
        if name == "_scope":
            return self.scope
        texts = [text for text in TEXTS if not re.search("[\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\u202e]", text)]
        return self.rng.choice(texts)

    def _map(self, depth: int, *, root: bool = False) -> dict[str, Any]:
        rng = self.rng
        names = [f"{rng.choice('ABCdef_')}{number}" for number in range(rng.randint(1, 6))]
        if rng.random() < 0.3:
            names[rng.randrange(len(names))] = rng.choice(NAMES)
        if rng.random() < 0.015:
            names[rng.randrange(len(names))] = rng.choice(ODD_NAMES)
        if root and rng.random() < 0.3:
            names.insert(rng.randrange(len(names) + 1), "_scope")
        return {name: self.scope if name == "_scope" else self._node(depth) for name in dict.fromkeys(names)}

    def _node(self, depth: int) -> Any:
        draw = self.rng.random()
        if depth and draw < 0.15:
            return self._map(depth - 1)
        if depth and draw < 0.3:
            return [self._node(depth - 1) for _ in range(self.rng.randint(1, 4))]
        return self._leaf()

    def _leaf(self) -> Any:
        rng = self.rng
        kind = rng.choice(("text", "text", "integer", "float", "boolean", "time"))
        if kind == "integer":
            return UnquotedScalar(
                rng.choice((0, -1, 7, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), rng.randint(-(10**6), 10**6)))
            )
        if kind == "float":
            return UnquotedScalar(self._float())
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "time" and self.format == "yaml":
            return UnquotedScalar(rng.choice(TIMES))
        return rng.choice(TEXTS)

    def _float(self) -> str:
        rng = self.rng
        return rng.choice(
            (
                *("0.5", "-0.0", "2.0", "1.50", "1e20", "1e21", "1.5e300", "5e-324", "1e-6", "1e-7", "123456789.125"),
                *(repr(rng.uniform(-1, 1) * 10.0 ** rng.randint(-320, 300)), repr(rng.random())),
            )
        )

    def _json(self, node: Any) -> str:
        if isinstance(node, dict):
            return "{" + ", ".join(f"{quote_scalar(key)}: {self._json(child)}" for key, child in node.items()) + "}"
        if isinstance(node, list):
            return "[" + ", ".join(map(self._json, node)) + "]"
        return str(node) if isinstance(node, UnquotedScalar) else "null" if node is None else self._scalar(node)

    def _scalar(self, node: Any) -> str:
        return {True: "true", False: "false"}[node] if isinstance(node, bool) else quote_scalar(node)

    def _yaml(self, node: Any, indent: str) -> Iterator[str]:
        items = node.items() if isinstance(node, dict) else ((None, item) for item in node)
        for key, child in items:
            if self.rng.random() < 0.08:
                yield f"{indent}# a comment\n"
            head = (
                "-" if key is None else f"{key if re.fullmatch('[A-Za-z_][A-Za-z0-9_]*', key) else quote_scalar(key)}:"
            )
            if key in ODD_NAMES:
                head = f"{quote_scalar(key)}:"
            if isinstance(child, (dict, list)):
                yield f"{indent}{head}\n"
                yield from self._yaml(child, indent + "  ")
            else:
                end = "  # said behind\n" if self.rng.random() < 0.04 else "\n"
                yield f"{indent}{head} {child if isinstance(child, UnquotedScalar) else self._scalar(child)}{end}"


# ── a writer that can also write files that sops would not ──────────────────────────────────────────────────────────


class ForgedLeaf(NamedTuple):
    """The plain bytes and type of a leaf; `hashed` are the bytes that the MAC covers, if they differ."""

    plain: bytes
    type: str
    hashed: bytes | None = None


def forge(leaves: Any, recipients: Iterable[str], **metadata: Any) -> dict[str, Any]:
    """Return a SOPS file in memory: a tree with `ForgedLeaf` leaves, encrypted for some recipients."""
    key = os.urandom(32)
    hashed = hashlib.sha512()
    data = _encrypt_tree(leaves, key, (), hashed)
    lastmodified = metadata.get("lastmodified", "2026-11-24T20:40:04Z")
    mac = encrypt_leaf(ForgedLeaf(hashed.hexdigest().upper().encode(), "str"), key, lastmodified)
    entries = [{"recipient": recipient, "enc": wrap_data_key(key, recipient)} for recipient in recipients]
    defaults = {"age": entries, "lastmodified": lastmodified, "mac": mac, "version": "3.11.0"}
    return {**data, "sops": defaults | metadata}


def wrap_data_key(key: bytes, recipient: str) -> str:
    """Wrap a data key for a recipient in an armored age file with one stanza; pyrage would add a random one."""
    file_key, nonce, ephemeral = os.urandom(16), os.urandom(16), X25519PrivateKey.generate()
    share, public = ephemeral.public_key().public_bytes_raw(), _public_bytes(recipient)
    secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    wrapping = _derive_key(secret, share + public, b"age-encryption.org/v1/X25519")
    body = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    head = b"age-encryption.org/v1\n-> X25519 %b\n%b\n---" % (_unpadded(share), _unpadded(body))
    mac = hmac.digest(_derive_key(file_key, b"", b"header"), head, "sha256")
    payload = ChaCha20Poly1305(_derive_key(file_key, nonce, b"payload")).encrypt(bytes(11) + b"\x01", key, None)
    encoded = base64.b64encode(head + b" " + _unpadded(mac) + b"\n" + nonce + payload).decode()
    body_lines = "".join(f"{encoded[start : start + 64]}\n" for start in range(0, len(encoded), 64))
    return f"-----BEGIN AGE ENCRYPTED FILE-----\n{body_lines}-----END AGE ENCRYPTED FILE-----\n"


def _derive_key(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def _unpadded(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _public_bytes(recipient: str) -> bytes:
    """Return the 32 bytes of a recipient, decoded from Bech32: 5 bits per character, the checksum last."""
    bits = "".join(f"{'qpzry9x8gf2tvdw0s3jn54khce6mua7l'.index(char):05b}" for char in recipient[4:-6])
    return int(bits[:256], 2).to_bytes(32)


def encrypt_leaf(leaf: ForgedLeaf, key: bytes, additional_data: str) -> str:
    """Encrypt a value as sops does; `additional_data` is authenticated, too."""
    iv = os.urandom(32)
    sealed = AESGCM(key).encrypt(iv, leaf.plain, additional_data.encode())
    data, nonce, tag = (base64.b64encode(part).decode() for part in (sealed[:-16], iv, sealed[-16:]))
    return f"ENC[AES256_GCM,data:{data},iv:{nonce},tag:{tag},type:{leaf.type}]"


def _encrypt_tree(node: Any, key: bytes, path: tuple[str, ...], hashed: Any) -> Any:
    if isinstance(node, ForgedLeaf):
        hashed.update(node.plain if node.hashed is None else node.hashed)
        return encrypt_leaf(node, key, ":".join(path) + ":")
    if isinstance(node, list):
        return [_encrypt_tree(item, key, path, hashed) for item in node]
    return {name: _encrypt_tree(child, key, (*path, name), hashed) for name, child in node.items()}


def random_forged(rng: random.Random, depth: int = 3, *, root: bool = True) -> Any:
    """Return a random tree of leaves of all types, spelled as sops does."""
    draw = rng.random()
    if root or (depth and draw < 0.2):
        names = [f"{rng.choice('ABCdef')}{number}" for number in range(rng.randint(1, 6))]
        return {name: random_forged(rng, depth - 1, root=False) for name in names}
    if depth and draw < 0.35:
        return [random_forged(rng, depth - 1, root=False) for _ in range(rng.randint(1, 4))]
    kind = rng.choice(("str", "int", "float", "bool", "time"))
    if kind == "int":
        return ForgedLeaf(str(rng.randint(-(2**63), 2**63 - 1) >> rng.randint(0, 63)).encode(), kind)
    if kind == "float":
        return ForgedLeaf(_go_float(rng.uniform(-10, 10) * 10.0 ** rng.randint(-30, 30)).encode(), kind)
    if kind == "bool":
        return ForgedLeaf(rng.choice((b"True", b"False")), kind)
    if kind == "time":
        return ForgedLeaf(rng.choice((b"2026-11-24T00:00:00Z", b"1999-12-31T23:59:59.5-08:00")), kind)
    return ForgedLeaf(rng.choice(TEXTS).encode(), kind)


def _go_float(value: float) -> str:
    """Format a float without an exponent; the real sops rejects the MAC of any other spelling."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def render_block_yaml(data: dict[str, Any]) -> str:
    """Render a tree of texts in the block style of sops, with indented lists."""
    return "".join(_block_lines(data, ""))


def _block_lines(node: Any, indent: str) -> Iterator[str]:
    for key, child in node.items() if isinstance(node, dict) else ((None, item) for item in node):
        head = f"{indent}-" if key is None else f"{indent}{key}:"
        if isinstance(child, (dict, list)):
            yield f"{head}\n"
            yield from _block_lines(child, indent + "    ")
        elif "\n" in child:
            yield f"{head} |\n"
            yield from (f"{indent}    {line}\n" for line in child.splitlines())
        else:
            yield f'{head} "{child}"\n' if key == "lastmodified" else f"{head} {child}\n"


def render_dotenv(data: dict[str, Any]) -> str:
    """Render a flat tree in the dotenv format of sops."""
    metadata = dict(data["sops"])
    lines = {name: text for name, text in data.items() if name != "sops"}
    for index, entry in enumerate(metadata.pop("age")):
        lines |= {f"sops_age__list_{index}__map_{name}": text for name, text in entry.items()}
    lines |= {f"sops_{name}": text for name, text in metadata.items()}
    return "".join(f"{name}={str(text).replace(chr(10), chr(92) + 'n')}\n" for name, text in lines.items())
