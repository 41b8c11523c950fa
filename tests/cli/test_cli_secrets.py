"""No command prints a secret or leaves one in a file, in any encoding (T28, T63, T64)."""

import base64
import html
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyrage
import pytest

from envtree.cli import invoke
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
CANARY = "quokka7-\"Ünique\"/+&?=$x\\y\nsecond-line-of-the-canary\nthird-line: of 'it'"
NUMBER = 918273645546372819
PLACE = "default/a@dev"
# The text that contains some of the mistakes.
OTHER = "default/b@dev"
FORMS = ("text", "json", "github", "sarif", "junit", "gitlab")
REPORTS = [word for form in FORMS for word in ("--report", f"{form}={{tmp}}/report.{form}")]
FILES = {
    "organization.yaml": "name: acme\nedition: 2026\ndefault_model: m/m\n",
    "organization.secrets.yaml": json.dumps({"_scope": "organization", "db": {"password": CANARY, "pin": NUMBER}}),
    "environments/dev.yaml": "{}\n",
    "environments/prod.yaml": "{}\n",
    "agents/a.yaml": """\
execution_environment:
  secrets: {PASSWORD: db.password}
  env_vars:
    URL: "${{ 'postgres://u:' ~ (secrets.db.password | urlencode) ~ '@h/d' }}"
    PIN: ${{ secrets.db.pin }}
  config: {nested: {list: ["${{ secrets.db.password }}", 1]}}
""",
    "agents/b.yaml": "{}\n",
}
# Each mistake concerns code that handles plaintext.
BROKEN = {
    "nothing": {},
    "contract": {
        "organization.yaml": "variables: {PASSWORD: {enum: [a, b]}, PIN: {maximum: 5}, URL: {pattern: '^x$'}}\n"
    },
    "type": {"organization.yaml": "variables: {PASSWORD: {type: integer}, PIN: {type: boolean}, URL: {type: json}}\n"},
    "policy": {
        "policies/p.yaml": "schema: {properties: {env_vars: {properties: {PASSWORD: {const: x}, PIN: {const: x}}}}}\n"
    },
    "filter": {"agents/b.yaml": "execution_environment:\n  env_vars: {N: '${{ secrets.db.password | int }}'}\n"},
    "division": {"agents/b.yaml": "execution_environment:\n  env_vars: {N: '${{ 1 / (secrets.db.pin * 0) }}'}\n"},
    "operator": {"agents/b.yaml": "execution_environment:\n  env_vars: {N: '${{ secrets.db.password + 1 }}'}\n"},
    "endpoint": {"agents/b.yaml": "execution_environment:\n  endpoints: {e: '${{ secrets.db.password }}'}\n"},
    "flag": {"agents/b.yaml": "execution_environment:\n  feature_flags: {f: '${{ [secrets.db.password] }}'}\n"},
    "null": {"agents/b.yaml": "execution_environment:\n  env_vars: {N: '${{ none if secrets.db.password else 1 }}'}\n"},
    "name": {"agents/b.yaml": "execution_environment:\n  env_vars: {N: '${{ secrets.db.pasword }}'}\n"},
    "override": {
        "agents/a.yaml": FILES["agents/a.yaml"]
        + "environments: {dev: {execution_environment: {env_vars: {PASSWORD: x}}}}\n"
    },
    # Not encrypted by mistake: a value that a contract declares as secret is one wherever it is.
    "plain": {
        "organization.yaml": "variables: {X: {secret: true, pattern: '^x$'}}\n",
        "agents/b.yaml": f"execution_environment:\n  env_vars:\n    X: {json.dumps(CANARY)}\n",
    },
}
# A program that prints its environment in several encodings.
SAY = """
import base64, html, json, os, shlex, sys
from urllib.parse import quote, quote_plus
for text in (os.environ.get(name, "") for name in ("PASSWORD", "URL", "PIN")):
    for piece in (text, *text.split("\\n")):
        raw = piece.encode()
        forms = [piece, raw.hex(), quote(piece), quote(piece, safe=""), quote_plus(piece), json.dumps(piece)]
        forms += [json.dumps(piece, ensure_ascii=False), json.dumps(json.dumps(piece)), shlex.quote(piece)]
        forms += [html.escape(piece), repr(piece), piece.encode("unicode_escape").decode()]
        for n in range(3):
            forms += [encode(b"x" * n + raw).decode() for encode in (base64.b64encode, base64.urlsafe_b64encode)]
            forms += [base64.encodebytes(b"x" * n + raw).decode()]
        for form in forms:
            print(form, flush=True)
            sys.stderr.write(form)
            sys.stderr.flush()
"""
VERIFIED = ("ref", "ref.zip", "ref.tar.zst", "open", "plain-half", "plain")
COMMANDS = [
    ("check",),
    ("check", "-v", "--output-format", "text", "--color", "always"),
    ("check", "--output-format", "json"),
    ("check", "--output-format", "github"),
    ("check", "--output-format", "sarif"),
    ("check", "--output-format", "junit"),
    ("check", "--output-format", "gitlab"),
    ("check", *REPORTS),
    ("check", "--fix", "--diff"),
    ("tree",),
    ("tree", "--output-format", "json"),
    ("tree", "--output-format", "mermaid"),
    ("tree", "--output-format", "dot"),
    *(("show", place, "--format", form) for place in (PLACE, OTHER) for form in ("json", "compose")),
    *(
        ("explain", place, *words, "--output-format", form)
        for place, *words in ((PLACE,), (PLACE, "PASSWORD"), (PLACE, "config.nested"), (PLACE, "--layers"), (OTHER,))
        for form in ("text", "json")
    ),
    *(
        ("diff", *sides, "--output-format", form)
        for sides in (("{tmp}/sound",), ("{tmp}/tree", "{tmp}/sound"))
        for form in ("text", "json", "markdown", "mermaid")
    ),
    ("check", "--changed-since", "{tmp}/sound", "--output-format", "json"),
    *(("impact", "organization.secrets.yaml", "--output-format", form) for form in ("text", "json", "ids")),
    *(("matrix", key, "--output-format", form) for key in ("PASSWORD", "config.nested") for form in ("text", "json")),
    *(("parity", "dev", "prod", "--output-format", form) for form in ("text", "json")),
    *(("unused", "--output-format", form) for form in ("text", "json")),
    ("report", "-o", "-"),
    ("help",),
    ("list",),
    ("get", PLACE, "PASSWORD"),
    ("get", PLACE, "config"),
    ("get", OTHER, "env_vars"),
    ("kubiya", "plan"),
    ("kubiya", "apply"),
    ("kubiya", "drift"),
    ("kubiya", "import", "imported"),
    ("plan",),
    ("apply",),
    ("drift",),
    ("report", "-o", "{tmp}/page.html", "{tmp}/tree"),
    ("secrets", "audit"),
    ("secrets", "audit", "--output-format", "json"),
    ("secrets", "audit", "--decrypt"),
    ("secrets", "audit", "--decrypt", "--output-format", "json"),
    ("secrets", "list"),
    ("secrets", "list", "--output-format", "json"),
    ("secrets", "get", "{tmp}/tree/organization.secrets.yaml", "db.password"),
    ("secrets", "readers", "-v"),
    ("secrets", "readers", "--output-format", "json"),
    ("secrets", "sync", "--check", "--update-keys"),
    ("cache", "clear"),
    ("compile", "-o", "{tmp}/ref", "--secrets", "ref"),
    ("compile", "-o", "{tmp}/ref", "--secrets", "ref", "--check"),
    ("compile", "-o", "{tmp}/ref", "--secrets", "ref", "--provenance"),
    ("compile", "-o", "{tmp}/ref", "--secrets", "ref", "--provenance", "--check"),
    ("compile", "-o", "{tmp}/plain"),
    ("compile", "-o", "{tmp}/plain", "--check", "-v"),
    ("compile", "-o", "{tmp}/plain", "--output-format", "json"),
    ("compile", "-o", "{tmp}/plain", "--output-format", "github", "--strict"),
    ("compile", "-o", "{tmp}/seal", "--secrets", "seal"),
    ("compile", "-o", "{tmp}/seal", "--secrets", "seal", "--check", "--output-format", "json"),
    ("compile", "--archive", "{tmp}/ref.zip", "--secrets", "ref", "--receipt"),
    ("compile", "--archive", "{tmp}/ref.tar.zst", "--secrets", "ref", "--receipt"),
    ("compile", "-o", "{tmp}/open", "--split", "{tmp}/plain-half", "--format", "k8s", "--format", "terraform"),
    ("compile", "-o", "{tmp}/open", "--split", "{tmp}/plain-half", "--check", "-v"),
    ("compile", "-o", "{tmp}/ref-part", "--secrets", "ref", "--shard", "1/2", "--receipt"),
    ("compile", "-o", "{tmp}/plain-part", "--shard", "1/2", "--archive", "{tmp}/plain-{{project}}.tar.zst"),
    ("merge-manifests", "{tmp}/ref-part", "-o", "{tmp}/ref-merged", "--archive", "{tmp}/ref-merged.zip"),
    ("merge-manifests", "{tmp}/plain-part", "-o", "{tmp}/plain-merged"),
    ("merge-manifests", "{tmp}/plain-part", "{tmp}/ref-part", "-o", "{tmp}/mixed"),
    *(("verify", f"{{tmp}}/{name}", "--output-format", form) for name in VERIFIED for form in ("text", "json")),
    ("run", PLACE, "--", sys.executable, "-c", SAY),
    ("run", "--pristine", OTHER, "--", sys.executable, "-c", SAY),
    # Its reports of changes are those of `check` and `compile`; `test_watch.py` tests the rest.
    ("watch", "--once"),
    *(("watch", "--once", "-o", f"{{tmp}}/{mode}-watched", "--secrets", mode) for mode in ("ref", "plain")),
    ("unseal", "{tmp}/ref/dev/default/a"),
    *(("unseal", f"{{tmp}}/{mode}", "-o", f"{{tmp}}/plain-{mode}") for mode in ("ref", "seal")),
    *(
        ("run", "--bundle", f"{{tmp}}/{mode}/dev/default/a", "--", sys.executable, "-c", SAY)
        for mode in ("ref", "seal", "plain")
    ),
    ("schema",),
    ("schema", "bundle"),
    ("code",),
    ("code", "ET703"),
    ("completion", "bash"),
    ("init", "{tmp}/new"),
    ("new", "mixin", "postgres"),
    ("check", "--fix"),
]


