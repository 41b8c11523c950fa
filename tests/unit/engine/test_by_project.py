"""A run by projects finds the same as a run over the whole tree, including findings that involve two projects."""

import tempfile
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings

from envtree.cli.support.session import tree_request
from envtree.engine.check import check
from envtree.engine.decryption import Decrypter
from envtree.engine.publish import CompilePlan, Destinations, publish
from envtree.engine.request import RunOutcome
from envtree.model.artifact import Output, SecretsMode
from envtree.model.secrets_file import SecretsFile, SecretsPolicy
from envtree.queries.diff import LabelledTree, diff
from tests.cases.test_cases import Tree
from tests.properties.organizations import Organization, organizations
from tests.properties.writing import OpenBook, write_tree
from tests.support.command_line import write_files
from tests.support.diffs import diff_by_project
from tests.support.divided import force_by_project
from tests.support.rounds import rounds
from tests.support.trees import MemoryTree, sealed_files

Files = Mapping[str, str]

BASE = {
    "organization.yaml": "{name: acme, edition: 2026, default_model: m}",
    "environments/dev.yaml": "{}",
    "environments/prod.yaml": "{}",
    "projects/one/project.yaml": "{key: ONE}",
    "projects/one/teams/crew/team.yaml": "{}",
    "projects/one/teams/crew/agents/a.yaml": "{}",
    "projects/two/project.yaml": "{key: TWO}",
    "projects/two/agents/b.yaml": "{}",
}
CONTRACT = "{name: acme, edition: 2026, default_model: m, variables: {X: {}, V: {}}}"
READING = "{execution_environment: {env_vars: {T: '${{ secrets.TOKEN }}'}}}"
PARTS, ERROR, WHOLE = "parts", "error", "whole"
# Files with the expected codes and kind of run: by projects, by projects with errors, or over the whole tree.
TREES: Mapping[str, tuple[Files, list[str], str]] = {
    "nothing": ({}, [], PARTS),
    "one key": ({"projects/two/project.yaml": "{key: ONE}"}, ["ET307"], WHOLE),
    "a policy for nothing": ({"policies/p.yaml": "{schema: {}, selector: 'three/**'}"}, ["ET752"], PARTS),
    "a policy for one project": ({"policies/p.yaml": "{schema: {}, selector: 'two/**'}"}, [], PARTS),
    "a variable that one project sets": (
        {
            "organization.yaml": CONTRACT,
            "projects/one/teams/crew/team.yaml": "{execution_environment: {env_vars: {X: x}}}",
            "projects/two/project.yaml": "{key: TWO, execution_environment: {env_vars: {V: v}}}",
        },
        [],
        PARTS,
    ),
    "a variable that no project sets": (
        {"organization.yaml": CONTRACT, "environments/dev.yaml": "{execution_environment: {env_vars: {X: x}}}"},
        ["ET756"],
        PARTS,
    ),
    "a secret that one project reads": (
        {"projects/two/agents/b.yaml": READING} | sealed_files({"organization": {"TOKEN": "0123456789"}}),
        ["ET650"],
        PARTS,
    ),
    "a secret that no project reads": (
        sealed_files({"organization": {"TOKEN": "0123456789"}}),
        ["ET650", "ET651"],
        PARTS,
    ),
    "a guest from another project": (
        {
            "projects/one/teams/crew/team.yaml": "{runtime: claude_code, configuration: {member_ids: [two/b]}}",
            "projects/one/teams/crew/agents/a.yaml": "{runtime: claude_code}",
        },
        ["ET312", "ET705"],
        WHOLE,
    ),
    "a guest who may be one": (
        {
            "projects/one/teams/crew/team.yaml": "{runtime: claude_code, configuration: {member_ids: [two/b]}}",
            "projects/one/teams/crew/agents/a.yaml": "{runtime: claude_code}",
            "projects/two/agents/b.yaml": "{runtime: claude_code}",
        },
        ["ET705", "ET705"],
        WHOLE,
    ),
    "a guest of a team of any runtime": (
        {"projects/one/teams/crew/team.yaml": "{configuration: {member_ids: [two/b]}}"},
        [],
        PARTS,
    ),
    "an override that repeats in one project only": (
        {
            "organization.yaml": "{name: acme, edition: 2026, default_model: m, "
            "execution_environment: {env_vars: {X: x}}}",
            "environments/dev.yaml": "{execution_environment: {env_vars: {X: x}}}",
            "projects/two/project.yaml": "{key: TWO, execution_environment: {env_vars: {X: w}}}",
        },
        [],
        PARTS,
    ),
    "an override that repeats in all": (
        {
            "organization.yaml": "{name: acme, edition: 2026, default_model: m, "
            "execution_environment: {env_vars: {X: x}}}",
            "environments/dev.yaml": "{execution_environment: {env_vars: {X: x}}}",
        },
        ["ET452"],
        PARTS,
    ),
    "an allowance that one project needs": (
        {
            "policies/p.yaml": "# envtree: allow ET753: known\n{schema: {required: [nothing]}, severity: warning, "
            "selector: 'two/**'}\n"
        },
        ["ET753", "ET152"],
        PARTS,
    ),
    "an error in one": ({"projects/two/agents/b.yaml": "{nothing: x}"}, ["ET201"], ERROR),
    "a copied ciphertext": (
        {
            "projects/one/project.secrets.yaml": sealed_files({"x": {"A": "0123456789"}})["x.secrets.yaml"],
            "projects/two/project.secrets.yaml": sealed_files({"x": {"A": "0123456789"}})["x.secrets.yaml"],
        },
        ["ET650", "ET650", "ET651", "ET651", "ET656"],
        WHOLE,
    ),
    "errors in both": (
        {
            "organization.yaml": CONTRACT,
            "projects/one/project.yaml": "{key: ONE, description: 1}",
            "projects/two/agents/b.yaml": "a: [",
        },
        ["ET101", "ET203"],
        ERROR,
    ),
    "an error of a bundle, and advice on the tree": (
        {
            "organization.yaml": CONTRACT,
            "projects/two/agents/b.yaml": "{execution_environment: {env_vars: {X: '${{ env_vars.nothing }}'}}}",
        },
        ["ET503", "ET756"],
        ERROR,
    ),
    "a misspelt secret, and one that nobody reads": (
        {"projects/two/agents/b.yaml": READING.replace("TOKEN", "TOKNE")}
        | sealed_files({"organization": {"TOKEN": "0123456789"}}),
        ["ET601", "ET650"],
        ERROR,
    ),
    "a misspelt variable, and one that nobody sets": (
        {
            "organization.yaml": CONTRACT.replace("}}}", "}}, strict_variables: true}"),
            "projects/two/agents/b.yaml": "{execution_environment: {env_vars: {VV: v}}}",
        },
        ["ET703"],
        ERROR,
    ),
    "a policy for nothing, which is an error, and advice on the tree": (
        {
            "organization.yaml": CONTRACT.replace("{", "{lint: {ET752: error}, ", 1),
            "policies/p.yaml": "{schema: {}, selector: 'three/**'}",
        },
        ["ET752", "ET756", "ET756"],
        ERROR,
    ),
    "no bundle for an error": (
        {
            "projects/one/project.yaml": "{key: ONE, targets: []}",
            "projects/two/project.yaml": "{key: TWO, targets: [x]}",
        },
        ["ET301"],
        WHOLE,
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_findings_that_involve_several_projects(name: str) -> None:
    files, codes, kind = TREES[name]
    request = tree_request(MemoryTree({**BASE, **files}))
    with force_by_project(1 << 30) as whole_runs:
        whole = check(request)
    with force_by_project(1) as project_runs:
        by_project = check(request)
    assert whole_runs == []
    assert by_project._replace(workspace=None) == whole._replace(workspace=None)
    assert sorted(finding.diagnostic.code for finding in whole.findings) == sorted(codes)
    assert all(project_runs) is (kind != WHOLE)


def test_a_file_that_cannot_be_read_has_a_name(tmp_path: Path) -> None:
    write_files(tmp_path, {**BASE, "projects/one/teams/crew/team.yaml": "{configuration: {member_ids: [two/c]}}"})
    (tmp_path / "projects/two/agents/c.yaml").symlink_to("nothing")
    for min_agents in (1, 1 << 30):
        with force_by_project(min_agents):
            outcome = check(tree_request(Tree(tmp_path)))
        assert [finding.diagnostic.code for finding in outcome.findings] == ["ET120"]


@pytest.mark.parametrize("name", TREES)
def test_two_trees_are_compared_in_the_same_way(name: str) -> None:
    base = LabelledTree("base", tree_request(MemoryTree({**BASE, **TREES[name][0]})))
    for files, _, kind in TREES.values():
        head = LabelledTree("head", tree_request(MemoryTree({**BASE, **files})))
        by_project = diff_by_project(base, head)
        assert (by_project is None) is (WHOLE in (kind, TREES[name][2]))
        assert by_project in (None, diff(base, head))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"projects/three/project.yaml": "{key: THREE}", "projects/three/agents/c.yaml": "{}"}),
        # The origin of a copied secrets file is in another project, in which nothing differs.
        (
            sealed_files({"projects/one/project": {"A": "0123456789"}}),
            {
                "projects/two/project.secrets.yaml": sealed_files({"projects/one/project": {"A": "0123456789"}})[
                    "projects/one/project.secrets.yaml"
                ]
            },
        ),
        # An environment of type production in one project ranks as such for all projects.
        ({}, {"projects/one/environments/z.yaml": "{own: true, type: production}", "environments/y.yaml": "{}"}),
        # A project that mentions names of another one, and has no differing file itself.
        (
            {"projects/one/teams/crew/team.yaml": "{configuration: {member_ids: [two/b, two/c]}}"},
            {"projects/two/agents/c.yaml": "{}"},
        ),
    ],
)
def test_a_difference_of_one_project_may_concern_others(before: Files, after: Files) -> None:
    base = {**BASE, **before}
    changed = {**base, **after}
    for base_files, head_files in ((base, changed), (changed, base)):
        trees = (
            LabelledTree("base", tree_request(MemoryTree(base_files))),
            LabelledTree("head", tree_request(MemoryTree(head_files))),
        )
        by_project = diff_by_project(*trees)
        assert by_project in (None, diff(*trees))
        assert by_project is not None or any(check(tree.request).findings for tree in trees)


