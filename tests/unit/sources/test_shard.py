"""`compile --shard`: several machines write the same output as one, and each reads only its own shard."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from envtree.cli.support.session import tree_request
from envtree.diagnostics.codes import CODES, Scope
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
# A tree with all kinds of references between projects, and with findings of the whole tree.
ENTANGLED = {
    "organization.yaml": "{name: acme, edition: 2026, default_model: m, execution_environment: {env_vars: {LEVEL: x}}}",
    "environments/dev.yaml": "{}",
    "environments/prod.yaml": "{}",
    "projects/one/project.yaml": "{key: ONE}",
    "projects/one/environments/lab.yaml": "{type: development, own: true}",
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


class RecordingTree(TreeWrapper):
    """A tree that records the files that are read."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self.read_paths: set[str] = set()

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        self.read_paths.add(path)
        return super().read(path, limit=limit)


def shards(tree: Tree, count: int) -> list[Shard]:
    return [make_shard(tree, number, count) for number in range(1, count + 1)]


def shard_runs(tree: Tree, count: int) -> list[Run]:
    return [start_run(tree_request(tree, shard=shard)) for shard in shards(tree, count)]


def finish(run: Run) -> tuple[set[str], set[str]]:
    """Return the ids of the bundles of a run, and the codes of its findings."""
    ids = {bundle.target.id for bundle in run.bundles()}
    return ids, {finding.diagnostic.code for finding in run.outcome().findings}


# The assignment of projects to shards.


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_each_project_is_in_one_shard_which_reads_no_other_project(count: int) -> None:
    whole, _ = finish(start_run(tree_request(MemoryTree(ENTANGLED))))
    all_ids: list[str] = []
    for shard in shards(MemoryTree(ENTANGLED), count):
        tree = RecordingTree(MemoryTree(ENTANGLED))
        ids, _ = finish(start_run(tree_request(tree, shard=shard)))
        all_ids.extend(ids)
        own = {"one", "two", "three"} - shard.other_projects
        assert tree.read_paths == {
            path for path in ENTANGLED if not path.startswith("projects/") or path.split("/")[1] in own
        }
        assert {id.partition("/")[0] for id in ids} <= own
    assert sorted(all_ids) == sorted(whole)


def test_shards_have_about_the_same_number_of_agents() -> None:
    files = {"organization.yaml": ENTANGLED["organization.yaml"]}
    for project, agents in {"a": 9, "b": 8, "c": 7, "d": 3, "e": 2, "f": 1}.items():
        files |= {f"projects/{project}/project.yaml": ""}
        files |= {f"projects/{project}/agents/{n}.yaml": "" for n in range(agents)}
    projects = set("abcdef")
    own = [projects - shard.other_projects for shard in shards(MemoryTree(files), 3)]
    assert own == [{"a", "f"}, {"b", "e"}, {"c", "d"}]
    assert [projects - shard.other_projects for shard in shards(MemoryTree(files), 8)][5:] == [{"f"}, set(), set()]


def test_ignored_files_do_not_change_the_shards(tmp_path: Path) -> None:
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
    whole, _ = finish(start_run(tree_request(MemoryTree(files))))
    assert whole == {"default/a@dev", "default/t/b@dev"}
    assert [finish(run) for run in shard_runs(MemoryTree(files), 2)] == [(whole, set()), (set(), set())]


# Findings.


def test_findings_about_several_projects_are_not_reported_by_a_shard() -> None:
    _, whole_codes = finish(start_run(tree_request(MemoryTree(ENTANGLED))))
    assert any(CODES[code].scope is Scope.TREE for code in whole_codes)
    for count in (2, 3):
        for shard_run in shard_runs(MemoryTree(ENTANGLED), count):
            _, codes = finish(shard_run)
            # An environment that exists in no project is recognised by names alone.
            assert codes - {"ET351"} == {"ET752"}
            messages = [diagnostic.message for diagnostic in shard_run.diags if diagnostic.code == "ET752"]
            assert messages == ["policy 'idle' selects no bundle"]


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
def test_an_error_is_reported_by_some_shard(path: str, text: str, code: str, count: int) -> None:
    files = ENTANGLED | {path: text}
    assert code in finish(start_run(tree_request(MemoryTree(files))))[1]
    assert any(code in finish(run)[1] for run in shard_runs(MemoryTree(files), count))


# Outputs.


