"""A run over what has not changed says and leaves what any other would, and nobody else reads what it remembers."""

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
from tests.support.command_line import BOT, ERROR, ORGANIZATION, WARNING, CommandResult, RunCommand, write_files
from tests.support.divided import read_folder
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


class Twice(NamedTuple):
    """A tree, two outputs of it, and the exit codes of what was only said again."""

    envtree: RunCommand
    root: Path
    recalled: list[int]

    def both(self, *words: str, out: bool = True) -> tuple[CommandResult, CommandResult]:
        """A command line with memory and without, as if both had written to one place."""
        ran = []
        for name, more in (("out", ()), ("out-2", ("--no-cache",))):
            places = ("-o", str(self.root / name)) if out else ()
            code, told, errors = self.envtree("-C", str(self.root), *words, *places, *more)
            ran.append(CommandResult(code, told, errors.replace("out-2", "out")))
        return ran[0], ran[1]

    def check(self) -> None:
        """Whether it makes no difference."""
        for one, other in (self.both("check", out=False), self.both("compile")):
            assert one == other
        assert read_folder(self.root / "out") == read_folder(self.root / "out-2")


@pytest.fixture
def twice(tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> Twice:
    root = tmp_path / "tree"
    write_files(root, TREE)
    git(root, "init", "-q")
    recalled: list[int] = []
    recall = ReplayCache.replay

    def counted(self: ReplayCache, *, thorough: bool) -> int | None:
        code = recall(self, thorough=thorough)
        recalled.extend([] if code is None else [code])
        return code

    monkeypatch.setattr(ReplayCache, "replay", counted)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Twice(envtree, root, recalled)


# What may happen between two runs; each takes the tree and a source of chance.
Event = Callable[[Path, random.Random], object]


def some_file(root: Path, chance: random.Random) -> Path:
    return root / chance.choice(sorted(path for path in TREE if (root / path).is_file()) or ["organization.yaml"])


def edit(root: Path, chance: random.Random) -> None:
    path = some_file(root, chance)
    path.write_text(TREE[str(path.relative_to(root))] + "# more\n" * chance.randrange(3))


def edit_and_keep_size_and_time(root: Path, chance: random.Random) -> None:
    path = root / "environments/production.yaml"
    before = path.stat() if path.exists() else None
    path.write_text(f"execution_environment: {{env_vars: {{N: '{chance.randrange(10, 14)}'}}}}\n")
    if before:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(root: Path, chance: random.Random) -> None:
    path = some_file(root, chance)
    if path.exists():
        path.touch()


def remove(root: Path, chance: random.Random) -> None:
    some_file(root, chance).unlink(missing_ok=True)


def restore(root: Path, _: random.Random) -> None:
    write_files(root, TREE)


def break_a_file(root: Path, chance: random.Random) -> None:
    write_files(root, {BOT: chance.choice([ERROR, WARNING, "a: [\n", "a: \t1\n"])})


def add(root: Path, chance: random.Random) -> None:
    name = chance.choice(["local-1", "extra", "clerk", "Odd Name", "x.yaml.bak"])
    write_files(root, {f"projects/shop/agents/{name}.yaml": chance.choice(["{}\n", "targets: [staging]\n"])})


def rename(root: Path, chance: random.Random) -> None:
    path = some_file(root, chance)
    if path.exists():
        path.rename(path.with_name(chance.choice(["other.yaml", path.name])))


def link(root: Path, chance: random.Random) -> None:
    path = root / "projects/shop/agents/linked.yaml"
    path.unlink(missing_ok=True)
    path.symlink_to(chance.choice(["clerk.yaml", "../teams/cart/agents/bot.yaml", "nothing.yaml", "/etc/hostname"]))


def ignore(root: Path, chance: random.Random) -> None:
    write_files(
        root, {chance.choice([".gitignore", "projects/.gitignore", ".git/info/exclude"]): "extra.yaml\nout*/\n"}
    )


def add_folder(root: Path, chance: random.Random) -> None:
    folder = root / chance.choice(["projects/shop/teams/new", "projects/shop/agent", "projects/more", "notes"])
    folder.mkdir(exist_ok=True, parents=True)


def nest(root: Path, _: random.Random) -> None:
    """A repository in the tree, which answers for what is in it, comes or goes."""
    folder = root / "projects/shop"
    if (folder / ".git").exists():
        shutil.rmtree(folder / ".git")
    elif folder.exists():
        git(folder, "init", "-q")


def set_an_input(_: Path, chance: random.Random) -> None:
    os.environ["SHA"] = chance.choice(["a", "b"])


def lose_an_output(root: Path, chance: random.Random) -> None:
    for path in sorted((root / "out").rglob("*.json"))[:1]:
        for out in ("out", "out-2"):
            (root / out / path.relative_to(root / "out")).unlink()


def change_an_output(root: Path, chance: random.Random) -> None:
    for path in chance.sample(sorted((root / "out").rglob("*.env")), k=1) if (root / "out").exists() else ():
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


def rounds(twice: Twice, count: int, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False) -> None:
    """Whether it makes no difference; where it is quiet between events, marks alone tell what has changed."""
    monkeypatch.setenv("SHA", "a")
    if quiet:
        monkeypatch.setattr("envtree.engine.cache.path_fingerprints._TIMESTAMP_GRANULARITY", 20_000_000)
    for number in range(count):
        chance = random.Random(number)
        time.sleep(0.04 if quiet else 0)
        for event in chance.choices([*EVENTS, nest], k=chance.choice([1, 1, 2, 5])):
            event(twice.root, chance)
        try:
            twice.check()
        except AssertionError:
            pytest.fail(f"round {number} differs")
    assert len(twice.recalled) >= count // 8 - 1


@pytest.mark.parametrize("quiet", [False, True])
def test_random_edits(quiet: bool, twice: Twice, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds(twice, 12, monkeypatch, quiet=quiet)


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [False, True])
def test_a_thousand_random_edits(quiet: bool, twice: Twice, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds(twice, 1000, monkeypatch, quiet=quiet)


# What is remembered.


@pytest.mark.parametrize("is_large", [True, False])
@pytest.mark.parametrize("output", [True, False])
def test_only_what_a_change_can_reach_is_computed(
    output: bool, is_large: bool, twice: Twice, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ("compile", "-o", str(twice.root.parent / "out")) if output else ("check",)
    command = ("-C", str(twice.root), *more)

    def reached(path: str, text: str) -> set[str]:
        computed.clear()
        write_files(twice.root, {path: text})
        ran = twice.envtree(*command)
        projects = {id.partition("/")[0] for id in computed}
        assert ran == twice.envtree(*command, "--no-cache")
        return projects

    # A run that is not the first goes from project to project however small the tree is.
    monkeypatch.setattr("envtree.engine.by_project._MIN_AGENTS", 1 if is_large else 1 << 30)
    twice.envtree(*command)
    write_files(twice.root, {BOT: "{}\n"})
    assert reached(BOT, "{}\n") == ({"shop"} if is_large else {"post", "shop"})
    assert reached("projects/post/agents/van.yaml", "{}\n") == {"post"}
    assert reached(BOT, "execution_environment: {env_vars: {A: b}}\n") == {"shop"}
    assert reached("projects/shop/agents/clerk.yaml", "{}\n") == {"shop"}
    assert reached("environments/staging.yaml", "execution_environment: {env_vars: {A: a}}\n") == {"post", "shop"}
    assert reached("motd.j2", "bye {{ agent }}\n") == ({"post", "shop"})
    # Nothing is written over an error, and all of it is looked at once more.
    assert reached(BOT, ERROR) == ({"post", "shop"} if output else {"shop"})
    assert reached(BOT, "{}\n") == {"shop"}


def test_what_has_not_changed_is_said_again(twice: Twice) -> None:
    write_files(twice.root, {BOT: WARNING})
    lines = "", "--format json", "-v --color always", "--strict"
    for words in (("check", *line.split()) for line in lines):
        first, again = (twice.envtree("-C", str(twice.root), *words) for _ in range(2))
        assert first == again
    assert twice.recalled == [0, 0, 0, 1]


def test_a_file_that_cannot_be_parsed_is_known_the_next_time_too(twice: Twice, tmp_path: Path) -> None:
    for text in ("a: [\n", "a: ]\n", "a: }\n", "{}\n"):
        write_files(twice.root, {BOT: text})
        assert twice.both("check", out=False)[0].code == (text != "{}\n")
        twice.check()
    assert any(path.name.endswith("-files") for path in (tmp_path / "cache/envtree").iterdir())


def test_files_that_were_just_written_are_read_again(twice: Twice) -> None:
    words = ("-C", str(twice.root), "check")
    assert twice.envtree(*words).code == 0
    (twice.root / BOT).write_text(ERROR)
    assert twice.envtree(*words).code == 1


@pytest.mark.parametrize("path", [BOT, "projects/post/agents/van.yaml", "organization.yaml"])
def test_what_changes_while_it_is_read_is_found_the_next_time(
    path: str, twice: Twice, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TREE[path]
    after = before.replace("env_vars: {", "env_vars: {NEW: x, ").replace("env_vars:\n", "env_vars:\n    NEW: x\n")
    assert after != before
    look = cache.ReadRecorder.refresh

    def late(self: cache.ReadRecorder, *arguments: Any) -> None:
        look(self, *arguments)
        write_files(twice.root, {path: after})

    for text in ("{}\n", "{} # again\n"):
        write_files(twice.root, {"projects/shop/agents/clerk.yaml": text})
        twice.check()
    write_files(twice.root, {"projects/shop/agents/clerk.yaml": "{}\n"})
    with monkeypatch.context() as patched:
        patched.setattr(cache.ReadRecorder, "refresh", late)
        for command in (("check",), ("compile", "-o", str(twice.root / "out"))):
            twice.envtree("-C", str(twice.root), *command)
    # What was found in the meantime is remembered neither of what was there before, nor of what is there now.
    for text in (before, after):
        write_files(twice.root, {path: text})
        twice.check()


def test_what_changes_before_its_lines_are_shown_is_found_the_next_time(
    twice: Twice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(request: Request) -> RunOutcome:
        found = check(request)
        write_files(twice.root, {BOT: TREE[BOT]})
        return found

    write_files(twice.root, {BOT: WARNING})
    with monkeypatch.context() as patched:
        patched.setattr("envtree.cli.commands.check.check", late)
        assert "ET150" in twice.envtree("-C", str(twice.root), "check").out
    for text in (TREE[BOT], WARNING):
        write_files(twice.root, {BOT: text})
        twice.check()


def test_a_folder_that_changes_while_it_is_read_is_not_alike(tmp_path: Path) -> None:
    one, other = (cache.ReadRecorder(DirectoryTree(tmp_path)) for _ in range(2))
    for name in ("a", "b", "b"):
        write_files(tmp_path, {name: ""})
        one.entries("")
    other.refresh(one.read_log())
    assert not other.is_unchanged


@pytest.mark.parametrize(
    "words",
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
def test_not_everything_is_remembered(words: tuple[str, ...], twice: Twice, tmp_path: Path) -> None:
    command = ["-C", str(twice.root), *(word.format(tmp=tmp_path) for word in words)]
    for _ in range(2):
        twice.envtree(*command)
    assert twice.recalled == []


def test_many_outputs_are_trusted_unless_asked(twice: Twice, monkeypatch: pytest.MonkeyPatch) -> None:
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
    # What was left by a killed run is never passed over.
    (out / ".envtree-staging").mkdir(mode=0o700)
    twice.envtree(*command)
    assert len(twice.recalled) == 1
    assert not (out / ".envtree-staging").exists()


def test_what_others_leave_in_a_large_output_is_found_when_it_is_replaced(
    twice: Twice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envtree.engine.cache.output_state._MAX_CHECKED_FILES", 3)
    out = twice.root / "out"
    others = ("-C", str(twice.root), "compile", "-o", str(out), "--format", "bash", "--no-cache")

    def spoil() -> None:
        manifest = out / "manifest.json"
        manifest.write_bytes(manifest.read_bytes().replace(b"0", b"1"))

    events: list[Callable[[], object]] = [lambda: None] * 2
    events += [lambda: shutil.rmtree(out), lambda: twice.envtree(*others), spoil]
    for n, event in enumerate(events):
        event()
        write_files(twice.root, {BOT: f"execution_environment: {{env_vars: {{A: '{n}'}}}}\n"})
        twice.check()


def test_reading_finds_what_no_time_tells(twice: Twice) -> None:
    out = twice.root.parent / "out"
    command = ("-C", str(twice.root), "compile", "-o", str(out), "--verify-outputs")
    twice.envtree(*command)
    assert twice.envtree(*command).code == 0
    assert twice.recalled == [0]
    bundle = next(out.rglob("bundle.json"))
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b"acme", b"emca"))
    twice.envtree(*command)
    assert bundle.read_bytes() == data


@pytest.mark.parametrize("command", [("compile", "-o", "out"), ("check",)])
def test_t62_secrets_in_clear_are_never_in_it(command: tuple[str, ...], vault: Vault) -> None:
    for text in ("# one\n", "# another\n", "# a third\n"):
        vault.write({"environments/dev.yaml": f"{{}}\n{text}"})
        done = vault.envtree(*command)
        assert done.returncode == 0, done.stderr
    again = vault.envtree(*command)
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, done.stderr)
    kept = read_folder(vault.folder / "home/.cache/envtree")
    # Documents and projects, too.
    assert len(kept) > 4
    pieces = [*PASSWORD.splitlines(), PASSWORD, str(NUMBER), "AGE-SECRET"]
    assert not any(piece.encode() in data for piece in pieces for data in kept.values())


def test_t62_inputs_are_never_in_it(twice: Twice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHA", "canary-of-an-input")
    twice.envtree("-C", str(twice.root), "compile", "-o", str(twice.root / "out"))
    assert not any(b"canary" in data for data in read_folder(tmp_path / "cache").values())


# The folder.


@pytest.fixture
def folder(tmp_path: Path) -> cache.CacheFolder:
    found = cache.find_cache_folder({"XDG_CACHE_HOME": str(tmp_path)})
    assert found
    return found


def test_only_its_user_can_read_it(folder: cache.CacheFolder) -> None:
    folder.write("a", b"body")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.path / "a").stat().st_mode) == 0o600
    assert folder.read("a") == b"body"
    (folder.path / "a").chmod(0o640)
    assert folder.read("a") is None
    folder.path.chmod(0o750)
    assert cache.find_cache_folder({"XDG_CACHE_HOME": str(folder.path.parent)}) is None


def test_what_is_not_whole_is_not_there(folder: cache.CacheFolder) -> None:
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
def test_without_a_place_there_is_none(environ: dict[str, str]) -> None:
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


def test_what_another_process_takes_away_is_in_nobodys_way(
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


def test_clear(twice: Twice, tmp_path: Path) -> None:
    command = ("-C", str(twice.root), "check")
    twice.envtree(*command)
    ran = twice.envtree("cache", "clear")
    assert (ran.code, ran.out, ran.err) == (0, "", f"removed 1 file from '{tmp_path / 'cache/envtree'}'\n")
    twice.envtree(*command)
    assert twice.recalled == []
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way")
    assert twice.envtree("cache", "clear").code == 0
    assert twice.envtree(*command).code == 0


class Planted:
    """What would run a program if it were read back."""

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


# The witness.


def quiet(seen: cache.ReadLog) -> cache.ReadLog:
    """The same, as if nothing had changed for a long time."""
    later = {
        name: PathFingerprints.from_mapping(sights.taken_ns + 10**12, sights.by_key())
        for name, sights in seen.parts.items()
    }
    return seen._replace(parts=later)


def is_still(seen: cache.ReadLog, tree: DirectoryTree) -> bool:
    witness = cache.ReadRecorder(tree)
    witness.refresh(seen)
    return witness.is_unchanged


def made_of(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls something with a list of one text."""
    words = b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name))
    return b"\x80\x04" + words + b"\x93](\x8c" + bytes([len(argument)]) + argument.encode() + b"e\x85R."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *[
            ("subprocess", "Popen"),
            ("posix", "system"),
            ("builtins", "list"),
            ("envtree.secrets.sops.limited_process", "run"),
        ],
        # By way of a module of ours, into what it imports.
        *[
            ("envtree.secrets.sops.limited_process", "subprocess.Popen"),
            ("envtree.engine.cache.object_store", "pickle.Unpickler"),
        ],
        # What they import by name is no data of theirs.
        *[
            ("envtree.secrets.sops.limited_process", "Mapping"),
            ("envtree.system.git.process", "Path"),
            ("envtree.frontend.link.policies", "Policy"),
        ],
    ],
)
def test_t97_nothing_is_called_by_way_of_a_module(module: str, name: str, folder: cache.CacheFolder) -> None:
    folder.write("a", made_of(module, name, "touch"))
    assert load_object(folder, "a") is None
    folder.write("a", made_of("builtins", "set", "harmless"))
    assert load_object(folder, "a") == {"harmless"}


def test_what_was_seen_is_unpacked_as_it_was() -> None:
    paths = ["", "a", "a\nb", "projects/p/\udcff", "projects/p"]
    marks = (0, -5, 1 << 62, (1 << 63) - 1, stat.S_IFREG)
    found = {(path, n): PathFingerprint(marks, bytes([n + 1]) * 32) for n, path in enumerate(paths, FOLDER_LIMIT)}
    for some in ({}, found):
        assert PathFingerprints.from_mapping(0, some).by_key() == some
    assert decode_object(encode_object(PathFingerprints.from_mapping(0, found))).by_key() == found


def test_what_is_behind_a_link_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envtree.engine.cache.path_fingerprints._TIMESTAMP_GRANULARITY", 0)
    write_files(tmp_path, {"a": "1", "b": "2"})
    (tmp_path / "link").symlink_to("b")
    tree = DirectoryTree(tmp_path)
    witness = cache.ReadRecorder(tree)
    witness.read("a"), witness.read("link")
    seen = witness.read_log()
    again = cache.ReadRecorder(tree)
    again.refresh(seen)
    assert again.is_unchanged
    # There is nothing new to be kept.
    assert again.previous == seen
    (tmp_path / "b").write_text("3")
    assert not is_still(seen, tree)


def test_what_is_gone_is_not_alike(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": "1", "b/c": "2"})
    tree = DirectoryTree(tmp_path)
    witness = cache.ReadRecorder(tree)
    witness.entries(""), witness.entries("b"), witness.read("a"), witness.read("b/c")
    seen = quiet(witness.read_log())
    shutil.rmtree(tmp_path / "b")
    again = cache.ReadRecorder(tree)
    again.refresh(seen)
    assert not again.is_unchanged
    assert not again.reuse_previous()


def test_marks_that_tell_for_sure_are_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"a": "1", "b": "2"})
    tree = DirectoryTree(tmp_path)
    witness = cache.ReadRecorder(tree)
    witness.entries(""), witness.read("a"), witness.read("b")
    time.sleep(0.02)
    read: list[str] = []

    def noted(self: Any, path: str, **named: Any) -> bytes:
        read.append(path)
        return (tmp_path / path).read_bytes()

    monkeypatch.setattr(DirectoryTree, "read", noted)
    assert is_still(quiet(witness.read_log()), tree)
    assert read == []
    (tmp_path / "a").touch()
    assert is_still(quiet(witness.read_log()), tree)
    assert read == ["a"]
    (tmp_path / "a").write_text("3")
    assert not is_still(quiet(witness.read_log()), tree)
