"""`compile --shard`: several machines together write what one would, and each reads no more than its part."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from envtree.cli.support.session import tree_request
from envtree.diagnostics.codes import WHOLE_TREE_CODES
from envtree.engine.run import Run
from envtree.sources.shard import Shard, make_shard
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, ReadProblem, Tree, TreeWrapper
from tests.benchmarks.forms.envtree import write_envtree
from tests.benchmarks.model import Size
from tests.support.command_line import RunCommand, write_files
from tests.support.trees import MemoryTree, start_run
from tests.support.vault import read_folder
from tests.unit.sources.test_git_revision import commit
from tests.unit.system.test_git import run

ACME = Path(__file__).parents[3] / "examples/acme"
COUNTS = (1, 2, 4)
# Whatever one project says of another, and what only the tree as a whole knows.
ENTANGLED = {
    "organization.yaml": "{name: acme, edition: 2026, default_model: m, execution_environment: {env_vars: {LEVEL: x}}}",
    "environments/dev.yaml": "{}",
    "environments/prod.yaml": "{}",
    "projects/one/project.yaml": "{key: ONE}",
    "projects/one/environments/lab.yaml": "{type: development}",
    "projects/one/agents/a.yaml": "{}",
    "projects/one/workflows/w.yaml": "{python_dsl_code: x}",
    "projects/one/teams/crew/team.yaml": "{configuration: {member_ids: [two/helper, b]}}",
    "projects/one/teams/crew/agents/b.yaml": "{}",
    "projects/two/project.yaml": "{key: TWO}",
    "projects/two/agents/helper.yaml": "{execution_environment: {env_vars: {LEVEL: x}}}",
    "projects/two/agents/other.yaml": "{execution_environment: {env_vars: {LEVEL: x}}}",
    "projects/three/project.yaml": "{key: THREE}",
    "projects/three/agents/c.yaml": "{targets: [dev]}",
    "jobs/j.yaml": "{trigger_type: manual, prompt_template: x, planning_mode: predefined_agent, entity_type: agent, "
    "entity_id: two/helper, environment_name: lab}",
    "policies/bound.yaml": "{policy_content: package x, bindings: [{entity_type: team, entity_id: one/crew}, "
    "{entity_type: environment, entity_id: lab}]}",
    "policies/idle.yaml": "{schema: {}, selector: '**@nowhere'}",
    "policies/late.yaml": "{schema: {}, selector: 'three/c@dev'}",
}


class Watched(TreeWrapper):
    """A tree that notes what is read of it."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self.read_paths: set[str] = set()

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        self.read_paths.add(path)
        return super().read(path, limit=limit)


def shards(tree: Tree, count: int) -> list[Shard]:
    return [make_shard(tree, number, count) for number in range(1, count + 1)]


def parts(tree: Tree, count: int) -> list[Run]:
    return [start_run(tree_request(tree, shard=one)) for one in shards(tree, count)]


def finished(work: Run) -> tuple[set[str], set[str]]:
    """The bundles of a run, and the codes of what it finds."""
    ids = {bundle.target.id for bundle in work.bundles()}
    return ids, {finding.diagnostic.code for finding in work.outcome().findings}


# Which project is whose.


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_each_project_is_of_one_part_and_nothing_else_is_read(count: int) -> None:
    whole, _ = finished(start_run(tree_request(MemoryTree(ENTANGLED))))
    found: list[str] = []
    for one in shards(MemoryTree(ENTANGLED), count):
        tree = Watched(MemoryTree(ENTANGLED))
        ids, _ = finished(start_run(tree_request(tree, shard=one)))
        found.extend(ids)
        own = {"one", "two", "three"} - one.other_projects
        assert tree.read_paths == {
            path for path in ENTANGLED if not path.startswith("projects/") or path.split("/")[1] in own
        }
        assert {id.partition("/")[0] for id in ids} <= own
    assert sorted(found) == sorted(whole)


def test_the_parts_have_about_as_many_agents() -> None:
    files = {"organization.yaml": ENTANGLED["organization.yaml"]}
    for project, agents in {"a": 9, "b": 8, "c": 7, "d": 3, "e": 2, "f": 1}.items():
        files |= {f"projects/{project}/project.yaml": ""}
        files |= {f"projects/{project}/agents/{n}.yaml": "" for n in range(agents)}
    every = set("abcdef")
    own = [every - one.other_projects for one in shards(MemoryTree(files), 3)]
    assert own == [{"a", "f"}, {"b", "e"}, {"c", "d"}]
    assert [every - one.other_projects for one in shards(MemoryTree(files), 8)][5:] == [{"f"}, set(), set()]


