"""Completion: the script, and the candidates that it offers."""

from pathlib import Path

import pytest

from envtree.cli.support.completion_candidates import list_bundle_ids, list_environments, list_source_files
from envtree.cli.support.session import tree_request
from envtree.engine.run import Run
from envtree.sources.tree import DirectoryTree
from tests.support.command_line import ORGANIZATION, TREE, RunCommand, write_files


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, envtree: RunCommand) -> None:
    ran = envtree("completion", shell)
    assert ran.code == 0
    assert f"_ENVTREE_COMPLETE={shell}_complete" in ran.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sh", ["show"]),
        ("show shop/cl", ["shop/clerk@production"]),
        ("run shop/cl", ["shop/clerk@production"]),
        ("check --strict shop/cart/bot@prod", ["shop/cart/bot@production"]),
        ("compile --secrets ", ["plain", "ref", "seal"]),
        ("show nothing", []),
        ("explain shop/cart/bot@production L", ["LOG_LEVEL"]),
        ("explain shop/cart/bot@production ", ["LOG_LEVEL", "NAME"]),
        ("explain shop/cart/bot@production nothing", []),
        ("matrix L", ["LOG_LEVEL"]),
        ("matrix LOG_LEVEL shop/cl", ["shop/clerk@production"]),
        ("parity st", ["staging"]),
        ("parity staging ", ["production", "staging"]),
        ("parity staging production shop/cart/bot@s", ["shop/cart/bot@staging"]),
        ("impact environments/ba", ["environments/ba"]),
    ],
)
def test_completion_of(
    words: str, expected: list[str], tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree / "projects")
    monkeypatch.setenv("_ENVTREE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"envtree {words}")
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ") + 1))
    ran = envtree()
    assert [line.partition(",")[2] for line in ran.out.split()] == expected
    assert ran.err == ""


def test_completion_of_files_from_elsewhere(
    tree: Path, tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert list_source_files(tree) == sorted(TREE)
    monkeypatch.setenv("_ENVTREE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"envtree -C {tree} impact environments/pr")
    monkeypatch.setenv("COMP_CWORD", "4")
    assert envtree().out.split() == ["plain,environments/production.yaml"]


def test_completion_outside_a_tree_is_silent(tmp_path: Path) -> None:
    assert list_bundle_ids(tmp_path) == []
    assert list_bundle_ids(tmp_path / "nowhere") == []
    assert list_environments(tmp_path) == []
    assert list_source_files(tmp_path) == []


def test_completion_knows_the_default_project(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"organization.yaml": "", "agents/a.yaml": "", "teams/t/agents/b.yaml": "", "agents/A.yaml": ""}
    )
    write_files(tmp_path, {"environments/dev.yaml": "", "environments/dev.secrets.yaml": ""})
    assert list_bundle_ids(tmp_path / "agents") == ["default/a@dev", "default/t/b@dev"]


# The fields that decide where an agent runs, in all spellings of YAML.
TARGETED = TREE | {
    "environments/eu.yaml": '{"\\x61bstract": false, inherits: [base]}\n',
    "environments/other.yaml": "# abstract: true\ndescription: abstract\n",
    "environments/gone.yaml": "abstract:\n  true\n",
    "environments/broken.yaml": "abstract: [\n",
    "projects/shop/project.yaml": "key: shop\ntargets:\n- staging\n- production # not other\n- own\n",
    "projects/shop/environments/own.yaml": "own: true\n",
    "projects/shop/environments/base.yaml": "{}\n",
    "projects/shop/environments/half.yaml": "{own: true, abstract: true}\n",
    "projects/shop/teams/cart/team.yaml": "{targets: [staging, own]}\n",
    "projects/shop/teams/cart/agents/idle.yaml": "targets: []\n",
    "projects/shop/teams/cart/agents/one.yaml": "# not other\n\ntargets:\r\n  - eu # other, own\r\n  - own\r\n",
    "projects/shop/teams/cart/agents/two.yaml": "targets:\n  - own\n  # and\n  - staging\ndescription: x\n",
    "projects/shop/teams/cart/agents/six.yaml": '"targets": [own]\n',
    "projects/shop/teams/cart/agents/ten.yaml": "targets:\n- &here own\n- *here\n",
    "projects/shop/teams/cart/agents/far.yaml": "  targets: [own]\n  description: >\n    targets: [staging]\n",
    "projects/shop/teams/cart/agents/all.yaml": "description: |\n  targets: [own]\nskills: []  # no targets: here\n",
    "projects/open/project.yaml": "key: open\n",
    "projects/open/agents/a.yaml": "description: all targets\n",
}


@pytest.mark.parametrize("files", [TREE, TARGETED])
def test_completion_offers_the_bundles_that_there_are(files: dict[str, str], tmp_path: Path) -> None:
    write_files(tmp_path, files)
    ids = Run(tree_request(DirectoryTree(tmp_path), allow_empty=True)).ids
    assert ids
    assert list_bundle_ids(tmp_path) == sorted(ids)


def test_completion_offers_what_is_being_written(tmp_path: Path) -> None:
    write_files(tmp_path, {"organization.yaml": ORGANIZATION, "environments/dev.yaml": "{}\n"})
    write_files(
        tmp_path,
        {"agents/a.yaml": "targets: nowhere\n", "agents/b.yaml": "targets: [\n", "agents/c.yaml": "targets:\n"},
    )
    assert list_bundle_ids(tmp_path) == ["default/b@dev"]


@pytest.mark.parametrize("ceiling", [".git", ""])
def test_completion_stays_inside_the_repository(
    ceiling: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ceiling:
        (tree / "docs" / ceiling).mkdir(parents=True)
    else:
        (tree / "docs").mkdir()
        monkeypatch.setenv("ENVTREE_CEILING_DIRECTORIES", str(tree / "docs"))
    assert list_bundle_ids(tree)
    assert list_bundle_ids(tree / "docs") == []
