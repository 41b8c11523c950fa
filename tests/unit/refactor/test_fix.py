"""`check --fix`: the corrections, byte for byte, and the text that stays unchanged."""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envtree.cli.support.session import tree_request
from envtree.engine.check import check
from envtree.frontend import read_files
from envtree.frontend.schemas import Schemas
from envtree.model.source import Kind
from envtree.refactor import fix as fix_package
from envtree.refactor.fix import FileEdit, FileRename, FixResult, fix, plan_changes, render_diff
from envtree.refactor.fix.keys import is_one_edit_apart
from envtree.sources.tree import DirectoryTree
from tests.support.rounds import rounds
from tests.support.trees import MemoryTree, sealed_files

EXAMPLES = Path(__file__).parents[3] / "examples"
AGENT = "agents/a.yaml"
ORGANIZATION = b"name: acme\nedition: 2026\ndefault_model: m/m\n"
BASE = {"organization.yaml": ORGANIZATION, "environments/production.yaml": b"{}\n", AGENT: b"description: a\n"}
EXPORTED = {f".envtree/schema/{kind}.schema.json": b"{}" for kind in Kind if kind is not Kind.SECRETS}
SCHEMAS = Schemas()

Files = dict[str, bytes]


@pytest.fixture(autouse=True, scope="module")
def _compiled_once() -> Iterator[None]:
    with (
        mock.patch.object(read_files, "Schemas", return_value=SCHEMAS),
        mock.patch.object(fix_package, "Schemas", return_value=SCHEMAS),
    ):
        yield


def fix_files(files: Files) -> tuple[Files, FixResult]:
    """Return the corrected tree and the result; a second run must not change the tree again."""
    result = fix(tree_request(MemoryTree(files)))
    fixed_files = _apply_changes(files, result)
    second_result = fix(tree_request(MemoryTree(fixed_files)))
    assert (second_result.changes, second_result.fixed_count) == ((), 0)
    assert second_result.outcome.findings == result.outcome.findings
    return fixed_files, result


def _apply_changes(files: Files, result: FixResult) -> Files:
    changed = dict(files)
    for change in result.changes:
        if isinstance(change, FileEdit):
            assert changed[change.path] == change.before
            changed[change.path] = change.after
        else:
            assert change.new_path not in changed
            changed[change.new_path] = changed.pop(change.path)
    return changed


def fix_text(text: bytes, path: str = AGENT, **others: bytes) -> bytes:
    return fix_files({**BASE, path: text, **others})[0][path]


def finding_codes(files: Files) -> list[str]:
    return [finding.diagnostic.code for finding in check(tree_request(MemoryTree(files))).findings]


def variables(flow: bytes) -> bytes:
    return b"execution_environment: {env_vars: " + flow + b"}\n"


def config(flow: bytes) -> bytes:
    return b"execution_environment: {config: " + flow + b"}\n"


QUOTED = {
    "a word": (variables(b"{A: no}"), variables(b'{A: "no"}')),
    "a time": (config(b"{a: 12:30}"), config(b'{a: "12:30"}')),
    "a quote in it": (config(b'{a: 2026-11-24 1:00:00 "\\}'), config(b'{a: "2026-11-24 1:00:00 \\"\\\\"}')),
    "a list": (config(b"{a: [yes,0755 , off]}"), config(b'{a: ["yes","0755" , "off"]}')),
    "a key": (config(b"{on: 1, ? y : 2}"), config(b'{"on": 1, ? "y" : 2}')),
    "an anchor": (config(b"{a: &x no, b: *x}"), config(b'{a: &x "no", b: *x}')),
    "an anchor above": (b"description: &x  # no\n  yes # yes\n", b'description: &x  # no\n  "yes" # yes\n'),
    "the ends of lines": (
        "# öff\r\nexecution_environment:\r\n\r\n  config:\r\n    '😀': { ü: no }   # no\r\n".encode(),
        "# öff\r\nexecution_environment:\r\n\r\n  config:\r\n    '😀': { ü: \"no\" }   # no\r\n".encode(),
    ),
    "no line at the end": (b"description: on", b'description: "on"'),
    "a block list": (b"targets:\n- production\ndescription: no\n", b'targets:\n- production\ndescription: "no"\n'),
    "a second line": (b"description: 2026-11-24\n  10:00:00\n", b"description: 2026-11-24\n  10:00:00\n"),
    "a variable": (variables(b"{A: True, B: .5, C: 0x1F}"), variables(b'{A: "True", B: ".5", C: "0x1F"}')),
    "a variable of an overlay": (
        b"environments: {production: {" + variables(b"{A: TRUE}").strip() + b"}}\n",
        b"environments: {production: {" + variables(b'{A: "TRUE"}').strip() + b"}}\n",
    ),
    "a variable in a directive": (variables(b"{A: {$value: +1}}"), variables(b'{A: {$value: "+1"}}')),
    "a variable that is infinite": (variables(b"{A: .inf}"), variables(b'{A: ".inf"}')),
    "a field that is text": (b"description: False\n", b'description: "False"\n'),
    "a number where text belongs": (b"model_id: 0o17\n", b'model_id: "0o17"\n'),
    "a key that may be a boolean": (config(b"{True: 1}"), config(b'{"True": 1}')),
}  # fmt: skip

