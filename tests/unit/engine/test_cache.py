"""Cached runs give the same output and files as others, and the cache is private."""

import base64
import hashlib
import os
import random
import shutil
import stat
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envtree.engine import cache
from envtree.engine.cache.object_store import decode_object, encode_object, load_object, save_object
from envtree.engine.cache.path_fingerprints import FOLDER_LIMIT, PathFingerprint, PathFingerprints
from envtree.engine.cache.replay_cache import ReplayCache
from envtree.engine.check import check
from envtree.engine.request import Request, RunOutcome
from envtree.model.source import Kind, Location
from envtree.sources.tree import DirectoryTree
from envtree.system.disk import parse_manifest
from tests.support.command_line import BOT, ERROR, ORGANIZATION, WARNING, CommandResult, RunCommand, write_files
from tests.support.divided import read_folder
from tests.support.rounds import rounds
from tests.support.vault import NUMBER, PASSWORD, Vault, vault
from tests.unit.system.test_git import run as git

__all__ = ["vault"]

TREE = {
    "organization.yaml": ORGANIZATION
    + "inputs: {SHA: {default: none}}\n"
    + "output: {formats: [compose, template], templates: {motd.txt: motd.j2}, secrets: ref}\n"
    + "execution_environment: {env_vars: {SHA: '${{ inputs.SHA }}', LEVEL: info}}\n",
    "motd.j2": "hello {{ agent }}\n",
    ".gitignore": "projects/shop/agents/local*.yaml\nout*/\n",
    "environments/production.yaml": "execution_environment: {env_vars: {N: '10'}}\n",
    "environments/staging.yaml": "{}\n",
    "projects/shop/project.yaml": "key: shop\n",
    "projects/shop/agents/clerk.yaml": "targets: [production]\n",
    "projects/shop/teams/cart/team.yaml": "{}\n",
    BOT: "execution_environment:\n  env_vars: {NAME: '${{ agent.name }}'}\n",
    "projects/none/project.yaml": "key: none\ntargets: []\n",
    "projects/none/agents/idle.yaml": "{}\n",
    "projects/post/project.yaml": "key: post\nexecution_environment: {env_vars: {LEVEL: debug}}\n",
    "projects/post/environments/staging.yaml": "execution_environment: {env_vars: {N: '5'}}\n",
    "projects/post/agents/van.yaml": "execution_environment: {env_vars: {LEVEL: debug}}\n",
    "projects/post/agents/bike.yaml": "execution_environment: {config: {wheels: 2}}\n",
    "policies/named.yaml": "{schema: {required: [env_vars]}, severity: warning}\n",
}


class CachedAndUncached(NamedTuple):
    """A tree with two outputs, one of them compiled with the cache, and the exit codes of replayed runs."""

    envtree: RunCommand
    root: Path
    replayed: list[int]

    def both(self, *arguments: str, out: bool = True) -> tuple[CommandResult, CommandResult]:
        """Return the results of a command line with the cache and without, as if both had the same output."""
        results = []
        for name, options in (("out", ()), ("out-2", ("--no-cache",))):
            output = ("-o", str(self.root / name)) if out else ()
            code, stdout, stderr = self.envtree("-C", str(self.root), *arguments, *output, *options)
            results.append(CommandResult(code, stdout, stderr.replace("out-2", "out")))
        return results[0], results[1]

    def check(self) -> None:
        """Assert that the cache makes no difference."""
        for cached, uncached in (self.both("check", out=False), self.both("compile")):
            assert cached == uncached
        assert read_folder(self.root / "out") == read_folder(self.root / "out-2")


