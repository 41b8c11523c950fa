"""`.sops.yaml`: envtree selects the same rule for a file as sops, for trees on disk and at a commit."""

import json
import random
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from envtree.cli import invoke
from envtree.cli.support.session import tree_request
from envtree.engine.check import check
from envtree.frontend.link.creation_rules import read_creation_rules
from envtree.frontend.link.declared_readers import normalize_public_key
from envtree.model.diagnostic import Diagnostics
from envtree.model.sops_rule import SopsConfig, SopsConfigDocument, find_governing_config
from envtree.model.source import Kind
from envtree.sources.git_revision import RevisionTree
from envtree.sources.tree import DirectoryTree, Tree
from envtree.system.git.objects import resolve_commit
from tests.support.command_line import write_files
from tests.support.real_sops import (
    HEAD,
    SopsUser,
    encrypt_file,
    make_age_user,
    make_pgp_user,
    people_section,
    read_recipients,
    run_sops,
)
from tests.support.rounds import rounds
from tests.support.trees import check as check_tree
from tests.support.trees import parse_document

PATHS = [
    "organization.secrets.yaml",
    "environments/staging.secrets.yaml",
    "projects/shop/project.secrets.json",
    "projects/shop-two/agents/a.b.secrets.env",
]
PATTERNS = [
    *("", ".", "secrets", r"\.yaml$", "^environments/", "^shop", "shop/", r"/shop/.*\.secrets\.", "staging|project"),
    *(
        "(?i)STAGING",
        r"^projects/[^/]+/project",
        r"\bshop\b",
        r"^\S+$",
        "[[:alpha:]]+/a",
        r"\Aorg",
        r"env\z",
        "(?s).*json",
    ),
    *(r"^projects/shop-two/", "x{0}shop", "(?P<name>agents)/a", r"\p{Ll}rg", "^$", "tree", r"^\./", r"\Qa.b\E"),
]


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> list[SopsUser]:
    folder = tmp_path_factory.mktemp("keys")
    return [make_age_user(folder, f"k{number}") for number in range(6)]


def rules_file(text: str, path: str = ".sops.yaml", root_prefix: str = "") -> SopsConfig:
    return read_creation_rules(
        SopsConfigDocument(parse_document(text, Kind.CREATION_RULES, path), root_prefix), Diagnostics()
    )


def test_the_first_matching_rule_is_that_of_sops(tmp_path: Path, users: list[SopsUser]) -> None:
    draw = random.Random(5)
    cases = []
    for number in range(rounds(gate=40, full=80)):
        count = draw.randint(1, 4)
        rules = [{"path_regex": draw.choice(PATTERNS), "age": users[n].public} for n in range(count)]
        cases.append((tmp_path / str(number), json.dumps({"creation_rules": rules}), draw.choice(PATHS)))
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda case: _recipients_by_sops(*case), cases))
    for (_, text, path), answer in zip(cases, answers, strict=True):
        rule = rules_file(text).matching_rule(path)
        assert {key.value for key in rule.keys} if rule else set() == answer, (text, path)
        assert (rule is not None) == bool(answer), (text, path)
    assert {bool(answer) for answer in answers} == {True, False}


def _recipients_by_sops(folder: Path, rules: str, path: str) -> set[str]:
    plain = {"json": '{"A": "b"}', "env": "A=b\n", "yaml": "A: b\n"}
    write_files(folder, {".sops.yaml": rules, path: plain[path.rpartition(".")[2]]})
    process = run_sops(folder, "encrypt", "--in-place", f"./{path}", check=False)
    return read_recipients(folder / path) if process.returncode == 0 else set()


UNREADABLE = ["(", "(?=x)", r"\1", "[z-a]", "(?<!x)", "a**", "a{2000}"]