def test_the_location_of_sops_rules_makes_a_difference(tmp_path: Path) -> None:
    secrets = {f"projects/{project}/project": {"A": f"0123456789-{project}"} for project in ("one", "two")}
    folders = ("projects/one", "projects/two", "link", "none")
    for folder in folders:
        write_files(tmp_path / folder, {**BASE, **sealed_files(secrets)})
    for folder in folders[:2]:
        write_files(tmp_path / folder, {f"{folder}/.sops.yaml": "creation_rules: [{path_regex: none, age: x}]"})
    (tmp_path / "link" / ".sops.yaml").symlink_to("nothing")
    trees = [LabelledTree(folder, tree_request(Tree(tmp_path / folder))) for folder in folders]
    for base, head in permutations(trees, 2):
        by_project = diff_by_project(base, head)
        assert by_project is not None
        assert by_project == diff(base, head)
        assert by_project.new_findings or by_project.removed_findings


def test_the_origin_of_copied_secrets_is_found_if_the_old_file_is_unreadable(tmp_path: Path) -> None:
    agents = "projects/two/agents"
    secrets = sealed_files({f"{agents}/b": {"A": "0123456789"}})[f"{agents}/b.secrets.yaml"]
    for name in ("base", "head"):
        write_files(tmp_path / name, {**BASE, f"{agents}/c.yaml": "{}", f"{agents}/b.secrets.yaml": secrets})
    (tmp_path / "base" / agents / "c.secrets.yaml").symlink_to("nothing")
    write_files(tmp_path / "head", {f"{agents}/c.secrets.yaml": secrets})
    base, head = (LabelledTree(name, tree_request(Tree(tmp_path / name))) for name in ("base", "head"))
    by_project = diff_by_project(base, head)
    assert by_project == diff(base, head)
    assert by_project
    assert [change.copied_from for change in by_project.secrets] == [f"{agents}/b.secrets.yaml"]