UNCHANGED = {
    "what was meant is not known": config(b"{a: True, b: [.5, .inf, 0x1F, -.nan], c: 1.}"),
    "a switch": b"execution_environment: {feature_flags: {a: False}}\n",
    "null": variables(b"{A: ~, B: Null}"),
    "null as a field": b"description: NULL\n",
    "null as a key": config(b"{~: 1}"),
    "one anchor for a text and for a value": b"execution_environment: {env_vars: {A: &x True}, config: {a: *x}}\n",
    "a number where a list belongs": b"targets: 0755\n",
    "a directive that is not on": variables(b"{A: {$delete: True}}"),
    "a tag": config(b"{a: !!str no}"),
    "a number that is too long": config(b"{a: 123456789012345678901234567890}"),
    "more digits than a number has": config(b"{a: +" + b"1" * 5000 + b"}"),
}


@pytest.mark.parametrize(("before", "after"), QUOTED.values(), ids=QUOTED)
def test_an_ambiguous_text_gets_quotes(before: bytes, after: bytes) -> None:
    assert fix_text(before) == after


@pytest.mark.parametrize("text", UNCHANGED.values(), ids=UNCHANGED)
def test_what_may_be_meant_otherwise_is_left(text: bytes) -> None:
    assert fix_text(text) == text


def test_a_text_where_a_switch_belongs_gets_no_quotes() -> None:
    path, text = "environments/base.yaml", b"abstract: yes\n"
    assert fix_text(text, path) == text
    assert fix_text(b"abstract: True\n", path) == b"abstract: True\n"


def test_quotes_that_bring_other_findings_to_light_are_written() -> None:
    contract = ORGANIZATION + b"variables: {B: {required: true}}\n"
    fixed_files, result = fix_files({**BASE, "organization.yaml": contract, AGENT: variables(b"{A: True}")})
    assert fixed_files[AGENT] == variables(b'{A: "True"}')
    assert [finding.diagnostic.code for finding in result.outcome.findings] == ["ET702"]
    assert result.fixed_count == 1


def test_a_code_that_is_off_is_nothing_to_fix() -> None:
    off = ORGANIZATION + b"lint: {ET150: 'off'}\n"
    files = {**BASE, "organization.yaml": off, AGENT: variables(b"{A: no}")}
    assert fix_files(files)[1].changes == ()


CORRECTED_KEYS = {
    "a letter less": (b"descripton: a\n", b"description: a\n"),
    "a letter more": (b"descriptionn: a  # descriptionn\n", b"description: a  # descriptionn\n"),
    "another letter": (b'"descriptiom" : a\r\n', b'"description" : a\r\n'),
    "two letters that changed places": (b"{'modle_id': m/m}", b"{'model_id': m/m}"),
    "a key with an anchor": (b"&x modelid: m/m\n", b"&x model_id: m/m\n"),
    "a key below": (b"execution_environment:\n  env_var: {A: x}\n", b"execution_environment:\n  env_vars: {A: x}\n"),
    "a required key": (ORGANIZATION.replace(b"edition", b"editoin"), ORGANIZATION),
    "two keys and a value": (b"descripton: on\nmodl_id: m", b'description: "on"\nmodel_id: m'),
}  # fmt: skip