@pytest.mark.parametrize("pattern", UNREADABLE)
def test_a_pattern_at_which_sops_stops(pattern: str, tmp_path: Path, users: list[SopsUser]) -> None:
    rules = [{"path_regex": pattern, "age": users[0].public}, {"age": users[1].public}]
    text = json.dumps({"creation_rules": rules})
    assert _recipients_by_sops(tmp_path, text, PATHS[0]) == set()
    rule = rules_file(text).matching_rule(PATHS[0])
    assert rule
    assert rule.is_broken


# The spellings of keys in a rule: {0}… are age keys, {pgp} is a PGP key.
FORMS = {
    "one": "age: {0}",
    "commas": "age: '{0},{1} , {2},'",
    "a-list": "age: ['{0}', '{1}']",
    "folded": "age: >-\n      {0},\n      {1}",
    "both-kinds": "age: {0}\n    pgp: {pgp}",
    "pgp-in-groups": "pgp: '{spaced}'",
    "pgp-in-small-letters": "pgp: '{small}'",
    "a-key-twice": "age: '{0},{0}'",
    "groups": "key_groups: [{{age: ['{0}']}}, {{age: ['{1}', '{2}'], pgp: ['{pgp}']}}]",
    "one-group": "key_groups: [{{age: ['{0}', '{1}']}}]",
    "groups-win": "age: {3}\n    key_groups: [{{age: ['{0}']}}, {{age: ['{1}']}}]",
    "a-threshold": "shamir_threshold: 2\n    key_groups: [{{age: ['{0}']}}, {{age: ['{1}']}}, {{age: ['{2}']}}]",
    "merged": "key_groups: [{{merge: [{{age: ['{0}']}}, {{pgp: ['{pgp}']}}], age: ['{1}']}}, {{age: ['{2}']}}]",
    "anchors": "key_groups: [&one {{age: ['{0}']}}, {{merge: [*one], age: ['{1}']}}]",
}


@pytest.mark.parametrize(
    ("written", "threshold"), [("2", 2), ("'2'", 2), ("x", 0), ("-2", 0), ("[2]", 0), ("'" + "9" * 5000 + "'", 0)]
)
def test_a_threshold_is_a_number(written: str, threshold: int) -> None:
    text = f"creation_rules:\n  - shamir_threshold: {written}\n    key_groups: [{{age: [a]}}, {{age: [b]}}]\n"
    rule = rules_file(text).matching_rule("x")
    assert rule
    assert rule.threshold == threshold


@pytest.fixture(scope="module")
def pgp() -> Iterator[SopsUser]:
    with make_pgp_user() as person:
        yield person


@pytest.mark.parametrize("form", FORMS)
def test_the_keys_of_a_rule_are_those_of_sops(form: str, tmp_path: Path, users: list[SopsUser], pgp: SopsUser) -> None:
    spaced = " ".join(pgp.public[n : n + 4] for n in range(0, 40, 4))
    names = {"pgp": pgp.public, "spaced": spaced, "small": pgp.public.lower()}
    rule = FORMS[form].format(*(user.public for user in users), **names)
    write_files(tmp_path, {**BASE, "organization.yaml": HEAD + "lint: {ET651: 'off'}\n"})
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - path_regex: agents\n    {rule}\n")
    encrypt_file(tmp_path, FILE, CONTENT, user=pgp)
    assert reported(DirectoryTree(tmp_path)) == []
    matched = rules_file((tmp_path / ".sops.yaml").read_text()).matching_rule(FILE)
    assert matched
    text = (tmp_path / FILE).read_text()
    fingerprints = {line.split()[-1] for line in text.splitlines() if " fp: " in line}
    assert {normalize_public_key(key.value) for key in matched.keys} == {
        normalize_public_key(key) for key in (*read_recipients(tmp_path / FILE), *fingerprints)
    }


FILE = "agents/a.secrets.yaml"
CONTENT = "_scope: agents/a\nA: long-enough\n"
BASE = {"environments/production.yaml": "{}\n", "agents/a.yaml": "{}\n"}