class RecordingDecrypter(OpenBook):
    """Records the files that it decrypts."""

    def __init__(self) -> None:
        super().__init__({"projects/one/project.secrets.yaml": {"TOKEN": "0123456789"}})
        self.decrypted: list[str] = []

    def decrypt(self, file: SecretsFile) -> dict[str, object]:
        self.decrypted.append(file.path)
        return super().decrypt(file)


@pytest.mark.parametrize("name", ["an error in one", "one key", "a guest from another project"])
def test_nothing_is_decrypted_for_an_error_in_another_project(name: str) -> None:
    secrets = {"projects/one/project.yaml": READING.replace("{", "{key: ONE, ", 1)}
    secrets |= sealed_files({"projects/one/project": {"TOKEN": "0123456789"}})
    decrypter = RecordingDecrypter()

    def make_decrypter(policy: SecretsPolicy) -> Decrypter:
        return decrypter

    with force_by_project(1):
        assert check(tree_request(MemoryTree({**BASE, **TREES[name][0], **secrets}), decrypter=make_decrypter)).findings
    assert decrypter.decrypted == []
    with force_by_project(1) as project_runs:
        check(tree_request(MemoryTree({**BASE, **secrets}), decrypter=make_decrypter))
    assert decrypter.decrypted
    assert project_runs


