"""`envtree new`: the commented file of a new entity, in its place, without a finding."""

from pathlib import Path

import pytest

from tests.support.command_line import RunCommand, write_files

PROJECTS = {
    "organization.yaml": "name: acme\nedition: 2026\ndefault_model: m/m\n",
    "environments/production.yaml": "{}\n",
    "projects/shop/project.yaml": "key: SHOP\n",
    "projects/shop/teams/cart/team.yaml": "{}\n",
    "projects/shop/agents/bot.yaml": "{}\n",
}
TWO_PROJECTS = {"projects/web/project.yaml": "key: WEB\n"}


@pytest.fixture
def demo(tmp_path: Path, envtree: RunCommand) -> Path:
    """The tree of `init`, which has no projects."""
    assert envtree("init", str(tmp_path / "demo")).code == 0
    return tmp_path / "demo"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_files(tmp_path / "shop", PROJECTS)
    return tmp_path / "shop"


def test_a_tree_grows_by_new_alone_without_a_finding(demo: Path, envtree: RunCommand) -> None:
    entities = [
        ("environment", "qa", "environments/qa.yaml"),
        ("team", "desk", "teams/desk/team.yaml"),
        ("agent", "desk/clerk", "teams/desk/agents/clerk.yaml"),
        ("agent", "default/bot", "agents/bot.yaml"),
        ("mixin", "postgres", "mixins/postgres.yaml"),
        ("skill", "files", "skills/files.yaml"),
        ("policy", "logs", "policies/logs.yaml"),
    ]
    for kind, name, path in entities:
        assert envtree("-C", str(demo), "new", kind, name) == (0, f"{path}\n", "")
        schema, comment, *_ = (demo / path).read_text().splitlines()
        relative = schema.removeprefix("# yaml-language-server: $schema=")
        assert ((demo / path).parent / relative).is_file()
        assert comment.startswith("# ")
    assert envtree("-C", str(demo), "check", "--strict") == (0, "", "checked 9 bundles of 3 agents: no errors\n")
    assert "inherits: base\n" in (demo / "environments/qa.yaml").read_text()


def test_a_tree_with_projects_grows_too(shop: Path, envtree: RunCommand) -> None:
    entities = {
        ("project", "web-site"): "projects/web-site/project.yaml",
        ("team", "web-site/pages"): "projects/web-site/teams/pages/team.yaml",
        ("agent", "web-site/pages/writer"): "projects/web-site/teams/pages/agents/writer.yaml",
        ("agent", "shop/clerk"): "projects/shop/agents/clerk.yaml",
        ("environment", "shop/lab"): "projects/shop/environments/lab.yaml",
    }
    for (kind, name), path in entities.items():
        assert envtree("-C", str(shop), "new", kind, name) == (0, f"{path}\n", "")
    assert "key: WEB-SITE\n" in (shop / "projects/web-site/project.yaml").read_text()
    ran = envtree("-C", str(shop), "check")
    assert (ran.code, " error " in ran.out) == (0, False), ran


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("agent", "clerk", "projects/shop/agents/clerk.yaml"),
        ("agent", "cart/clerk", "projects/shop/teams/cart/agents/clerk.yaml"),
        ("team", "desk", "projects/shop/teams/desk/team.yaml"),
    ],
)
def test_the_only_project_can_be_left_out(kind: str, name: str, path: str, shop: Path, envtree: RunCommand) -> None:
    assert envtree("-C", str(shop), "new", kind, name) == (0, f"{path}\n", "")
    assert (shop / path).is_file()


def test_the_schema_line_is_that_of_the_organization(shop: Path, envtree: RunCommand) -> None:
    line = "# yaml-language-server: $schema=../schema/organization.schema.json\n"
    (shop / "organization.yaml").write_text(line + PROJECTS["organization.yaml"])
    assert envtree("-C", str(shop), "new", "agent", "shop/clerk").code == 0
    text = (shop / "projects/shop/agents/clerk.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../../../../schema/agent.schema.json\n")


@pytest.mark.parametrize(
    ("files", "arguments", "code", "words"),
    [
        ({}, ("agent", "shop/bot"), 1, "error ET807: 'projects/shop/agents/bot.yaml' exists"),
        ({}, ("agent", "shop/Bot 1"), 2, "'Bot 1' is not a path name; did you mean 'bot-1'?"),
        ({}, ("agent", "shpo/bot2"), 2, "there is no project 'shpo'; did you mean 'shop'?"),
        ({}, ("team", "other/desk"), 2, "'envtree new project other' makes it"),
        ({}, ("agent", "shop/crat/clerk"), 2, "there is no team 'crat'; did you mean 'cart'?"),
        ({}, ("agent", "shop/desk/clerk"), 2, "'envtree new team shop/desk' makes it"),
        (TWO_PROJECTS, ("agent", "clerk"), 2, "name it too: one of shop, web"),
        ({}, ("project", "a/b"), 2, "'a/b' has too many parts; name the project alone"),
        ({}, ("agent", "shop/cart/x/y"), 2, "'x/y' has too many parts"),
        ({}, ("widget", "x"), 2, "'widget' is not one of"),
    ],
)
def test_what_cannot_be_meant_writes_nothing(
    files: dict[str, str], arguments: tuple[str, ...], code: int, words: str, shop: Path, envtree: RunCommand
) -> None:
    write_files(shop, files)
    before = sorted(shop.rglob("*"))
    ran = envtree("-C", str(shop), "new", *arguments)
    assert (ran.code, ran.out, words in ran.err) == (code, "", True), ran
    assert sorted(shop.rglob("*")) == before


def test_nothing_is_written_that_would_be_an_error(demo: Path, envtree: RunCommand) -> None:
    ran = envtree("-C", str(demo), "new", "project", "shop")
    assert (ran.code, ran.out, "ET306" in ran.err) == (1, "", True), ran
    assert ran.err.endswith("nothing was written\n")
    assert not (demo / "projects").exists()