def test_what_git_ignores_changes_no_part(tmp_path: Path) -> None:
    write_files(tmp_path, {**ENTANGLED, ".gitignore": "local*.yaml\n"})
    run(tmp_path, "init", "-q")
    before = shards(DirectoryTree(tmp_path), 2)
    write_files(tmp_path, {f"projects/three/agents/local-{n}.yaml": "{}" for n in range(9)})
    write_files(tmp_path, {"projects/local/agents/local.yaml": "{}"})
    assert shards(DirectoryTree(tmp_path), 2) == before


def test_without_projects_there_is_one() -> None:
    files = dict.fromkeys(
        ("environments/dev.yaml", "agents/a.yaml", "teams/t/team.yaml", "teams/t/agents/b.yaml"), "{}"
    )
    files["organization.yaml"] = ENTANGLED["organization.yaml"]
    whole, _ = finished(start_run(tree_request(MemoryTree(files))))
    assert whole == {"default/a@dev", "default/t/b@dev"}
    assert [finished(part) for part in parts(MemoryTree(files), 2)] == [(whole, set()), (set(), set())]


# What is found.


def test_what_concerns_several_projects_is_no_mistake_of_one() -> None:
    _, told = finished(start_run(tree_request(MemoryTree(ENTANGLED))))
    assert told & WHOLE_TREE_CODES
    for count in (2, 3):
        for part in parts(MemoryTree(ENTANGLED), count):
            _, codes = finished(part)
            # That nothing at all can have an environment of this name, the names tell.
            assert codes - {"ET351"} == {"ET752"}
            assert [each.message for each in part.diags if each.code == "ET752"] == ["policy 'idle' selects no bundle"]


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("jobs/j.yaml", ENTANGLED["jobs/j.yaml"].replace("two/helper", "two/helpr"), "ET301"),
        ("jobs/j.yaml", ENTANGLED["jobs/j.yaml"].replace("environment_name: lab", "environment_name: lob"), "ET301"),
        ("projects/Four/agents/x.yaml", "{}", "ET124"),
        ("projects/four/agents/x.yaml", "{}", "ET126"),
        ("projects/two/agents/helper.yaml", "{nme: x}", "ET201"),
        ("agents/x.yaml", "{}", "ET306"),
        ("environments/dev.yaml", "{inherits: nobody}", "ET301"),
    ],
)
@pytest.mark.parametrize("count", [2, 3])
def test_a_mistake_is_told_by_some_part(path: str, text: str, code: str, count: int) -> None:
    files = ENTANGLED | {path: text}
    assert code in finished(start_run(tree_request(MemoryTree(files))))[1]
    assert any(code in finished(part)[1] for part in parts(MemoryTree(files), count))


# What is written.


class Machines:
    """Command lines over one tree, as one machine and as several."""

    def __init__(self, envtree: RunCommand, root: Path, work: Path) -> None:
        self.envtree, self.root, self.work = envtree, root, work

    def compile(self, name: str, *options: str) -> Path:
        """Compile into a folder, an archive and, if halves are asked for, another folder."""
        words = [word.replace("HALF", str(self.work / f"{name}-half")) for word in options]
        out, archive = self.work / name, self.work / f"{name}.tar.zst"
        done = self.envtree("-C", str(self.root), "compile", "-o", str(out), "--archive", str(archive), *words)
        assert done.code == 0, done.err
        return out

    def merge(self, name: str, *sources: Path) -> Path:
        """Merge into a folder and an archive."""
        out, archive = self.work / name, self.work / f"{name}.tar.zst"
        done = self.envtree("merge-manifests", *map(str, sources), "-o", str(out), "--archive", str(archive))
        assert done.code == 0, done.err
        return out


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("generated")
    write_envtree(Size(7, 2, 2, 2), root)
    return root


@pytest.fixture(params=["acme", "generated"])
def machines(
    request: pytest.FixtureRequest,
    generated: Path,
    envtree: RunCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Machines:
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(ACME / "age.key"))
    root = tmp_path / "copy"
    shutil.copytree(ACME if request.param == "acme" else generated, root)
    return Machines(envtree, root, tmp_path / "work")


OPTIONS: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "references": ("--secrets", "ref", "--format", "bash", "--format", "k8s"),
    "halves": ("--split", "HALF"),
    "all that can lie beside": ("--receipt", "--provenance"),
}