def reported(tree: Tree) -> list[str]:
    """Return the position and code of each finding of a tree."""
    diagnostics = [finding.diagnostic for finding in check(tree_request(tree)).findings]
    return [f"{diagnostic.span.path}:{diagnostic.span.line} {diagnostic.code}" for diagnostic in diagnostics]


@pytest.mark.parametrize(
    ("rules", "expected_path"),
    [
        ({".sops.yaml": "X"}, ".sops.yaml"),
        ({"config/.sops.yaml": "X", ".sops.yaml": "broken: ["}, ".sops.yaml"),
        ({"config/.sops.yaml": "O", "config/agents/.sops.yaml": "X"}, "agents/.sops.yaml"),
        ({".sops.yaml": "X"}, "../.sops.yaml"),
        ({"deep/.sops.yaml": "O", ".sops.yaml": "X"}, "../../.sops.yaml"),
    ],
)
def test_the_nearest_file_upwards_counts(
    rules: dict[str, str], expected_path: str, tmp_path: Path, users: list[SopsUser]
) -> None:
    """On disk and at a commit; `X` lacks a reader, `O` is correct but not the nearest."""
    ana, ben = users[:2]
    folder = {"../.sops.yaml": "config", "../../.sops.yaml": "one/config"}.get(expected_path, "config")
    root = "." if rules == {".sops.yaml": "X"} and expected_path == ".sops.yaml" else folder
    declared = people_section(ana=ana, ben=ben) + "secret_readers: [ana, ben]\n"
    organization = HEAD + "lint: {ET651: 'off'}\n" + declared
    write_files(tmp_path / root, {**BASE, "organization.yaml": organization})
    encrypt_file(tmp_path / root, FILE, CONTENT, f"--age={ana.public},{ben.public}")
    prefix = "" if root == "." else f"{folder}/"
    pattern = f"^{prefix}agents/" if expected_path.startswith("../") else r"a\.secrets"
    texts = {
        "X": f"creation_rules:\n  - path_regex: {pattern}\n    age: {ana.public}\n",
        "O": f"creation_rules:\n  - age: {ana.public},{ben.public}\n",
    }
    write_files(tmp_path, {path: texts.get(text, text) for path, text in rules.items()})
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
    expected = [f"{expected_path}:2 ET612"]
    assert reported(DirectoryTree(tmp_path / root)) == expected
    commit = resolve_commit(tmp_path, "HEAD")
    assert reported(RevisionTree(tmp_path, "" if root == "." else root, commit, "HEAD")) == expected


def test_nothing_above_the_repository_counts(tmp_path: Path, users: list[SopsUser]) -> None:
    write_files(tmp_path / "repo", {**BASE, "organization.yaml": HEAD + "lint: {ET651: 'off'}\n"})
    encrypt_file(tmp_path / "repo", FILE, CONTENT, users[0].sops_option)
    (tmp_path / ".sops.yaml").write_text("broken: [")
    _git(tmp_path / "repo", "init", "-q")
    assert reported(DirectoryTree(tmp_path / "repo")) == []


def test_a_link_is_no_rules_file_above(tmp_path: Path, users: list[SopsUser]) -> None:
    write_files(tmp_path / "config", {**BASE, "organization.yaml": HEAD + "lint: {ET651: 'off'}\n"})
    encrypt_file(tmp_path / "config", FILE, CONTENT, users[0].sops_option)
    _git(tmp_path, "init", "-q")
    (tmp_path / ".sops.yaml").symlink_to("/etc/passwd")
    assert reported(DirectoryTree(tmp_path / "config")) == ["../.sops.yaml:1 ET121"]


def test_a_tree_without_secrets_needs_no_rules(tmp_path: Path) -> None:
    write_files(tmp_path, {**BASE, "organization.yaml": HEAD, ".sops.yaml": "broken: ["})
    assert reported(DirectoryTree(tmp_path)) == []