class Ran(NamedTuple):
    """The exit code and output of a command."""

    code: int
    out: bytes
    err: bytes


Command = Callable[..., Ran]


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose secrets the real sops has encrypted for a temporary key beside it."""
    folder = tmp_path_factory.mktemp("sealed")
    identity = pyrage.x25519.Identity.generate()
    (folder / "key").write_text(f"{identity}\n")
    for path, content in FILES.items():
        (folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / path).write_text(content)
    with (folder / "tree/organization.yaml").open("a") as organization:
        organization.write(f"people: {{ci: {{age: {identity.to_public()}}}}}\nsecret_readers: [ci]\n")
    command = ["sops", "encrypt", "--in-place", "--age", str(identity.to_public()), "organization.secrets.yaml"]
    subprocess.run(command, cwd=folder / "tree", env=environ(folder), check=True, capture_output=True)
    return folder


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    shutil.copytree(sealed / "tree", tmp_path / "tree")
    # A comparison base without mistakes.
    shutil.copytree(sealed / "tree", tmp_path / "sound")
    shutil.copy(sealed / "key", tmp_path / "key")
    (tmp_path / "tmp").mkdir()
    return tmp_path


def environ(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {
        "PATH": path,
        "PYTHONPATH": str(ROOT / "compiler"),
        "SOPS_AGE_KEY_FILE": str(folder / "key"),
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder / "tmp"),
    }


def encodings() -> Iterator[bytes]:
    """Yield pieces of the secret in all encodings, long enough not to occur by chance."""
    pieces = [CANARY, *CANARY.split("\n"), str(NUMBER), "quokka7"]
    for text in pieces:
        raw = text.encode()
        yield raw
        yield raw.hex().encode()
        yield from _base64(raw)
        yield urllib.parse.quote(text).encode()
        yield urllib.parse.quote(text, safe="").encode()
        yield urllib.parse.quote_plus(text).encode()
        yield json.dumps(text)[1:-1].encode()
        yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
        yield json.dumps(json.dumps(text))[3:-3].encode()
        yield shlex.quote(text).encode()
        yield html.escape(text).encode()
        yield repr(text)[1:-1].encode()
        yield text.encode("unicode_escape")


def _base64(raw: bytes) -> Iterator[bytes]:
    """Yield Base64 encodings for the three possible offsets in a longer text."""
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"x" * offset + raw).rstrip(b"=")
            yield whole[4 if offset else 0 : -2 if len(whole) > 12 else None]


NEEDLES = sorted(set(encodings()))


def leaks(texts: Iterable[bytes]) -> list[bytes]:
    return [needle for text in texts for needle in NEEDLES if needle in text]


@pytest.fixture
def envtree(folder: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command line over the tree, with the key."""
    for name, value in environ(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def run(*arguments: str) -> Ran:
        code = invoke(["-C", str(folder / "tree"), *(argument.format(tmp=folder) for argument in arguments)])
        sys.stdout.flush()
        return Ran(code, *capfdbinary.readouterr())

    return run


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def write(folder: Path, changes: dict[str, str]) -> None:
    for path, content in changes.items():
        target = folder / "tree" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(target.read_text() + content if path == "organization.yaml" else content)


def test_the_needles_are_found_where_the_secret_is(envtree: Command) -> None:
    code, out, _ = envtree("show", PLACE, "--reveal", "--force")
    assert code == 0
    data = json.loads(out)
    assert data["env_vars"]["PASSWORD"] == CANARY
    assert data["env_vars"]["PIN"] == str(NUMBER)
    assert data["config"]["nested"]["list"] == [CANARY, 1]
    assert leaks([out])


def test_every_command_is_among_them(envtree: Command) -> None:
    listed = envtree("--help").out.decode().partition("Write a tree:")[2]
    assert {words[0] for words in COMMANDS} - {"plan", "apply", "drift"} == set(
        re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)
    )