@pytest.fixture
def twice(tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> CachedAndUncached:
    root = tmp_path / "tree"
    write_files(root, TREE)
    git(root, "init", "-q")
    replayed: list[int] = []
    replay = ReplayCache.replay

    def recording_replay(self: ReplayCache, *, thorough: bool) -> int | None:
        code = replay(self, thorough=thorough)
        replayed.extend([] if code is None else [code])
        return code

    monkeypatch.setattr(ReplayCache, "replay", recording_replay)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return CachedAndUncached(envtree, root, replayed)


# Events between two runs; each takes the tree and a random generator.
Event = Callable[[Path, random.Random], object]


def some_file(root: Path, rng: random.Random) -> Path:
    return root / rng.choice(sorted(path for path in TREE if (root / path).is_file()) or ["organization.yaml"])


def edit(root: Path, rng: random.Random) -> None:
    path = some_file(root, rng)
    path.write_text(TREE[str(path.relative_to(root))] + "# more\n" * rng.randrange(3))


def edit_and_keep_size_and_time(root: Path, rng: random.Random) -> None:
    path = root / "environments/production.yaml"
    before = path.stat() if path.exists() else None
    path.write_text(f"execution_environment: {{env_vars: {{N: '{rng.randrange(10, 14)}'}}}}\n")
    if before:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(root: Path, rng: random.Random) -> None:
    path = some_file(root, rng)
    if path.exists():
        path.touch()


def remove(root: Path, rng: random.Random) -> None:
    some_file(root, rng).unlink(missing_ok=True)


def restore(root: Path, _: random.Random) -> None:
    write_files(root, TREE)


def break_a_file(root: Path, rng: random.Random) -> None:
    write_files(root, {BOT: rng.choice([ERROR, WARNING, "a: [\n", "a: \t1\n"])})


def add(root: Path, rng: random.Random) -> None:
    name = rng.choice(["local-1", "extra", "clerk", "Odd Name", "x.yaml.bak"])
    write_files(root, {f"projects/shop/agents/{name}.yaml": rng.choice(["{}\n", "targets: [staging]\n"])})


def rename(root: Path, rng: random.Random) -> None:
    path = some_file(root, rng)
    if path.exists():
        path.rename(path.with_name(rng.choice(["other.yaml", path.name])))


def link(root: Path, rng: random.Random) -> None:
    path = root / "projects/shop/agents/linked.yaml"
    path.unlink(missing_ok=True)
    path.symlink_to(rng.choice(["clerk.yaml", "../teams/cart/agents/bot.yaml", "nothing.yaml", "/etc/hostname"]))


def ignore(root: Path, rng: random.Random) -> None:
    write_files(root, {rng.choice([".gitignore", "projects/.gitignore", ".git/info/exclude"]): "extra.yaml\nout*/\n"})


def add_folder(root: Path, rng: random.Random) -> None:
    folder = root / rng.choice(["projects/shop/teams/new", "projects/shop/agent", "projects/more", "notes"])
    folder.mkdir(exist_ok=True, parents=True)


def nest(root: Path, _: random.Random) -> None:
    """Create or remove a nested repository, which has its own ignore rules."""
    folder = root / "projects/shop"
    if (folder / ".git").exists():
        shutil.rmtree(folder / ".git")
    elif folder.exists():
        git(folder, "init", "-q")


def set_an_input(_: Path, rng: random.Random) -> None:
    os.environ["SHA"] = rng.choice(["a", "b"])


def lose_an_output(root: Path, rng: random.Random) -> None:
    for path in sorted((root / "out").rglob("*.json"))[:1]:
        for out in ("out", "out-2"):
            (root / out / path.relative_to(root / "out")).unlink()


def change_an_output(root: Path, rng: random.Random) -> None:
    for path in rng.sample(sorted((root / "out").rglob("*.env")), k=1) if (root / "out").exists() else ():
        for out in ("out", "out-2"):
            file = root / out / path.relative_to(root / "out")
            file.write_bytes(b"x" * file.stat().st_size)


EVENTS: list[Event] = [
    *(
        edit,
        edit_and_keep_size_and_time,
        touch,
        touch,
        remove,
        restore,
        restore,
        break_a_file,
        add,
        rename,
        link,
        ignore,
    ),
    *(add_folder, set_an_input, lose_an_output, change_an_output, lambda _, __: None),
]


def compare_rounds(
    twice: CachedAndUncached, count: int, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False
) -> None:
    """Assert after random events that the cache makes no difference; with `quiet`, stat keys alone detect changes."""
    monkeypatch.setenv("SHA", "a")
    if quiet:
        monkeypatch.setattr("envtree.engine.cache.path_fingerprints._TIMESTAMP_GRANULARITY", 20_000_000)
    for number in range(count):
        rng = random.Random(number)
        time.sleep(0.04 if quiet else 0)
        for event in rng.choices([*EVENTS, nest], k=rng.choice([1, 1, 2, 5])):
            event(twice.root, rng)
        try:
            twice.check()
        except AssertionError:
            pytest.fail(f"round {number} differs")
    assert len(twice.replayed) >= count // 8 - 1


@pytest.mark.parametrize("quiet", [False, True])
def test_random_edits(quiet: bool, twice: CachedAndUncached, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_rounds(twice, rounds(gate=6, full=12), monkeypatch, quiet=quiet)


@pytest.mark.full
@pytest.mark.parametrize("quiet", [False, True])
def test_a_thousand_random_edits(quiet: bool, twice: CachedAndUncached, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_rounds(twice, 1000, monkeypatch, quiet=quiet)


# Cached results.


@pytest.mark.parametrize("is_large", [True, False])
@pytest.mark.parametrize("output", [True, False])
def test_only_bundles_that_a_change_can_reach_are_computed(
    output: bool, is_large: bool, twice: CachedAndUncached, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("compile", "-o", str(twice.root.parent / "out")) if output else ("check",)
    command = ("-C", str(twice.root), *arguments)

    def reached(path: str, text: str) -> set[str]:
        computed.clear()
        write_files(twice.root, {path: text})
        result = twice.envtree(*command)
        projects = {id.partition("/")[0] for id in computed}
        assert result == twice.envtree(*command, "--no-cache")
        return projects

    # Any run but the first is by projects, however small the tree is.
    monkeypatch.setattr("envtree.engine.by_project._MIN_AGENTS", 1 if is_large else 1 << 30)
    twice.envtree(*command)
    write_files(twice.root, {BOT: "{}\n"})
    assert reached(BOT, "{}\n") == ({"shop"} if is_large else {"post", "shop"})
    assert reached("projects/post/agents/van.yaml", "{}\n") == {"post"}
    assert reached(BOT, "execution_environment: {env_vars: {A: b}}\n") == {"shop"}
    assert reached("projects/shop/agents/clerk.yaml", "{}\n") == {"shop"}
    assert reached("environments/staging.yaml", "execution_environment: {env_vars: {A: a}}\n") == {"post", "shop"}
    assert reached("motd.j2", "bye {{ agent }}\n") == ({"post", "shop"})
    # With an error nothing is written, and all projects are computed again.
    assert reached(BOT, ERROR) == ({"post", "shop"} if output else {"shop"})
    assert reached(BOT, "{}\n") == {"shop"}


def test_unchanged_runs_are_replayed(twice: CachedAndUncached) -> None:
    write_files(twice.root, {BOT: WARNING})
    lines = "", "--output-format json", "-v --color always", "--strict"
    for arguments in (("check", *line.split()) for line in lines):
        first, second = (twice.envtree("-C", str(twice.root), *arguments) for _ in range(2))
        assert first == second
    assert twice.replayed == [0, 0, 0, 1]


def test_a_file_that_cannot_be_parsed_is_cached(twice: CachedAndUncached, tmp_path: Path) -> None:
    for text in ("a: [\n", "a: ]\n", "a: }\n", "{}\n"):
        write_files(twice.root, {BOT: text})
        assert twice.both("check", out=False)[0].code == (text != "{}\n")
        twice.check()
    assert any(path.name.endswith("-files") for path in (tmp_path / "cache/envtree").iterdir())


def test_files_that_were_just_written_are_read_again(twice: CachedAndUncached) -> None:
    command = ("-C", str(twice.root), "check")
    assert twice.envtree(*command).code == 0
    (twice.root / BOT).write_text(ERROR)
    assert twice.envtree(*command).code == 1


@pytest.mark.parametrize("path", [BOT, "projects/post/agents/van.yaml", "organization.yaml"])
def test_a_change_during_a_run_is_found_by_the_next_one(
    path: str, twice: CachedAndUncached, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TREE[path]
    after = before.replace("env_vars: {", "env_vars: {NEW: x, ").replace("env_vars:\n", "env_vars:\n    NEW: x\n")
    assert after != before
    refresh = cache.ReadRecorder.refresh

    def late(self: cache.ReadRecorder, *arguments: Any) -> None:
        refresh(self, *arguments)
        write_files(twice.root, {path: after})

    for text in ("{}\n", "{} # again\n"):
        write_files(twice.root, {"projects/shop/agents/clerk.yaml": text})
        twice.check()
    write_files(twice.root, {"projects/shop/agents/clerk.yaml": "{}\n"})
    with monkeypatch.context() as patched:
        patched.setattr(cache.ReadRecorder, "refresh", late)
        for command in (("check",), ("compile", "-o", str(twice.root / "out"))):
            twice.envtree("-C", str(twice.root), *command)
    # The result of that run must not be cached for the content before, nor for the content after.
    for text in (before, after):
        write_files(twice.root, {path: text})
        twice.check()


def test_a_change_before_excerpts_are_shown_is_found_by_the_next_run(
    twice: CachedAndUncached, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(request: Request) -> RunOutcome:
        outcome = check(request)
        write_files(twice.root, {BOT: TREE[BOT]})
        return outcome

    write_files(twice.root, {BOT: WARNING})
    with monkeypatch.context() as patched:
        patched.setattr("envtree.cli.commands.check.check", late)
        assert "ET150" in twice.envtree("-C", str(twice.root), "check").out
    for text in (TREE[BOT], WARNING):
        write_files(twice.root, {BOT: text})
        twice.check()


def test_a_folder_that_changes_during_a_run_counts_as_changed(tmp_path: Path) -> None:
    first, second = (cache.ReadRecorder(DirectoryTree(tmp_path)) for _ in range(2))
    for name in ("a", "b", "b"):
        write_files(tmp_path, {name: ""})
        first.entries("")
    second.refresh(first.read_log())
    assert not second.is_unchanged


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--fix"),
        ("check", "--no-cache"),
        ("check", "-o", "{tmp}/found"),
        ("compile", "--check"),
        ("compile", "--archive", "{tmp}/all.zip"),
        ("compile", "--changed-since", "{tmp}/tree"),
        ("compile", "--shard", "1/2"),
        ("compile", "--receipt"),
        ("compile", "--provenance"),
        ("compile", "--no-cache"),
    ],
)
def test_commands_that_are_not_replayed(arguments: tuple[str, ...], twice: CachedAndUncached, tmp_path: Path) -> None:
    command = ["-C", str(twice.root), *(argument.format(tmp=tmp_path) for argument in arguments)]
    for _ in range(2):
        twice.envtree(*command)
    assert twice.replayed == []


def test_files_of_a_large_output_are_only_checked_on_request(
    twice: CachedAndUncached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envtree.engine.cache.output_state._MAX_CHECKED_FILES", 3)
    out = twice.root.parent / "out"
    command = ("-C", str(twice.root), "compile", "-o", str(out))
    twice.envtree(*command)
    before = read_folder(out)
    bundle = next(out.rglob("bundle.json"))
    bundle.unlink()
    twice.envtree(*command)
    assert not bundle.exists()
    twice.envtree(*command, "--verify-outputs")
    assert read_folder(out) == before
    # Files of a killed run are never ignored.
    (out / ".envtree-staging").mkdir(mode=0o700)
    twice.envtree(*command)
    assert len(twice.replayed) == 1
    assert not (out / ".envtree-staging").exists()


def test_changes_of_a_large_output_are_found_when_it_is_replaced(
    twice: CachedAndUncached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envtree.engine.cache.output_state._MAX_CHECKED_FILES", 3)
    out = twice.root / "out"
    other_format = ("-C", str(twice.root), "compile", "-o", str(out), "--format", "bash", "--no-cache")

    def corrupt_manifest() -> None:
        manifest = out / "manifest.json"
        manifest.write_bytes(manifest.read_bytes().replace(b"0", b"1"))

    events: list[Callable[[], object]] = [lambda: None] * 2
    events += [lambda: shutil.rmtree(out), lambda: twice.envtree(*other_format), corrupt_manifest]
    for n, event in enumerate(events):
        event()
        write_files(twice.root, {BOT: f"execution_environment: {{env_vars: {{A: '{n}'}}}}\n"})
        twice.check()


def test_verify_outputs_finds_changes_without_a_new_time(twice: CachedAndUncached) -> None:
    out = twice.root.parent / "out"
    command = ("-C", str(twice.root), "compile", "-o", str(out), "--verify-outputs")
    twice.envtree(*command)
    assert twice.envtree(*command).code == 0
    assert twice.replayed == [0]
    bundle = next(out.rglob("bundle.json"))
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b"acme", b"emca"))
    twice.envtree(*command)
    assert bundle.read_bytes() == data


@pytest.mark.parametrize("command", [("compile", "-o", "out"), ("check",)])
def test_t62_plaintext_secrets_are_never_cached(command: tuple[str, ...], vault: Vault) -> None:
    for text in ("# one\n", "# another\n", "# a third\n"):
        vault.write({"environments/dev.yaml": f"{{}}\n{text}"})
        result = vault.envtree(*command)
        assert result.returncode == 0, result.stderr
    replayed = vault.envtree(*command)
    assert (replayed.returncode, replayed.stdout, replayed.stderr) == (0, result.stdout, result.stderr)
    entries = read_folder(vault.folder / "home/.cache/envtree")
    # Including documents and projects.
    assert len(entries) > 4
    pieces = [*PASSWORD.splitlines(), PASSWORD, str(NUMBER), "AGE-SECRET"]
    assert not any(piece.encode() in data for piece in pieces for data in entries.values())


def test_t62_no_digest_of_plaintext_is_cached(vault: Vault) -> None:
    """A short secret can be guessed from any digest that covers it."""
    for text in ("# one\n", "# another\n", "# a third\n"):
        vault.write({"environments/dev.yaml": f"{{}}\n{text}"})
        assert vault.envtree("compile", "-o", "out").returncode == 0
    (manifest_path,) = vault.folder.rglob("out/manifest.json")
    manifest = parse_manifest(manifest_path.read_bytes())
    digests = {digest for _, digest in manifest.compute_digest()}
    digests |= {
        hashlib.sha256(path.read_bytes()).digest() for path in manifest_path.parent.rglob("*") if path.is_file()
    }
    digests |= {bytes.fromhex(record.digest.removeprefix("sha256:")) for record in manifest.bundles.values()}
    forms = {form for digest in digests for form in (digest, digest.hex().encode(), base64.b64encode(digest)[:40])}
    entries = read_folder(vault.folder / "home/.cache/envtree")
    assert len(entries) > 4
    assert [name for name, data in entries.items() if any(form in data for form in forms)] == []


def test_plain_output_is_replayed_until_its_manifest_changes(vault: Vault) -> None:
    assert vault.envtree("compile", "-o", "out").returncode == 0
    (manifest_path,) = vault.folder.rglob("out/manifest.json")
    before = read_folder(manifest_path.parent)
    for change in (b"", b" "):
        manifest_path.write_bytes(manifest_path.read_bytes() + change)
        assert vault.envtree("compile", "-o", "out").returncode == 0
        assert read_folder(manifest_path.parent) == before


def test_t62_inputs_are_never_cached(twice: CachedAndUncached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHA", "canary-of-an-input")
    twice.envtree("-C", str(twice.root), "compile", "-o", str(twice.root / "out"))
    assert not any(b"canary" in data for data in read_folder(tmp_path / "cache").values())


# The cache folder.


@pytest.fixture
def folder(tmp_path: Path) -> cache.CacheFolder:
    folder = cache.find_cache_folder({"XDG_CACHE_HOME": str(tmp_path)})
    assert folder
    return folder


def test_only_its_user_can_read_it(folder: cache.CacheFolder) -> None:
    folder.write("a", b"body")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.path / "a").stat().st_mode) == 0o600
    assert folder.read("a") == b"body"
    (folder.path / "a").chmod(0o640)
    assert folder.read("a") is None
    folder.path.chmod(0o750)
    assert cache.find_cache_folder({"XDG_CACHE_HOME": str(folder.path.parent)}) is None


def test_an_incomplete_entry_is_ignored(folder: cache.CacheFolder) -> None:
    folder.write("a", b"body" * 100)
    data = (folder.path / "a").read_bytes()
    for broken in (b"", data[:5], data[:-1], data + b"x", data.replace(b"cache", b"other"), b"x" * len(data)):
        (folder.path / "a").write_bytes(broken)
        assert folder.read("a") is None
    (folder.path / "a").unlink()
    (folder.path / "a").symlink_to("/etc/hostname")
    assert folder.read("a") is None
    os.mkfifo(folder.path / "b", 0o600)
    assert folder.read("b") is None


@pytest.mark.parametrize("environ", [{}, {"HOME": "relative"}, {"XDG_CACHE_HOME": "/dev/null/x"}, {"HOME": "/proc"}])
def test_no_cache_without_a_private_folder(environ: dict[str, str]) -> None:
    assert cache.find_cache_folder(environ) is None


def test_a_link_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "envtree").symlink_to("elsewhere")
    assert cache.find_cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) is None


def test_it_does_not_grow_for_ever(folder: cache.CacheFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envtree.engine.cache.cache_folder._MAX_FILES", 5)
    salt = folder.load_salt()
    for n in range(9):
        folder.write(str(n), b"x")
        os.utime(folder.path / str(n), (n, n))
    folder.evict_oldest()
    assert {path.name for path in folder.path.iterdir()} <= {"salt", *"5678"}
    assert folder.load_salt() == salt


def test_an_entry_that_another_process_removes_is_ignored(
    folder: cache.CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        folder.write(name, b"x")
    entries = list(os.scandir(folder.path))
    (folder.path / "a").unlink()
    monkeypatch.setattr("envtree.engine.cache.cache_folder._MAX_FILES", 0)
    monkeypatch.setattr(cache.CacheFolder, "_entries", lambda _: entries)
    folder.evict_oldest()
    assert folder.read("b") is None


def test_clear(twice: CachedAndUncached, tmp_path: Path) -> None:
    command = ("-C", str(twice.root), "check")
    twice.envtree(*command)
    result = twice.envtree("cache", "clear")
    assert (result.code, result.out, result.err) == (0, "", f"removed 1 file from '{tmp_path / 'cache/envtree'}'\n")
    twice.envtree(*command)
    assert twice.replayed == []
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way")
    assert twice.envtree("cache", "clear").code == 0
    assert twice.envtree(*command).code == 0


class Planted:
    """An object that would run a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch planted",)


def test_t97_only_data_is_read_back(folder: cache.CacheFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_object(folder, "good", {"a": (Location(Kind.AGENT, "p", "t", "a"), frozenset({1}), Counter("aa"))})
    assert load_object(folder, "good") == {"a": (Location(Kind.AGENT, "p", "t", "a"), frozenset({1}), Counter("aa"))}
    for planted in (Planted(), DirectoryTree(tmp_path), git, [Planted()]):
        save_object(folder, "bad", planted)
        assert load_object(folder, "bad") is None
    folder.write("bad", b"no objects")
    assert load_object(folder, "bad") is None
    assert not (tmp_path / "planted").exists()


# Recorded reads.


def settled(read_log: cache.ReadLog) -> cache.ReadLog:
    """Return the same log as if nothing had changed for a long time before it."""
    parts = {
        name: PathFingerprints.from_mapping(part.taken_ns + 10**12, part.by_key())
        for name, part in read_log.parts.items()
    }
    return read_log._replace(parts=parts)


def is_unchanged(read_log: cache.ReadLog, tree: DirectoryTree) -> bool:
    recorder = cache.ReadRecorder(tree)
    recorder.refresh(read_log)
    return recorder.is_unchanged


def make_pickle(module: str, name: str, argument: str) -> bytes:
    """Return a pickle that calls a function with a list of one text."""
    strings = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + strings + b"\x93](\x8c" + bytes([len(argument)]) + argument.encode() + b"e\x85R."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *[
            ("subprocess", "Popen"),
            ("posix", "system"),
            ("builtins", "list"),
            ("envtree.secrets.sops.limited_process", "run"),
        ],
        # Through a module of envtree into a module that it imports.
        *[
            ("envtree.secrets.sops.limited_process", "subprocess.Popen"),
            ("envtree.engine.cache.object_store", "pickle.Unpickler"),
        ],
        # Classes that a module of envtree imports are not its own data types.
        *[
            ("envtree.secrets.sops.limited_process", "Mapping"),
            ("envtree.system.git.process", "Path"),
            ("envtree.frontend.link.policies", "Policy"),
        ],
    ],
)
def test_t97_no_function_is_called_through_a_module(module: str, name: str, folder: cache.CacheFolder) -> None:
    folder.write("a", make_pickle(module, name, "touch"))
    assert load_object(folder, "a") is None
    folder.write("a", make_pickle("builtins", "set", "harmless"))
    assert load_object(folder, "a") == {"harmless"}


def test_packing_and_unpacking_of_fingerprints() -> None:
    paths = ["", "a", "a\nb", "projects/p/\udcff", "projects/p"]
    stat_key = (0, -5, 1 << 62, (1 << 63) - 1, stat.S_IFREG)
    by_key = {
        (path, limit): PathFingerprint(stat_key, bytes([limit + 1]) * 32)
        for limit, path in enumerate(paths, FOLDER_LIMIT)
    }
    for fingerprints in ({}, by_key):
        assert PathFingerprints.from_mapping(0, fingerprints).by_key() == fingerprints
    assert decode_object(encode_object(PathFingerprints.from_mapping(0, by_key))).by_key() == by_key


def test_the_target_of_a_link_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envtree.engine.cache.path_fingerprints._TIMESTAMP_GRANULARITY", 0)
    write_files(tmp_path, {"a": "1", "b": "2"})
    (tmp_path / "link").symlink_to("b")
    tree = DirectoryTree(tmp_path)
    recorder = cache.ReadRecorder(tree)
    recorder.read("a"), recorder.read("link")
    read_log = recorder.read_log()
    next_recorder = cache.ReadRecorder(tree)
    next_recorder.refresh(read_log)
    assert next_recorder.is_unchanged
    # The log need not be written again.
    assert next_recorder.previous == read_log
    (tmp_path / "b").write_text("3")
    assert not is_unchanged(read_log, tree)


def test_a_removed_path_counts_as_changed(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": "1", "b/c": "2"})
    tree = DirectoryTree(tmp_path)
    recorder = cache.ReadRecorder(tree)
    recorder.entries(""), recorder.entries("b"), recorder.read("a"), recorder.read("b/c")
    read_log = settled(recorder.read_log())
    shutil.rmtree(tmp_path / "b")
    next_recorder = cache.ReadRecorder(tree)
    next_recorder.refresh(read_log)
    assert not next_recorder.is_unchanged
    assert not next_recorder.reuse_previous()


def test_conclusive_stat_keys_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"a": "1", "b": "2"})
    tree = DirectoryTree(tmp_path)
    recorder = cache.ReadRecorder(tree)
    recorder.entries(""), recorder.read("a"), recorder.read("b")
    time.sleep(0.02)
    read: list[str] = []

    def recording_read(self: Any, path: str, **kwargs: Any) -> bytes:
        read.append(path)
        return (tmp_path / path).read_bytes()

    monkeypatch.setattr(DirectoryTree, "read", recording_read)
    assert is_unchanged(settled(recorder.read_log()), tree)
    assert read == []
    (tmp_path / "a").touch()
    assert is_unchanged(settled(recorder.read_log()), tree)
    assert read == ["a"]
    (tmp_path / "a").write_text("3")
    assert not is_unchanged(settled(recorder.read_log()), tree)
