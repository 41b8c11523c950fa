"""The stage `discover`: paths with their locations, or with the findings about them."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from envtree.frontend import discover as discover_module
from envtree.frontend.discover import discover
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import NAME_RULE
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, EntryType, FileAboveRoot, ReadProblem, TreeEntry

Files = dict[str, bytes]


class MemoryTree:
    """A tree in memory, of empty files."""

    def __init__(self, paths: Iterable[str], ignored: Iterable[str] = ()) -> None:
        self.files: Files = dict.fromkeys(("organization.yaml", *paths), b"")
        self.hidden = frozenset(ignored)

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        prefix = f"{folder}/" if folder else ""
        relative_paths = [path.removeprefix(prefix) for path in self.files if path.startswith(prefix)]
        names = {
            (name, EntryType.FOLDER if slash else EntryType.FILE)
            for name, slash, _ in (path.partition("/") for path in relative_paths)
        }
        return tuple(TreeEntry(prefix + name, entry_type) for name, entry_type in names)

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        return self.files[path]

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        return None

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset(path for path in paths if f"{path}/".startswith(tuple(f"{folder}/" for folder in self.hidden)))


def run_discover(*paths: str, ignored: Iterable[str] = ()) -> tuple[dict[str, Location], list[Diagnostic]]:
    diags = Diagnostics()
    sources = discover(MemoryTree(paths, ignored), diags)
    return sources, sorted(diags)


def paths_and_codes(*paths: str, ignored: Iterable[str] = ()) -> list[tuple[str, str]]:
    return [(finding.span.path, finding.code) for finding in run_discover(*paths, ignored=ignored)[1]]


def secrets_location(owner: Kind, project: str, team: str, name: str, environment: str = "") -> Location:
    return Location(Kind.SECRETS, project, team, name, owner, environment)


LOCATIONS = {
    "organization.yaml": Location(Kind.ORGANIZATION, "", "", ""),
    "organization.secrets.yaml": secrets_location(Kind.ORGANIZATION, "", "", ""),
    "environments/dev.yaml": Location(Kind.ENVIRONMENT, "", "", "dev"),
    "environments/dev.secrets.json": secrets_location(Kind.ENVIRONMENT, "", "", "dev"),
    "policies/no-root.yaml": Location(Kind.POLICY, "", "", "no-root"),
    "skills/shell.yaml": Location(Kind.SKILL, "", "", "shell"),
    "worker_queues/gpu_1.yaml": Location(Kind.WORKER_QUEUE, "", "", "gpu_1"),
    "jobs/0.yaml": Location(Kind.JOB, "", "", "0"),
    "projects/shop/project.yaml": Location(Kind.PROJECT, "shop", "", ""),
    "projects/shop/project.secrets.env": secrets_location(Kind.PROJECT, "shop", "", ""),
    "projects/shop/environments/dev.yaml": Location(Kind.OVERLAY, "shop", "", "dev"),
    "projects/shop/environments/prod.secrets.yaml": secrets_location(Kind.OVERLAY, "shop", "", "prod"),
    "projects/shop/workflows/ship.yaml": Location(Kind.WORKFLOW, "shop", "", "ship"),
    "projects/shop/agents/helper.yaml": Location(Kind.AGENT, "shop", "", "helper"),
    "projects/shop/agents/helper.dev.secrets.yaml": secrets_location(Kind.AGENT, "shop", "", "helper", "dev"),
    "projects/shop/teams/core/team.yaml": Location(Kind.TEAM, "shop", "core", ""),
    "projects/shop/teams/core/team.secrets.yaml": secrets_location(Kind.TEAM, "shop", "core", ""),
    "projects/shop/teams/core/environments/dev.yaml": Location(Kind.OVERLAY, "shop", "core", "dev"),
    "projects/shop/teams/core/environments/dev.secrets.yaml": secrets_location(Kind.OVERLAY, "shop", "core", "dev"),
    "projects/shop/teams/core/agents/cart.yaml": Location(Kind.AGENT, "shop", "core", "cart"),
    "projects/shop/teams/core/agents/cart.secrets.yaml": secrets_location(Kind.AGENT, "shop", "core", "cart"),
    "projects/shop/teams/core/agents/cart.prod.secrets.json": secrets_location(
        Kind.AGENT, "shop", "core", "cart", "prod"
    ),
    "projects/shop/teams/core/agents/team.yaml": Location(Kind.AGENT, "shop", "core", "team"),
    "projects/shop/teams/core/agents/secrets.yaml": Location(Kind.AGENT, "shop", "core", "secrets"),
    "projects/teams/project.yaml": Location(Kind.PROJECT, "teams", "", ""),
    "projects/teams/teams/teams/team.yaml": Location(Kind.TEAM, "teams", "teams", ""),
}
IMPLICIT_LOCATIONS = {
    "teams/core/team.yaml": Location(Kind.TEAM, "default", "core", ""),
    "teams/core/agents/cart.yaml": Location(Kind.AGENT, "default", "core", "cart"),
    "teams/core/environments/dev.yaml": Location(Kind.OVERLAY, "default", "core", "dev"),
    "agents/helper.yaml": Location(Kind.AGENT, "default", "", "helper"),
    "agents/helper.dev.secrets.yaml": secrets_location(Kind.AGENT, "default", "", "helper", "dev"),
    "workflows/ship.yaml": Location(Kind.WORKFLOW, "default", "", "ship"),
}


@pytest.mark.parametrize("table", [LOCATIONS, IMPLICIT_LOCATIONS])
def test_every_place(table: dict[str, Location]) -> None:
    locations, findings = run_discover(*table)
    assert findings == []
    assert locations == {"organization.yaml": LOCATIONS["organization.yaml"]} | table
    assert list(locations) == sorted(locations)


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docker-compose.yaml",
        "mkdocs.yml",
        "docs/example.yaml",
        "charts/teams/x.yaml",
        "tests/organization.yml",
        "env/dev.yaml",
        "items/x.yaml",
        "project/build.properties",
        "organization.yaml.orig",
        "organization.example.yaml",
        ".github/workflows/ci.yml",
        ".sops.yaml",
        "environments/.dev.yaml",
        "environments/.draft/dev.yaml",
        "environments/README.md",
        "environments/dev.yaml~",
        "environments/data.json",
        "environments/dev.env",
        "jobs/scripts/run.sh",
        "agents/age.key",
    ],
)
def test_ignored_silently(path: str) -> None:
    assert run_discover(path) == ({"organization.yaml": LOCATIONS["organization.yaml"]}, [])


RULE = f"use {NAME_RULE}"
OWNERS = "secrets belong to an organization, environment, project, team, agent or mix-in"
OVERLAY = "its overlay is written in 'cart.yaml', under 'environments'"
ADD_CART = "add 'projects/shop/agents/cart.yaml', or correct the name"
SHOP = ("projects/shop/project.yaml",)
CORE = (*SHOP, "projects/shop/teams/core/team.yaml")


@pytest.mark.parametrize(
    ("path", "code", "hint"),
    [
        ("environments/dev.yml", "ET122", "rename it to 'dev.yaml'"),
        ("environments/dev.YAML", "ET122", "rename it to 'dev.yaml'"),
        ("environments/dev.secrets.yml", "ET122", "rename it to 'dev.secrets.yaml'"),
        ("projects/shop/project.secrets.JSON", "ET122", "rename it to 'project.secrets.json'"),
        ("projects/shop/agent.yaml", "ET123", "did you mean 'agents/'?"),
        ("projects/shop/projct.yaml", "ET123", "did you mean 'project.yaml'?"),
        ("projects/shop/teams/core/tem.yaml", "ET123", "did you mean 'team.yaml'?"),
        ("projects/shop/teams/core/tem.secrets.json", "ET123", "did you mean 'team.secrets.json'?"),
        ("projects/shop/team/x.yaml", "ET123", "did you mean 'projects/shop/teams/'?"),
        ("projects/shop/team/deep/er/x.yml", "ET123", "did you mean 'projects/shop/teams/'?"),
        ("projects/shop/teams/core/workflow.yaml", "ET123", "known: agents/, environments/, team.yaml"),
        ("projects/shop/teams/core/agent/x.yaml", "ET123", "did you mean 'projects/shop/teams/core/agents/'?"),
        ("projects/shop/teams/cart.yaml", "ET123", "did you mean 'projects/shop/teams/cart/team.yaml'?"),
        ("projects/cart.yaml", "ET123", "did you mean 'projects/cart/project.yaml'?"),
        ("projects/shop/x.secrets.env", "ET123", "known: agents/, environments/, project.yaml, teams/, workflows/"),
        ("environments/eu/dev.yaml", "ET123", "move the file directly into 'environments/'"),
        ("environments/Dev.yaml", "ET124", f"rename it, perhaps to 'dev': {RULE}"),
        ("environments/-x.yaml", "ET124", f"rename it, perhaps to 'x': {RULE}"),
        ("environments/x y.yaml", "ET124", f"rename it, perhaps to 'x-y': {RULE}"),
        ("environments/dév.yaml", "ET124", RULE),
        ("environments/dev.eu.secrets.yaml", "ET124", RULE),
        (f"environments/{'a' * 64}.yaml", "ET124", RULE),
        ("projects/shop/agents/cart.prod.yaml", "ET124", OVERLAY),
        ("projects/shop/agents/cart.secret.yaml", "ET124", "a secrets file is named 'cart.secrets.yaml'"),
        ("projects/shop/agents/cart.sops.yaml", "ET124", "a secrets file is named 'cart.secrets.yaml'"),
        ("projects/shop/agents/cart.Prod.secrets.yaml", "ET124", RULE),
        ("projects/shop/agents/cart..secrets.yaml", "ET124", f"rename it, perhaps to 'cart': {RULE}"),
        ("projects/shop/agents/a.b.c.secrets.yaml", "ET124", RULE),
        ("organisation.yaml", "ET125", "did you mean 'organization.yaml'?"),
        ("organization.yml", "ET125", "did you mean 'organization.yaml'?"),
        ("Organization.yaml", "ET125", "did you mean 'organization.yaml'?"),
        ("organization.secret.yaml", "ET125", "did you mean 'organization.secrets.yaml'?"),
        ("project.yaml", "ET125", "did you mean 'projects/<project>/project.yaml'?"),
        ("environments/dev.secrets.yaml", "ET127", "add 'environments/dev.yaml', or correct the name"),
        ("projects/shop/agents/cart.secrets.yaml", "ET127", ADD_CART),
        ("projects/shop/agents/cart.dev.secrets.env", "ET127", ADD_CART),
        ("policies/x.secrets.yaml", "ET127", OWNERS),
        ("projects/shop/workflows/x.secrets.env", "ET127", OWNERS),
    ],
)
def test_one_mistake_one_finding(path: str, code: str, hint: str) -> None:
    locations, findings = run_discover(*CORE, path)
    assert [(finding.span.path, finding.code, finding.hint) for finding in findings] == [(path, code, hint)]
    for text in (findings[0].message, findings[0].hint):
        assert not text.endswith(".")
        assert "\n" not in text
    if code != "ET127":
        assert path not in locations


@pytest.mark.parametrize(
    ("path", "folder", "suggestion"),
    [
        ("environment/dev.yaml", "environment", "environments/"),
        ("Environments/dev.yaml", "Environments", "environments/"),
        ("project/shop/project.yaml", "project", "projects/"),
        ("worker-queues/x.yaml", "worker-queues", "worker_queues/"),
        ("policy/x.yml", "policy", "policies/"),
        ("agent/deep/er/x.yaml", "agent", "agents/"),
    ],
)
def test_a_near_miss_of_a_folder_is_one_finding(path: str, folder: str, suggestion: str) -> None:
    locations, (finding,) = run_discover(path, path.replace(".y", "2.y"))
    assert (finding.span.path, finding.code, finding.hint) == (folder, "ET125", f"did you mean '{suggestion}'?")
    assert set(locations) == {"organization.yaml"}


@pytest.mark.parametrize(
    "name", ["Shop", "sh op", "_x", "-x", "x.y", "caf\u00e9", "cafe\u0301", "\u212a", "x" * 64, "1\u0661"]
)
def test_t78_t79_names_are_ascii_and_lower_case(name: str) -> None:
    """Two names cannot differ in case or Unicode normal form only, and no name leads out of its folder."""
    locations, (finding,) = run_discover(f"projects/{name}/project.yaml")
    assert (finding.span.path, finding.code) == (f"projects/{name}", "ET124")
    assert set(locations) == {"organization.yaml"}


@pytest.mark.parametrize("name", ["x\n", "\u202ex", "a\u200bb", "\x1b[31m"])
def test_t89_odd_paths_are_shown_escaped(name: str) -> None:
    (finding,) = run_discover(f"environments/{name}.yaml")[1]
    assert finding.code == "ET124"
    for text in (finding.span.path, finding.message, finding.hint):
        assert text.isprintable()


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["projects/shop/agents/a.yaml"], [("projects/shop", "ET126")]),
        (["projects/shop/README.md"], [("projects/shop", "ET126")]),
        (["projects/shop/project.secrets.yaml"], [("projects/shop", "ET126")]),
        (["projects/shop/teams/core/team.yaml"], [("projects/shop", "ET126")]),
        (["projects/p/teams/t/agents/a.yaml"], [("projects/p", "ET126"), ("projects/p/teams/t", "ET126")]),
        (["teams/core/agents/a.yaml"], [("teams/core", "ET126")]),
        (["projects/shop/project.yml"], [("projects/shop/project.yml", "ET122")]),
        (["projects/shop/projct.yaml"], [("projects/shop/projct.yaml", "ET123")]),
        (["teams/core/tem.yaml"], [("teams/core/tem.yaml", "ET123")]),
        (["projects/shop/.gitkeep"], []),
        (["agents/a.yaml"], []),
    ],
)
def test_a_folder_lacks_its_file(paths: list[str], expected: list[tuple[str, str]]) -> None:
    assert paths_and_codes(*paths) == expected


@pytest.mark.parametrize(
    ("paths", "hint"),
    [
        (["agents/helper.yaml", "agents/helpr.secrets.yaml"], "did you mean 'helper.secrets.yaml'?"),
        (["agents/helper.yaml", "agents/helpr.dev.secrets.env"], "did you mean 'helper.dev.secrets.env'?"),
        (["environments/prod.yaml", "environments/prd.secrets.yaml"], "did you mean 'prod.secrets.yaml'?"),
        (["teams/t/team.yaml", "teams/t/agents/helper.yaml", "agents/helpr.secrets.yaml"], "add 'agents/helpr.yaml', "),
    ],
)
def test_secrets_whose_name_has_a_typing_error(paths: list[str], hint: str) -> None:
    (finding,) = run_discover(*paths)[1]
    assert (finding.span.path, finding.code) == (paths[-1], "ET127")
    assert finding.hint.startswith(hint)


def test_secrets_of_an_overlay_need_no_overlay() -> None:
    paths = [f"projects/shop{level}/environments/dev.secrets.yaml" for level in ("", "/teams/core")]
    assert paths_and_codes(*CORE, *paths) == []


def test_secrets_of_a_file_with_a_wrong_suffix_are_no_second_mistake() -> None:
    assert paths_and_codes("environments/dev.yml", "environments/dev.secrets.yaml") == [
        ("environments/dev.yml", "ET122")
    ]


@pytest.mark.parametrize(
    ("owner", "base"),
    [
        ("organization.yaml", "organization"),
        ("environments/dev.yaml", "environments/dev"),
        ("agents/a.yaml", "agents/a"),
        ("agents/a.yaml", "agents/a.dev"),
    ],
)
def test_two_formats_for_one_file(owner: str, base: str) -> None:
    locations, (finding,) = run_discover(owner, f"{base}.secrets.yaml", f"{base}.secrets.json")
    assert (finding.span.path, finding.code) == (f"{base}.secrets.yaml", "ET128")
    assert [related.span.path for related in finding.related] == [f"{base}.secrets.json"]
    assert f"{base}.secrets.json" in locations
    assert f"{base}.secrets.yaml" not in locations


def test_secrets_of_an_agent_and_of_its_overlay_are_two() -> None:
    assert paths_and_codes("agents/a.yaml", "agents/a.secrets.yaml", "agents/a.dev.secrets.json") == []


@pytest.mark.parametrize("top", ["teams/core/team.yaml", "agents/a.yaml", "workflows/w.yaml"])
@pytest.mark.parametrize("project", ["default", "shop"])
def test_folders_of_the_default_project_beside_projects(top: str, project: str) -> None:
    folder = top.partition("/")[0]
    locations, (finding,) = run_discover(top, f"projects/{project}/project.yaml")
    assert (finding.span.path, finding.code) == (folder, "ET306")
    assert finding.hint == f"move it into a project, such as to 'projects/{project}/{folder}/'"
    assert (top in locations) == (project == "shop")


def test_where_there_is_no_project_one_is_needed() -> None:
    hints = {finding.code: finding.hint for finding in run_discover("agents/a.yaml", "projects/shop/agents/b.yaml")[1]}
    target = "'projects/default/agents/', with a 'projects/default/project.yaml'"
    assert hints["ET306"] == f"move it into a project, such as to {target}"


def test_folders_without_entities_claim_nothing() -> None:
    assert paths_and_codes("agents/a.yaml", "projects/README.md") == []
    assert paths_and_codes("agents/README.md", "projects/default/project.yaml") == []


def test_what_git_ignores_is_ignored() -> None:
    paths = ["environments/local.yaml", "environments/Bad.yaml", "projects/__pycache__/x.pyc", "environment/x.yaml"]
    paths += ["projects/old/node_modules/x/y.yaml", "projects/p/teams/README.md"]
    ignored = [*paths[:3], "environment", "projects/old/node_modules", "projects/__pycache__"]
    assert run_discover(*paths, ignored=ignored) == ({"organization.yaml": LOCATIONS["organization.yaml"]}, [])


def test_secrets_whose_file_is_ignored() -> None:
    paths = ["environments/dev.yaml", "environments/dev.secrets.yaml"]
    assert paths_and_codes(*paths, ignored=paths[:1]) == [(paths[1], "ET127")]


def test_a_tree_in_an_ignored_folder_is_read() -> None:
    locations, findings = run_discover("jobs/a.yaml", ignored=["organization.yaml", "jobs"])
    assert (set(locations), findings) == ({"organization.yaml", "jobs/a.yaml"}, [])


MANIFEST = b'{\n  "bundles": {},\n  "envtree": "1"\n}\n'


def with_manifest(folder: str, *paths: str, manifest: bytes = MANIFEST) -> tuple[set[str], list[Diagnostic]]:
    tree = MemoryTree([*paths, f"{folder}/manifest.json"])
    tree.files[f"{folder}/manifest.json"] = manifest
    diags = Diagnostics()
    return set(discover(tree, diags)), list(diags)


@pytest.mark.parametrize("folder", ["projects/shop/out", "environments/old", "policies/a/b", "environment"])
def test_an_output_folder_is_ignored_where_no_kind_lives(folder: str) -> None:
    paths, findings = with_manifest(folder, *SHOP, f"{folder}/x.yaml", f"{folder}/dev/shop/x.yaml")
    assert (paths, findings) == ({"organization.yaml", *SHOP}, [])


@pytest.mark.parametrize(
    "path",
    [
        "policies/no-root.yaml",
        "environments/dev.yaml",
        "skills/shell.yaml",
        "projects/shop/project.yaml",
        "projects/shop/agents/a.yaml",
        "projects/shop/teams/core/team.yaml",
        "projects/shop/teams/core/environments/dev.yaml",
    ],
)
def test_a_manifest_switches_no_folder_of_sources_off(path: str) -> None:
    """Otherwise one small file could hide policies or a project."""
    folder = path.rpartition("/")[0]
    paths, (finding,) = with_manifest(folder, *CORE, path)
    assert paths == {"organization.yaml", *CORE, path}
    assert (finding.span.path, finding.code) == (f"{folder}/manifest.json", "ET123")
    assert finding.message == f"'{folder}/manifest.json' marks an output folder, and '{folder}/' holds sources"
    assert finding.hint == "remove it, and compile into a folder of its own"


@pytest.mark.parametrize("folder", ["projects", "teams", "projects/shop/teams", "projects/out"])
def test_a_manifest_where_only_folders_are_known(folder: str) -> None:
    _, findings = with_manifest(folder, *([] if folder == "teams" else SHOP))
    assert [(finding.span.path, finding.code) for finding in findings] == [(f"{folder}/manifest.json", "ET123")]


def test_a_manifest_of_another_program_says_nothing() -> None:
    assert with_manifest("policies", "policies/a.yaml", manifest=b'{"name": "an app"}')[1] == []
    (finding,) = with_manifest("projects/app", manifest=b'{"name": "an app"}')[1]
    assert (finding.span.path, finding.code) == ("projects/app", "ET126")


def test_too_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover_module, "MAX_FILES", 3)
    assert paths_and_codes("jobs/a.yaml", "jobs/b.yaml") == []
    locations, (finding,) = run_discover("jobs/a.yaml", "jobs/b.yaml", "jobs/c.yaml")
    assert locations == {}
    assert (finding.span.path, finding.code) == ("organization.yaml", "ET109")


def test_the_limit_is_the_one_that_people_read() -> None:
    root = Path(__file__).parents[3]
    assert f"| files of a tree | {discover_module.MAX_FILES:,} |" in (root / "schema" / "README.md").read_text("utf-8")
    assert f"more than {discover_module.MAX_FILES:,} files" in (
        root / "compiler/envtree/diagnostics/pages/ET109.md"
    ).read_text("utf-8")


def test_folders_nested_without_end() -> None:
    deep = f"environments/{'a/' * 1500}x.yaml"
    assert [code for _, code in paths_and_codes(deep)] == ["ET123"]


def test_real_files_in_a_real_repository(tmp_path: Path) -> None:
    for path in ("organization.yaml", "jobs/a.yaml", "jobs/b.yaml", "projects/__pycache__/x.pyc"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("a: 1\n")
    (tmp_path / ".gitignore").write_text("b.yaml\n__pycache__/\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    diags = Diagnostics()
    sources = discover(DirectoryTree(tmp_path), diags)
    assert (list(sources), list(diags)) == (["jobs/a.yaml", "organization.yaml"], [])