class Machines:
    """Runs commands on one tree, as one machine or as several."""

    def __init__(self, envtree: RunCommand, root: Path, folder: Path) -> None:
        self.envtree, self.root, self.folder = envtree, root, folder

    def compile(self, name: str, *options: str) -> Path:
        """Compile into a folder, an archive and, with `--split`, a folder for the secret half."""
        arguments = [option.replace("HALF", str(self.folder / f"{name}-half")) for option in options]
        out, archive = self.folder / name, self.folder / f"{name}.tar.zst"
        result = self.envtree("-C", str(self.root), "compile", "-o", str(out), "--archive", str(archive), *arguments)
        assert result.code == 0, result.err
        return out

    def merge(self, name: str, *sources: Path) -> Path:
        """Merge into a folder and an archive."""
        out, archive = self.folder / name, self.folder / f"{name}.tar.zst"
        result = self.envtree("merge-manifests", *map(str, sources), "-o", str(out), "--archive", str(archive))
        assert result.code == 0, result.err
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


@pytest.mark.parametrize("options", OPTIONS)
def test_the_merged_outputs_of_all_shards_equal_that_of_one_machine(options: str, machines: Machines) -> None:
    if options == "all that can lie beside":
        run(machines.root, "init", "-q")
        commit(machines.root)
    whole = machines.compile("whole", *OPTIONS[options])
    outs = [machines.compile(f"part-{n}", "--shard", f"{n}/3", *OPTIONS[options]) for n in (1, 2, 3)]
    archives = [out.with_name(f"{out.name}.tar.zst") for out in outs]
    packed = (machines.folder / "whole.tar.zst").read_bytes()
    for name, sources in {"merged": outs, "unpacked": archives[::-1]}.items():
        assert read_folder(machines.merge(name, *sources)) == read_folder(whole)
        assert (machines.folder / f"{name}.tar.zst").read_bytes() == packed
    if options == "halves":
        half = machines.merge("half", *(out.with_name(f"{out.name}-half") for out in outs))
        assert read_folder(half) == read_folder(machines.folder / "whole-half")
    # In place.
    assert read_folder(machines.merge("part-2", *outs)) == read_folder(whole)


@pytest.mark.parametrize("count", COUNTS)
def test_shards_that_share_a_folder_need_no_merging(count: int, machines: Machines) -> None:
    whole = machines.compile("whole", "--secrets", "ref")
    removed = next(iter(sorted((machines.root / "projects").iterdir())))
    shared = machines.compile("shared", "--secrets", "ref")
    assert read_folder(shared) == read_folder(whole)
    shutil.rmtree(removed)
    shutil.rmtree(machines.root / "jobs", ignore_errors=True)
    whole = machines.compile("whole", "--secrets", "ref")
    for n in range(1, count + 1):
        machines.compile("shared", "--secrets", "ref", "--shard", f"{n}/{count}")
    # The bundles of the removed project have been removed.
    assert read_folder(shared) == read_folder(whole)


@pytest.mark.parametrize("mode", ["ref", "plain"])
def test_an_archive_of_a_project_is_the_same_from_any_shard(mode: str, machines: Machines) -> None:
    options = ("compile", "--secrets", mode, "--receipt", "--archive")
    whole, several = machines.folder / "whole", machines.folder / "several"
    run(machines.root, "init", "-q")
    commit(machines.root)
    for folder, shard_option in ((whole, ()), *((several, ("--shard", f"{n}/2")) for n in (1, 2))):
        result = machines.envtree("-C", str(machines.root), *options, str(folder / "{project}.tar.zst"), *shard_option)
        assert result.code == 0, result.err
    projects = {path.name for path in (machines.root / "projects").iterdir()}
    assert {path.name for path in whole.iterdir()} == {f"{project}.tar.zst" for project in projects}
    assert read_folder(several) == read_folder(whole)
    for path in whole.iterdir():
        report = json.loads(machines.envtree("verify", str(path), "--output-format", "json").out)
        project = path.name.partition(".")[0]
        assert (report["problems"], report["bundles"] > 0, report["receipt"]["clean"]) == ([], True, True)
        foreign = [name for name in report["receipt"]["files"] if name.split("/")[:2] == ["projects", project]]
        assert len(foreign) == sum(name.startswith("projects/") for name in report["receipt"]["files"]) > 0
    # Merged, they equal the output for one archive.
    merged = machines.merge("merged", *sorted(whole.iterdir()))
    assert read_folder(merged) == read_folder(machines.compile("one", "--secrets", mode, "--receipt"))
    check = ("-C", str(machines.root), *options, str(whole / "{project}.tar.zst"), "--check")
    assert machines.envtree(*check).code == 0
    damaged = sorted(whole.iterdir())[0]
    damaged.write_bytes(b"")
    result = machines.envtree(*check)
    assert (result.code, result.out) == (4, f"{damaged}\n")


# Combinations with other options.


@pytest.fixture
def entangled(tree: Path, envtree: RunCommand) -> Path:
    """Replace the tree of `envtree` by one with references between projects."""
    shutil.rmtree(tree)
    write_files(tree, ENTANGLED)
    run(tree, "init", "-q")
    commit(tree)
    return tree


def ids(out: Path) -> set[str]:
    return set(json.loads((out / "manifest.json").read_bytes())["bundles"])