# Each takes seconds, as all commands run over it.
SWEPT = [
    broken if broken in ("nothing", "contract", "operator") else pytest.param(broken, marks=pytest.mark.full)
    for broken in BROKEN
]


@pytest.mark.parametrize("broken", SWEPT)
def test_no_command_says_a_secret(broken: str, folder: Path, envtree: Command) -> None:
    write(folder, BROKEN[broken])
    for arguments in COMMANDS:
        ran = envtree(*arguments)
        if arguments[0] in ("kubiya", "plan", "apply", "drift"):
            # They fail without an API key; tests/end_to_end/control_plane has one.
            assert (ran.code, b"ET901" in ran.err) == (3, True)
            continue
        # A broken tree has no compiled bundles, and no command writes secrets to a pipe.
        missing = any("{tmp}" in argument for argument in arguments) and arguments[0] in (
            *("run", "unseal", "verify", "merge-manifests"),
        )
        is_refused = missing or "get" in arguments[:2]
        assert ran.code in ((0, 1, 2) if is_refused else (0, 1, 4)), (arguments, ran)
        assert not leaks(ran[1:]), arguments
    # With the key, each mistake is found.
    assert envtree("compile", "-o", "{tmp}/plain").code == (broken != "nothing")
    written = [path for path in files(folder) if not path.relative_to(folder).parts[0].startswith("plain")]
    # The file into which the secret was pasted contains it, of course.
    written = [path for path in written if (broken, path.name) != ("plain", "b.yaml")]
    assert not leaks(path.read_bytes() for path in written)
    assert len([path for path in written if path.name.startswith("report.")]) == len(FORMS)
    plain_files = files(folder / "plain")
    assert bool(leaks(path.read_bytes() for path in plain_files)) == bool(plain_files)