UNCHANGED_KEYS = {
    "two slips": b"decripton: a\n",
    "a key that is there already": b"description: a\ndescripton: b\n",
    "two keys for one": b"descripton: a\ndescriptio: b\n",
    "a value of another type": b"descripton: [a]\n",
    "a key of another map": b"env_vars: {A: x}\n",
    "a key of the control plane": b"agents: {}\n",
    "a key that is merged": b"<<: {description: a}\ndescripton: b\n",
    "a free map": config(b"{descripton: a}"),
    "an escape": b'"descript\\u006fn": a\n',
    "an encrypted file": b"descripton: a\nsops: {mac: x}\n",
    "a file that is not YAML": b"descripton: a\nb: [\n",
    "a file that is not UTF-8": b"descripton: \xff\n",
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), CORRECTED_KEYS.values(), ids=CORRECTED_KEYS)
def test_a_key_with_one_slip_is_corrected(before: bytes, after: bytes) -> None:
    assert fix_text(before, "organization.yaml" if b"acme" in before else AGENT) == after


@pytest.mark.parametrize("text", UNCHANGED_KEYS.values(), ids=UNCHANGED_KEYS)
def test_a_key_that_may_be_another_one_is_left(text: bytes) -> None:
    assert fix_text(text) == text


def test_a_key_in_a_map_that_aliases_repeat_is_left() -> None:
    repeated = b"environments:\n  production: &x {execution_enviroment: {}}\n  staging: *x\n"
    files = {**BASE, "environments/staging.yaml": b"{}\n", AGENT: repeated}
    assert "ET201" in finding_codes(files)
    assert fix_files(files)[0] == files


def test_a_typing_error_that_hides_another_mistake_is_corrected() -> None:
    files = {**BASE, AGENT: b"descripton: a\n" + variables(b"{A: '${{ env_vars.B }}'}")}
    fixed_files, result = fix_files(files)
    assert fixed_files[AGENT].startswith(b"description: a\n")
    assert [finding.diagnostic.code for finding in result.outcome.findings] == ["ET503"]


def test_a_key_whose_value_points_at_nothing_is_left_and_the_other_file_is_not() -> None:
    files = {**BASE, "environments/live.yaml": b"inherts: basis\n", AGENT: b"descripton: no\n"}
    fixed_files, _ = fix_files(files)
    assert fixed_files == {**files, AGENT: b'description: "no"\n'}


def test_one_slip() -> None:
    assert all(
        is_one_edit_apart(a, "name") for a in ("nam", "ame", "nme", "names", "xname", "naame", "nbme", "anme", "naem")
    )
    assert not any(is_one_edit_apart(a, "name") for a in ("name", "na", "enam", "nmae_", "eman", "", "nabc", "aname_"))


def test_yml_becomes_yaml() -> None:
    files = {**BASE, "agents/b.yml": b"description: b\n", "agents/c.YAML": b"{}", "agents/d.Yml": b"descripton: no"}
    fixed_files, result = fix_files(files)
    renamed = {"agents/b.yaml": b"description: b\n", "agents/c.yaml": b"{}", "agents/d.yaml": b'description: "no"'}
    assert fixed_files == BASE | renamed
    assert result.fixed_count == 3
    assert result.outcome.findings == ()


@pytest.mark.parametrize(
    "others",
    [
        {"agents/b.yml": b"{}", "agents/b.yaml": b"{}"},
        {"agents/b.yml": b"{}", "agents/b.YML": b"{}"},
        {"agents/b.yml": b"descrip: b"},
        {"agents/b.yml": b"model_id: ["},
        {"agents/a.secrets.yml": b"A: x\n"},
        {"agents/a.SECRETS.yml": b"A: x\n"},
        {"environments/live.yml": b"inherits: nowhere\n"},
        {"agents/b.yml": variables(b"{A: '${{ env_vars.B }}'}")},
    ],
)
def test_a_name_is_left_if_it_is_taken_or_the_file_is_wrong(others: Files) -> None:
    files = {**BASE, **others}
    assert fix_files(files)[0] == files


