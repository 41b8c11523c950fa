"""A run that goes from project to project finds what one over the whole tree does, also what takes two projects."""

import tempfile
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings

from envtree.cli.support.session import tree_request
from envtree.engine.check import check
from envtree.engine.decryption import Decrypter
from envtree.engine.publish import Destinations, publish
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
# Each with the codes that are found, and how: project by project, over errors too, or by a run over the whole tree.
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
def test_what_takes_several_projects(name: str) -> None:
    files, codes, how = TREES[name]
    request = tree_request(MemoryTree({**BASE, **files}))
    with force_by_project(1 << 30) as none:
        whole = check(request)
    with force_by_project(1) as done:
        parted = check(request)
    assert none == []
    assert parted._replace(workspace=None) == whole._replace(workspace=None)
    assert sorted(finding.diagnostic.code for finding in whole.findings) == sorted(codes)
    assert all(done) is (how != WHOLE)


def test_a_file_that_cannot_be_read_has_a_name(tmp_path: Path) -> None:
    write_files(tmp_path, {**BASE, "projects/one/teams/crew/team.yaml": "{configuration: {member_ids: [two/c]}}"})
    (tmp_path / "projects/two/agents/c.yaml").symlink_to("nothing")
    for least in (1, 1 << 30):
        with force_by_project(least):
            found = check(tree_request(Tree(tmp_path)))
        assert [finding.diagnostic.code for finding in found.findings] == ["ET120"]


@pytest.mark.parametrize("name", TREES)
def test_two_trees_are_compared_in_the_same_way(name: str) -> None:
    one = LabelledTree("base", tree_request(MemoryTree({**BASE, **TREES[name][0]})))
    for files, _, how in TREES.values():
        other = LabelledTree("head", tree_request(MemoryTree({**BASE, **files})))
        found = diff_by_project(one, other)
        assert (found is None) is (WHOLE in (how, TREES[name][2]))
        assert found in (None, diff(one, other))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"projects/three/project.yaml": "{key: THREE}", "projects/three/agents/c.yaml": "{}"}),
        # Where a secrets file comes from is told by one of another project, in which nothing differs.
        (
            sealed_files({"projects/one/project": {"A": "0123456789"}}),
            {
                "projects/two/project.secrets.yaml": sealed_files({"projects/one/project": {"A": "0123456789"}})[
                    "projects/one/project.secrets.yaml"
                ]
            },
        ),
        # What is production in one project ranks like that for all.
        ({}, {"projects/one/environments/z.yaml": "{type: production}", "environments/y.yaml": "{}"}),
        # A project that mentions another one, of which no file differs.
        (
            {"projects/one/teams/crew/team.yaml": "{configuration: {member_ids: [two/b, two/c]}}"},
            {"projects/two/agents/c.yaml": "{}"},
        ),
    ],
)
def test_a_difference_of_one_project_may_concern_others(before: Files, after: Files) -> None:
    base = {**BASE, **before}
    for one, other in ((base, {**base, **after}), ({**base, **after}, base)):
        named = (
            LabelledTree("base", tree_request(MemoryTree(one))),
            LabelledTree("head", tree_request(MemoryTree(other))),
        )
        found = diff_by_project(*named)
        assert found in (None, diff(*named))
        assert found is not None or any(check(side.request).findings for side in named)


def test_where_the_rules_for_sops_stand_makes_a_difference(tmp_path: Path) -> None:
    secrets = {f"projects/{one}/project": {"A": f"0123456789-{one}"} for one in ("one", "two")}
    places = ("projects/one", "projects/two", "link", "none")
    for place in places:
        write_files(tmp_path / place, {**BASE, **sealed_files(secrets)})
    for place in places[:2]:
        write_files(tmp_path / place, {f"{place}/.sops.yaml": "creation_rules: [{path_regex: none, age: x}]"})
    (tmp_path / "link" / ".sops.yaml").symlink_to("nothing")
    for one, other in permutations([LabelledTree(place, tree_request(Tree(tmp_path / place))) for place in places], 2):
        found = diff_by_project(one, other)
        assert found is not None
        assert found == diff(one, other)
        assert found.new_findings or found.removed_findings