def test_where_a_secret_comes_from_is_written_beside_it_without_it(folder: Path, envtree: Command) -> None:
    assert envtree("compile", "-o", "{tmp}/plain", "--provenance").code == 0
    provenance_files = sorted((folder / "plain").rglob("provenance.json"))
    assert len(provenance_files) == 4
    assert not leaks(path.read_bytes() for path in provenance_files)
    assert leaks([(provenance_files[0].parent / "bundle.json").read_bytes()])


@pytest.mark.parametrize("command", [("compile", "-o", "{tmp}/plain"), ("show", PLACE, "--reveal", "--force")])
def test_what_is_wrong_with_a_file_or_a_key_is_told_without_it(
    command: tuple[str, ...], folder: Path, envtree: Command
) -> None:
    (folder / "key").rename(folder / "lost")
    code, *output = envtree(*command)
    assert (code, b"ET621" in output[1], leaks(output)) == (3, True, [])
    (folder / "lost").rename(folder / "key")
    file = folder / "tree/organization.secrets.yaml"
    # The leaves are unchanged, but the MAC of the file does not match.
    file.write_text(file.read_text().replace("lastmodified: ", "lastmodified: '2020-01-01T00:00:00Z' #"))
    code, *output = envtree(*command)
    assert (code, b"ET610" in output[1], leaks(output)) == (1, True, [])
    assert not (folder / "plain").exists()


CRASH = """
import sys
from envtree.engine import {module}
from envtree.cli import main
from envtree.model.resolved import reveal

def crash(*given, **_):
    plain = "{canary}"
    raise {kind}(plain, *map(str, given))

{module}.{stage} = crash
main()
"""


@pytest.mark.parametrize("stage", ["resolve", "bundle_lint", "assemble", "emit", "write", "flatten_leaves"])
def test_a_crash_with_plaintext_in_its_hands_is_one_line(stage: str, folder: Path) -> None:
    module = "publish" if stage in ("emit", "write") else "run"
    script = CRASH.format(canary="quokka7", kind="RuntimeError", stage=stage, module=module)
    command = [sys.executable, "-c", script, "-C", str(folder / "tree"), "compile", "-o", str(folder / "plain")]
    result = subprocess.run(command, env=environ(folder), capture_output=True, timeout=PATIENCE, check=False)
    assert result.returncode == 70, result
    assert (result.stdout, result.stderr.count(b"\n")) == (b"", 1)
    assert not leaks([result.stderr])
    assert not (folder / "plain").exists()