REF = ("--secrets", "ref")


def test_a_selector_selects_bundles_of_the_shard(entangled: Path, envtree: RunCommand, tmp_path: Path) -> None:
    all_ids: set[str] = set()
    for n in (1, 2, 3):
        result = envtree("compile", *REF, "-o", str(tmp_path / f"{n}"), "--shard", f"{n}/3", "one/**", "two/*@dev")
        assert result.code == 0, result.err
        all_ids |= ids(tmp_path / f"{n}")
        wrong = envtree("compile", *REF, "-o", str(tmp_path / "no"), "--shard", f"{n}/3", "one/**", "tow/**")
        assert (wrong.code, "ET309: selector 'tow/**' matches no bundle" in wrong.err) == (1, True)
        assert envtree("compile", *REF, "-o", str(tmp_path / "x"), "--shard", f"{n}/3", "*/*@lab").code == 0
    assert all_ids == {
        *(f"one/{agent}@{name}" for agent in ("a", "crew/b") for name in ("dev", "prod", "lab")),
        *("two/helper@dev", "two/other@dev"),
    }


def test_changed_bundles_are_compiled_by_their_shard(entangled: Path, envtree: RunCommand, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    assert envtree("compile", *REF, "-o", str(shared)).code == 0
    write_files(entangled, {"projects/two/agents/helper.yaml": "{}"})
    (entangled / "projects/two/agents/other.yaml").unlink()
    shutil.rmtree(entangled / "projects/three")
    all_ids: list[str] = []
    for n in (1, 2, 3):
        for out in (tmp_path / f"{n}", shared):
            result = envtree("compile", *REF, "-o", str(out), "--shard", f"{n}/3", "--changed-since", "HEAD")
            assert result.code == 0, result.err
        all_ids.extend(ids(tmp_path / f"{n}"))
    assert sorted(all_ids) == ["two/helper@dev", "two/helper@prod"]
    # Bundles that no longer exist have been removed, by any shard.
    assert envtree("compile", *REF, "-o", str(shared), "--check").code == 0


def test_a_receipt_of_a_tree_with_a_removed_project_is_not_clean(
    entangled: Path, envtree: RunCommand, tmp_path: Path
) -> None:
    def clean(n: int) -> bool:
        out = tmp_path / f"{n}"
        result = envtree("compile", *REF, "-o", str(out), "--shard", f"{n}/3", "--receipt")
        assert result.code == 0, result.err
        is_clean = json.loads((out / "manifest.json").read_bytes())["receipt"]["clean"]
        assert isinstance(is_clean, bool)
        return is_clean

    assert [clean(n) for n in (1, 2, 3)] == [True] * 3
    with (entangled / "projects/three/agents/c.yaml").open("a") as agent:
        agent.write(" # changed")
    assert sorted(clean(n) for n in (1, 2, 3)) == [False, True, True]
    shutil.rmtree(entangled / "projects/three")
    assert [clean(n) for n in (1, 2, 3)] == [False] * 3


def test_a_shard_without_projects_is_an_output_without_bundles(
    entangled: Path, envtree: RunCommand, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = envtree("compile", *REF, "-o", str(out), "--archive", str(tmp_path / "{project}.zip"), "--shard", "4/9")
    assert (result.code, "wrote 0 bundles" in result.err) == (0, True), result.err
    assert read_folder(out).keys() == {"manifest.json"}
    assert ids(out) == set()
    assert envtree("compile", *REF, "-o", str(out), "--shard", "4/9", "--check").code == 0
    assert not list(tmp_path.glob("*.zip"))


def test_a_template_may_be_in_a_project_of_another_shard(entangled: Path, envtree: RunCommand, tmp_path: Path) -> None:
    organization = ENTANGLED["organization.yaml"].removesuffix("}")
    write_files(entangled, {"organization.yaml": f"{organization}, output: {{templates: {{a: projects/two/a.j2}}}}}}"})
    write_files(entangled, {"projects/two/a.j2": "{{ agent }}\n"})
    for n in (1, 2, 3):
        result = envtree("compile", *REF, "-o", str(tmp_path / f"{n}"), "--shard", f"{n}/3", "--format", "template")
        assert result.code == 0, result.err


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "1/3/5", "", "1/99999", "٣/٤", "1 / 3"])
def test_a_malformed_shard_is_a_usage_error(shard: str, envtree: RunCommand) -> None:
    result = envtree("compile", f"--shard={shard}")
    assert (result.code, "write K/N, such as 1/4, with K from 1 to N" in result.err) == (2, True)


def test_only_a_project_can_stand_in_the_name_of_an_archive(envtree: RunCommand) -> None:
    result = envtree("compile", "--archive", "{team}.zip")
    assert (result.code, "'{team}' in '{team}.zip' stands for nothing; write {project}" in result.err) == (2, True)