def test_where_secrets_come_from_is_known_if_nobody_can_read_what_was_there(tmp_path: Path) -> None:
    agents = "projects/two/agents"
    secrets = sealed_files({f"{agents}/b": {"A": "0123456789"}})[f"{agents}/b.secrets.yaml"]
    for name in ("base", "head"):
        write_files(tmp_path / name, {**BASE, f"{agents}/c.yaml": "{}", f"{agents}/b.secrets.yaml": secrets})
    (tmp_path / "base" / agents / "c.secrets.yaml").symlink_to("nothing")
    write_files(tmp_path / "head", {f"{agents}/c.secrets.yaml": secrets})
    base, head = (LabelledTree(name, tree_request(Tree(tmp_path / name))) for name in ("base", "head"))
    found = diff_by_project(base, head)
    assert found == diff(base, head)
    assert found
    assert [change.copied_from for change in found.secrets] == [f"{agents}/b.secrets.yaml"]


class Locked(OpenBook):
    """Notes what it is asked to open."""

    def __init__(self) -> None:
        super().__init__({"projects/one/project.secrets.yaml": {"TOKEN": "0123456789"}})
        self.asked: list[str] = []

    def decrypt(self, file: SecretsFile) -> dict[str, object]:
        self.asked.append(file.path)
        return super().decrypt(file)


@pytest.mark.parametrize("name", ["an error in one", "one key", "a guest from another project"])
def test_nothing_is_decrypted_for_an_error_in_another_project(name: str) -> None:
    secrets = {"projects/one/project.yaml": READING.replace("{", "{key: ONE, ", 1)}
    secrets |= sealed_files({"projects/one/project": {"TOKEN": "0123456789"}})
    locked = Locked()

    def opened(policy: SecretsPolicy) -> Decrypter:
        return locked

    with force_by_project(1):
        assert check(tree_request(MemoryTree({**BASE, **TREES[name][0], **secrets}), decrypter=opened)).findings
    assert locked.asked == []
    with force_by_project(1) as done:
        check(tree_request(MemoryTree({**BASE, **secrets}), decrypter=opened))
    assert locked.asked
    assert done


def test_nothing_is_decrypted_for_a_selector_of_nothing() -> None:
    secrets = {"projects/one/project.yaml": READING.replace("{", "{key: ONE, ", 1)}
    secrets |= sealed_files({"projects/one/project": {"TOKEN": "0123456789"}})
    locked = Locked()
    for least in (1, 1 << 30):
        with force_by_project(least):
            request = tree_request(
                MemoryTree({**BASE, **secrets}), ("one/**", "three/**"), decrypter=lambda policy: locked
            )
            assert "ET309" in [finding.diagnostic.code for finding in check(request).findings]
        assert locked.asked == []


@pytest.mark.parametrize("name", [name for name, (_, _, how) in TREES.items() if how == ERROR])
def test_what_is_wrong_is_told_without_a_run_over_the_whole(name: str, tmp_path: Path) -> None:
    tree = MemoryTree({**BASE, **TREES[name][0]})

    def compiled(mode: SecretsMode) -> RunOutcome:
        places = Destinations(Output(tmp_path / "out", tmp_path, mode, 2026, {}, lambda _: True))
        return publish(tree_request(tree, require_inputs=True), places, frozenset({"bundle", "compose"}))

    modes: tuple[SecretsMode, ...] = ("ref", "plain")
    for mode in modes:
        with force_by_project(1 << 30):
            whole = compiled(mode)
        with force_by_project(1) as done:
            assert compiled(mode)._replace(workspace=None) == whole._replace(workspace=None)
        # First it is tried to write; then all is looked at.
        assert done == [False, True]
        assert not (tmp_path / "out").exists()


def published(root: Path, out: Path, drawn: Organization, least: int) -> tuple[RunOutcome, dict[str, bytes]]:
    """Compile with secrets in clear."""
    request = tree_request(Tree(root), decrypter=lambda policy: OpenBook(drawn.secrets), require_inputs=True)
    with force_by_project(least):
        outcome = publish(
            request, Destinations(Output(out, root, "plain", 2026, {}, lambda _: True)), frozenset({"bundle"})
        )
    written = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return outcome._replace(workspace=None), written


@settings(max_examples=25, deadline=None)
@given(organizations())
def test_bundles_with_secrets_are_the_same(drawn: Organization) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        whole = published(root, Path(folder, "out"), drawn, 1 << 30)
        assert published(root, Path(folder, "out"), drawn, 1) == whole