def test_a_broken_file_is_reported_and_does_not_stop_the_run(tmp_path: Path, users: list[SopsUser]) -> None:
    write_files(tmp_path, {**BASE, "organization.yaml": HEAD + "lint: {ET651: 'off'}\n"})
    encrypt_file(tmp_path, FILE, CONTENT, users[0].sops_option)
    (tmp_path / ".sops.yaml").write_text("creation_rules:\n  - age: x\n  - age: [\n")
    outcome = check(tree_request(DirectoryTree(tmp_path)))
    assert [finding.diagnostic.code for finding in outcome.findings] == ["ET101"]
    assert outcome.checked == ("default/a@production",)


@pytest.mark.parametrize("text", ["x: True\n", "mac_only_encrypted: no\n", "n: 0755\n"])
def test_the_types_of_scalars_in_a_rules_file_are_not_checked(text: str, tmp_path: Path, users: list[SopsUser]) -> None:
    write_files(tmp_path, {**BASE, "organization.yaml": HEAD + "lint: {ET651: 'off'}\n"})
    encrypt_file(tmp_path, FILE, CONTENT, users[0].sops_option)
    (tmp_path / ".sops.yaml").write_text(text)
    assert reported(DirectoryTree(tmp_path)) == []


def test_a_tree_in_memory_has_its_rules_too(tmp_path: Path, users: list[SopsUser]) -> None:
    text = encrypt_file(tmp_path, FILE, CONTENT, users[0].sops_option).read_text()
    files = {
        **BASE,
        "organization.yaml": HEAD,
        FILE: text,
        ".sops.yaml": f"creation_rules: [{{age: {users[1].public}}}]\n",
    }
    assert set(check_tree(files).codes) == {"ET651", "ET653"}


def test_an_allowance_in_a_rules_file(tmp_path: Path, users: list[SopsUser]) -> None:
    text = encrypt_file(tmp_path, FILE, CONTENT, users[0].sops_option).read_text()
    rule = f"  - age: {users[0].public}\n    mac_only_encrypted: true"
    files = {**BASE, "organization.yaml": HEAD + "lint: {ET651: 'off'}\n", FILE: text}
    assert set(check_tree({**files, ".sops.yaml": f"creation_rules:\n{rule}\n"}).codes) == {"ET654"}
    allowed = f"creation_rules:\n{rule}  # envtree: allow ET654: for another program\n"
    assert check_tree({**files, ".sops.yaml": allowed}).codes == []


def test_the_governing_file() -> None:
    files = tuple(rules_file("{}", path) for path in (".sops.yaml", "a/b/.sops.yaml"))
    above = rules_file("{}", "../.sops.yaml", "config/")
    assert find_governing_config(files, "a/b/c") == files[1]
    assert find_governing_config(files, "a/bc/d") == files[0]
    assert find_governing_config((above, files[1]), "a/x") == above
    assert find_governing_config((), "a") is None
    assert above.relative_path("a/x") == "config/a/x"
    assert files[1].relative_path("a/b/c/d") == "c/d"


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_reports_name_a_file_above_the_tree_from_the_root_of_the_repository(
    tmp_path: Path, users: list[SopsUser], capfd: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path / "one/config", {**BASE, "organization.yaml": HEAD + "lint: {ET651: 'off'}\n"})
    encrypt_file(tmp_path / "one/config", FILE, CONTENT, users[0].sops_option)
    write_files(
        tmp_path, {".sops.yaml": f"creation_rules:\n  - age: {users[0].public}\n    mac_only_encrypted: true\n"}
    )
    _git(tmp_path, "init", "-q")
    for form, expected in (
        ("text", "../../.sops.yaml:3:25: warning ET654"),
        ("github", "file=.sops.yaml,line=3"),
        ("gitlab", '"path": ".sops.yaml"'),
        ("sarif", '"uri": ".sops.yaml"'),
        ("junit", 'name=".sops.yaml"'),
    ):
        assert invoke(["-C", str(tmp_path / "one/config"), "check", "--output-format", form]) == 0
        assert expected in capfd.readouterr().out, form