@pytest.mark.parametrize("what", OPTIONS)
def test_the_outputs_of_all_parts_are_that_of_one_machine(what: str, machines: Machines) -> None:
    if what == "all that can lie beside":
        run(machines.root, "init", "-q")
        commit(machines.root)
    whole = machines.compile("whole", *OPTIONS[what])
    outs = [machines.compile(f"part-{n}", "--shard", f"{n}/3", *OPTIONS[what]) for n in (1, 2, 3)]
    archives = [out.with_name(f"{out.name}.tar.zst") for out in outs]
    packed = (machines.work / "whole.tar.zst").read_bytes()
    for name, sources in {"merged": outs, "unpacked": archives[::-1]}.items():
        assert read_folder(machines.merge(name, *sources)) == read_folder(whole)
        assert (machines.work / f"{name}.tar.zst").read_bytes() == packed
    if what == "halves":
        half = machines.merge("half", *(out.with_name(f"{out.name}-half") for out in outs))
        assert read_folder(half) == read_folder(machines.work / "whole-half")
    # In place.
    assert read_folder(machines.merge("part-2", *outs)) == read_folder(whole)


@pytest.mark.parametrize("count", COUNTS)
def test_parts_that_share_a_folder_need_no_merging(count: int, machines: Machines) -> None:
    whole = machines.compile("whole", "--secrets", "ref")
    gone = next(iter(sorted((machines.root / "projects").iterdir())))
    shared = machines.compile("shared", "--secrets", "ref")
    assert read_folder(shared) == read_folder(whole)
    shutil.rmtree(gone)
    shutil.rmtree(machines.root / "jobs", ignore_errors=True)
    whole = machines.compile("whole", "--secrets", "ref")
    for n in range(1, count + 1):
        machines.compile("shared", "--secrets", "ref", "--shard", f"{n}/{count}")
    # What was compiled of the project that is gone has been removed.
    assert read_folder(shared) == read_folder(whole)


@pytest.mark.parametrize("mode", ["ref", "plain"])
def test_an_archive_for_each_project_is_the_same_from_wherever(mode: str, machines: Machines) -> None:
    options = ("compile", "--secrets", mode, "--receipt", "--archive")
    whole, several = machines.work / "whole", machines.work / "several"
    run(machines.root, "init", "-q")
    commit(machines.root)
    for folder, more in ((whole, ()), *((several, ("--shard", f"{n}/2")) for n in (1, 2))):
        done = machines.envtree("-C", str(machines.root), *options, str(folder / "{project}.tar.zst"), *more)
        assert done.code == 0, done.err
    projects = {path.name for path in (machines.root / "projects").iterdir()}
    assert {path.name for path in whole.iterdir()} == {f"{project}.tar.zst" for project in projects}
    assert read_folder(several) == read_folder(whole)
    for path in whole.iterdir():
        told = json.loads(machines.envtree("verify", str(path), "--format", "json").out)
        project = path.name.partition(".")[0]
        assert (told["problems"], told["bundles"] > 0, told["receipt"]["clean"]) == ([], True, True)
        foreign = [name for name in told["receipt"]["files"] if name.split("/")[:2] == ["projects", project]]
        assert len(foreign) == sum(name.startswith("projects/") for name in told["receipt"]["files"]) > 0
    # Together they are what one archive would have been.
    merged = machines.merge("merged", *sorted(whole.iterdir()))
    assert read_folder(merged) == read_folder(machines.compile("one", "--secrets", mode, "--receipt"))
    check = ("-C", str(machines.root), *options, str(whole / "{project}.tar.zst"), "--check")
    assert machines.envtree(*check).code == 0
    damaged = sorted(whole.iterdir())[0]
    damaged.write_bytes(b"")
    done = machines.envtree(*check)
    assert (done.code, done.out) == (1, f"{damaged}\n")


# Together with other options.


@pytest.fixture
def entangled(tree: Path, envtree: RunCommand) -> Path:
    """The tree of `envtree`, in which projects have to do with each other."""
    shutil.rmtree(tree)
    write_files(tree, ENTANGLED)
    run(tree, "init", "-q")
    commit(tree)
    return tree


def ids(out: Path) -> set[str]:
    return set(json.loads((out / "manifest.json").read_bytes())["bundles"])


REF = ("--secrets", "ref")