def test_one_bad_file_does_not_keep_the_others() -> None:
    good = {f"agents/g{n}.yml": b"description: on\n" for n in range(5)}
    files = {**BASE, **good, "agents/g2b.yml": b"targets: [nowhere]\n", AGENT: b"descripton: a\n"}
    fixed_files, _ = fix_files(files)
    expected = {path.replace(".yml", ".yaml"): b'description: "on"\n' for path in good}
    assert fixed_files == {**BASE, **expected, AGENT: b"description: a\n", "agents/g2b.yml": b"targets: [nowhere]\n"}


# Modelines.


def modeline(path: str) -> bytes:
    return f"# note\n\n# yaml-language-server: $schema={path}  # x\n---\ndescription: a\n".encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("../.envtree/schema/team.schema.json", "../.envtree/schema/agent.schema.json"),
        ("../../.envtree/schema/agent.schema.json", None),
        (".envtree/schema/agent.schema.json", "../.envtree/schema/agent.schema.json"),
        ("../nowhere.json", "../.envtree/schema/agent.schema.json"),
        ("../other/team.schema.json", "../other/agent.schema.json"),
        ("../other/own.schema.json", None),
        ("../.envtree/schema/./agent.schema.json", None),
        ("https://example.com/team.schema.json", None),
        ("/schema/team.schema.json", None),
    ],
)
def test_a_modeline_names_the_schema_of_its_file(before: str, after: str | None) -> None:
    other_schemas = {"other/agent.schema.json": b"{}", "other/team.schema.json": b"{}", "other/own.schema.json": b"{}"}
    fixed_files, result = fix_files({**BASE, **EXPORTED, **other_schemas, AGENT: modeline(before)})
    assert fixed_files[AGENT] == modeline(after or before)
    assert (result.fixed_count, len(result.changes)) == (0, 1 if after else 0)


HEAD = b"yaml-language-server: "
NO_MODELINES = (b"a: 1\n# " + HEAD + b"%s", b"# " + HEAD + b"x", b"#" + HEAD + b"%s", b"  # " + HEAD + b"%s")


@pytest.mark.parametrize("text", NO_MODELINES)
def test_what_is_no_modeline_stays_none(text: bytes) -> None:
    text = text.replace(b"%s", b"$schema=x.json\n")
    assert fix_files({**BASE, **EXPORTED, AGENT: text})[0][AGENT] == text


def test_without_exported_schemas_a_modeline_stays() -> None:
    assert fix_text(modeline("../team.schema.json")) == modeline("../team.schema.json")


def test_an_overlay_has_a_schema_of_its_own() -> None:
    files = {
        **BASE,
        **EXPORTED,
        "projects/p/project.yaml": b"key: PP\n",
        "projects/p/environments/production.yaml": b"# yaml-language-server: $schema=x\n{}\n",
        "projects/p/environments/own.yaml": b"# yaml-language-server: $schema=x\n{}\n",
    }
    del files[AGENT]
    fixed_files, _ = fix_files(files)
    folder = b"# yaml-language-server: $schema=../../../.envtree/schema/"
    assert fixed_files["projects/p/environments/production.yaml"] == folder + b"overlay.schema.json\n{}\n"
    assert fixed_files["projects/p/environments/own.yaml"] == folder + b"environment.schema.json\n{}\n"


# All together.


def test_secrets_are_never_touched() -> None:
    secrets = {path: text.encode() for path, text in sealed_files({"organization": {"a": "no"}}).items()}
    ((path, text),) = secrets.items()
    files = {**BASE, **EXPORTED, path: b"# yaml-language-server: $schema=x\n" + text}
    files["agents/a.secrets.yaml"] = b"a: no\nsopss: {mac: True}\n"
    assert fix_files(files)[0] == files


def test_a_selector_narrows_what_is_told_not_what_is_mended() -> None:
    files = {**BASE, "agents/b.yaml": b"descripton: b\n", AGENT: variables(b"{A: '${{ env_vars.B }}'}")}
    result = fix(tree_request(MemoryTree(files), ("**/b@*",)))
    assert [change.path for change in result.changes] == ["agents/b.yaml"]
    assert result.outcome.findings == ()
    assert result.outcome.checked == ("default/b@production",)