def test_nothing_is_decrypted_for_a_selector_of_nothing() -> None:
    secrets = {"projects/one/project.yaml": READING.replace("{", "{key: ONE, ", 1)}
    secrets |= sealed_files({"projects/one/project": {"TOKEN": "0123456789"}})
    decrypter = RecordingDecrypter()
    for min_agents in (1, 1 << 30):
        with force_by_project(min_agents):
            request = tree_request(
                MemoryTree({**BASE, **secrets}), ("one/**", "three/**"), decrypter=lambda policy: decrypter
            )
            assert "ET309" in [finding.diagnostic.code for finding in check(request).findings]
        assert decrypter.decrypted == []


@pytest.mark.parametrize("name", [name for name, (_, _, kind) in TREES.items() if kind == ERROR])
def test_errors_are_reported_without_a_run_over_the_whole_tree(name: str, tmp_path: Path) -> None:
    tree = MemoryTree({**BASE, **TREES[name][0]})

    def compile_tree(mode: SecretsMode) -> RunOutcome:
        destinations = Destinations(Output(tmp_path / "out", tmp_path, mode, 2026, {}, lambda _: True))
        request = tree_request(tree, require_inputs=True)
        return publish(CompilePlan(request, destinations, frozenset({"bundle", "compose"})))

    modes: tuple[SecretsMode, ...] = ("ref", "plain")
    for mode in modes:
        with force_by_project(1 << 30):
            whole = compile_tree(mode)
        with force_by_project(1) as project_runs:
            assert compile_tree(mode)._replace(workspace=None) == whole._replace(workspace=None)
        # The first run tries to write, the second one collects all findings.
        assert project_runs == [False, True]
        assert not (tmp_path / "out").exists()


def publish_plain(
    root: Path, out: Path, organization: Organization, min_agents: int
) -> tuple[RunOutcome, dict[str, bytes]]:
    """Compile with plaintext secrets; return the outcome and the files."""
    request = tree_request(Tree(root), decrypter=lambda policy: OpenBook(organization.secrets), require_inputs=True)
    destinations = Destinations(Output(out, root, "plain", 2026, {}, lambda _: True))
    with force_by_project(min_agents):
        outcome = publish(CompilePlan(request, destinations, frozenset({"bundle"})))
    written = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return outcome._replace(workspace=None), written


@settings(max_examples=rounds(gate=10, full=25))
@given(organizations())
def test_bundles_with_secrets_are_the_same(organization: Organization) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, organization.tree, organization.secrets, flow=organization.flow)
        whole = publish_plain(root, Path(folder, "out"), organization, 1 << 30)
        assert publish_plain(root, Path(folder, "out"), organization, 1) == whole