def test_a_selector_selects_of_what_a_part_has(entangled: Path, envtree: RunCommand, tmp_path: Path) -> None:
    found: set[str] = set()
    for n in (1, 2, 3):
        done = envtree("compile", *REF, "-o", str(tmp_path / f"{n}"), "--shard", f"{n}/3", "one/**", "two/*@dev")
        assert done.code == 0, done.err
        found |= ids(tmp_path / f"{n}")
        wrong = envtree("compile", *REF, "-o", str(tmp_path / "no"), "--shard", f"{n}/3", "one/**", "tow/**")
        assert (wrong.code, "ET309: selector 'tow/**' matches no bundle" in wrong.err) == (1, True)
        assert envtree("compile", *REF, "-o", str(tmp_path / "x"), "--shard", f"{n}/3", "*/*@lab").code == 0
    assert found == {
        *(f"one/{agent}@{name}" for agent in ("a", "crew/b") for name in ("dev", "prod", "lab")),
        *("two/helper@dev", "two/other@dev"),
    }


def test_what_changed_is_looked_for_in_each_part(entangled: Path, envtree: RunCommand, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    assert envtree("compile", *REF, "-o", str(shared)).code == 0
    write_files(entangled, {"projects/two/agents/helper.yaml": "{}"})
    (entangled / "projects/two/agents/other.yaml").unlink()
    shutil.rmtree(entangled / "projects/three")
    found: list[str] = []
    for n in (1, 2, 3):
        for out in (tmp_path / f"{n}", shared):
            done = envtree("compile", *REF, "-o", str(out), "--shard", f"{n}/3", "--changed-since", "HEAD")
            assert done.code == 0, done.err
        found.extend(ids(tmp_path / f"{n}"))
    assert sorted(found) == ["two/helper@dev", "two/helper@prod"]
    # What is gone has been removed, by whichever part.
    assert envtree("compile", *REF, "-o", str(shared), "--check").code == 0


def test_a_receipt_says_of_a_removed_project_that_the_tree_is_not_clean(
    entangled: Path, envtree: RunCommand, tmp_path: Path
) -> None:
    def clean(n: int) -> bool:
        out = tmp_path / f"{n}"
        done = envtree("compile", *REF, "-o", str(out), "--shard", f"{n}/3", "--receipt")
        assert done.code == 0, done.err
        found = json.loads((out / "manifest.json").read_bytes())["receipt"]["clean"]
        assert isinstance(found, bool)
        return found

    assert [clean(n) for n in (1, 2, 3)] == [True] * 3
    with (entangled / "projects/three/agents/c.yaml").open("a") as agent:
        agent.write(" # changed")
    assert sorted(clean(n) for n in (1, 2, 3)) == [False, True, True]
    shutil.rmtree(entangled / "projects/three")
    assert [clean(n) for n in (1, 2, 3)] == [False] * 3


def test_a_part_without_a_project_is_an_output_without_bundles(
    entangled: Path, envtree: RunCommand, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = envtree("compile", *REF, "-o", str(out), "--archive", str(tmp_path / "{project}.zip"), "--shard", "4/9")
    assert (done.code, "wrote 0 bundles" in done.err) == (0, True), done.err
    assert read_folder(out).keys() == {"manifest.json"}
    assert ids(out) == set()
    assert envtree("compile", *REF, "-o", str(out), "--shard", "4/9", "--check").code == 0
    assert not list(tmp_path.glob("*.zip"))


def test_a_template_may_lie_in_a_project_of_another_part(entangled: Path, envtree: RunCommand, tmp_path: Path) -> None:
    organization = ENTANGLED["organization.yaml"].removesuffix("}")
    write_files(entangled, {"organization.yaml": f"{organization}, output: {{templates: {{a: projects/two/a.j2}}}}}}"})
    write_files(entangled, {"projects/two/a.j2": "{{ agent }}\n"})
    for n in (1, 2, 3):
        done = envtree("compile", *REF, "-o", str(tmp_path / f"{n}"), "--shard", f"{n}/3", "--format", "template")
        assert done.code == 0, done.err


@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "1/3/5", "", "1/99999", "٣/٤", "1 / 3"])
def test_what_is_no_part(part: str, envtree: RunCommand) -> None:
    done = envtree("compile", f"--shard={part}")
    assert (done.code, "write K/N, such as 1/4, with K from 1 to N" in done.err) == (2, True)


def test_only_a_project_can_stand_in_the_name_of_an_archive(envtree: RunCommand) -> None:
    done = envtree("compile", "--archive", "{team}.zip")
    assert (done.code, "'{team}' in '{team}.zip' stands for nothing; write {project}" in done.err) == (2, True)