def test_a_plan_is_made_of_findings() -> None:
    files = {**BASE, "agents/b.yml": b"{}", AGENT: b"description: no\n"}
    tree = MemoryTree(files)
    findings = check(tree_request(tree)).findings
    edit = FileEdit(AGENT, b"description: no\n", b'description: "no"\n')
    assert plan_changes(findings, tree, SCHEMAS) == (edit, FileRename("agents/b.yml", "agents/b.yaml"))
    assert plan_changes((), tree, SCHEMAS) == ()


def test_the_diff() -> None:
    files = {"agents/c.yml": b"# ::x\r\n::error:: a: \x1b\r\ndescription: no"}
    edit = FileEdit("agents/c.yml", files["agents/c.yml"], files["agents/c.yml"].replace(b"no", b'"no"'))
    renames = (FileRename("agents/b.yml", "agents/b.yaml"), FileRename("agents/c.yml", "agents/c.yaml"))
    assert render_diff((edit, *renames)) == (
        "diff --git a/agents/c.yml b/agents/c.yaml\nrename from agents/c.yml\nrename to agents/c.yaml\n"
        "--- a/agents/c.yml\n+++ b/agents/c.yaml\n@@ -1,3 +1,3 @@\n # ::x\n \\::error:: a: \\x1b\n"
        '-description: no\n\\ No newline at end of file\n+description: "no"\n\\ No newline at end of file\n'
        "diff --git a/agents/b.yml b/agents/b.yaml\nrename from agents/b.yml\nrename to agents/b.yaml\n"
    )
    assert render_diff(()) == ""


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_the_examples_are_left_as_they_are(example: str) -> None:
    if example != "broken":
        assert fix(tree_request(DirectoryTree(EXAMPLES / example)))[::2] == ((), 0)


# Tokens, and their text after the fix.
WORDS = {
    **{word: f'"{word}"' for word in ("no", "True", "12:30", "0755", "2026-11-24", ".5")},
    **{word: word for word in ("a", "'no'", '"on"', "1", "true", "'${{ agent.name }}'", "!!str no")},
    "&x off": '&x "off"',
}
KEYS = {"A": "A", "'B'": "'B'", '"C"': '"C"', "no": '"no"', "&k y": '&k "y"', "? on\n    ": '? "on"\n    '}
TAILS = ["", " # no: True", "  #\u00fc on"]
ENTRIES = st.tuples(
    st.permutations(list(KEYS)),
    st.lists(st.sampled_from(list(WORDS)), max_size=len(KEYS)),
    st.sampled_from([" ", "  "]),
)


def render_entries(entries: list[tuple[str, str]], gap: str, tail: str, *, flow: bool) -> str:
    if flow:
        return "  env_vars: {" + ", ".join(f"{key}:{gap}{word}" for key, word in entries) + "}" + tail
    return "  env_vars:" + tail + "".join(f"\n    {key}:{gap}{word}{tail}" for key, word in entries)


@settings(max_examples=rounds(gate=30, full=60))
@given(
    ENTRIES,
    st.sampled_from(TAILS),
    st.booleans(),
    st.sampled_from([("\n", "\n"), ("\r\n", "\r\n"), ("\n", "")]),
    st.sampled_from(["description", "descripton", "'discription'"]),
)
def test_only_the_tokens_that_are_named_change(
    entries: tuple[list[str], list[str], str], tail: str, flow: bool, ends: tuple[str, str], key: str
) -> None:
    keys, words, gap = entries
    # An anchor is defined once.
    words = [word for index, word in enumerate(words) if word != "&x off" or index == words.index(word)]
    before = list(zip(keys, words, strict=False))
    after = [(KEYS[key], WORDS[word]) for key, word in before]

    def text(key: str, entries: list[tuple[str, str]]) -> bytes:
        lines = (
            f"# {key}{tail}\n{key} : a{tail}\nexecution_environment:\n{render_entries(entries, gap, tail, flow=flow)}"
        )
        return lines.replace("\n", ends[0]).encode() + ends[1].encode()

    quote = key[0] if key[0] == "'" else ""
    expected = text(key, after).replace(f"{key} :".encode(), f"{quote}description{quote} :".encode())
    assert fix_text(text(key, before)) == expected
