"""Formats over whole trees: values that do not fit, size limits, names, and secrets that must not appear."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from envtree.engine.publish import CompilePlan, Destinations, publish
from envtree.model.artifact import Output, SecretsMode
from envtree.model.formats import FORMATS, STDOUT_FORMATS, WHOLE_TREE_FORMATS
from envtree.model.output_settings import KubernetesSettings, OutputSettings, SecretStore
from envtree.output.emit import FormatProblem, FormatResult, Writers, write_formats
from envtree.output.emit.formats import DIALECTS
from tests.support import env_readers
from tests.support.command_line import BOT, ORGANIZATION, RunCommand, write_files
from tests.support.trees import ID, CheckResult, check, layers, make_request, run

CANARY = "c4nary\n'\"$x` \\é"
SECRETS = {"token": CANARY, "port": 5432, "map": {"a": CANARY}}
ALL = tuple(DIALECTS)


def format_result(
    result: CheckResult, formats: tuple[str, ...], mode: SecretsMode | None = "plain", **settings: Any
) -> FormatResult:
    return write_formats(result.bundles[ID], mode, Writers(formats, OutputSettings(**settings)))


def problems(
    result: CheckResult, *formats: str, mode: SecretsMode | None = "plain", **settings: Any
) -> tuple[FormatProblem, ...]:
    written = format_result(result, formats, mode, **settings)
    assert not any(problem.code in ("ET803", "ET811") for problem in written.problems) or written.files == ()
    return written.problems


def section(**texts: str) -> str:
    return "{env_vars: " + json.dumps(texts) + "}"


# Values that do not fit.


def test_what_a_format_cannot_write_is_an_error_at_its_place() -> None:
    text = section(GREETING="Hello\nworld")
    result = run("", "", "", text, organization="output: {formats: [compose, docker, portable, bash]}")
    finding = result.only_finding()
    assert finding.code == "ET803"
    assert finding.message == (
        "'GREETING' cannot be written in format 'docker': its value has a line break; "
        "in format 'portable': its value has a blank, a quote, or a sign such as '#' or '$'"
    )
    assert finding.hint == "'compose', 'bash' and 'systemd' can hold it"
    assert str(finding.span).startswith("projects/p/teams/t/agents/a.yaml:2:")


def test_formats_with_the_same_reason_are_reported_together() -> None:
    (problem,) = problems(run(section(A="x\n")), "docker", "gitlab")
    assert problem.message == "'A' cannot be written in formats 'docker' and 'gitlab': its value has a line break"


def test_only_requested_formats_are_checked() -> None:
    assert run(section(A="x\ny")).codes == []
    assert run(section(A="x\ny"), organization="output: {formats: [bundle]}").codes == []


@pytest.mark.parametrize("format", ALL)
def test_a_nul_is_refused_by_all_and_not_shown(format: str) -> None:
    result = run("{secrets: [token]}", secrets={0: {"token": "canary\0"}})
    (problem,) = problems(result, format)
    assert (problem.path, problem.code) == (("env_vars", "token"), "ET803")
    assert problem.message == "'token' holds a character that no environment can carry"


def test_a_secret_that_does_not_fit_is_named_and_not_shown() -> None:
    result = run("{secrets: [token]}", secrets={0: SECRETS})
    for format in ALL:
        for problem in problems(result, format):
            assert "'token'" in problem.message
            assert "c4nary" not in problem.message + problem.hint


def test_what_needs_a_key_to_be_tried_is_not_checked() -> None:
    files = layers("{secrets: [token]}", organization="output: {formats: [docker]}", secrets={0: SECRETS})
    result = check(files)
    assert (result.codes, result.not_checked) == ([], ["ET803 env_vars.token"])
    quiet = layers("{secrets: [token]}", organization="output: {formats: [docker], secrets: ref}", secrets={0: SECRETS})
    assert check(quiet).not_checked == []
    assert check(layers("{secrets: [token]}", secrets={0: SECRETS})).not_checked == []


def test_nothing_is_written_and_all_bundles_are_told_of(envtree: RunCommand, tree: Path) -> None:
    text = 'execution_environment:\n  env_vars: {A: "x\\n${{ agent.name }}"}\n'
    (tree / BOT).write_text(text)
    (tree / "projects/shop/agents/clerk.yaml").write_text(f"targets: [production]\n{text}")
    ran = envtree("compile", "--secrets", "ref", "--format", "docker", "-o", str(tree / "out"))
    assert ran.code == 1
    assert ran.err.count("error ET803") == 2
    assert ran.err.endswith("wrote nothing: 2 errors\n")
    assert not (tree / "out").exists()
    assert envtree("compile", "--secrets", "ref", "--format", "bash", "-o", str(tree / "out")).code == 0


def test_show_says_why_a_format_does_not_fit(envtree: RunCommand, tree: Path) -> None:
    (tree / BOT).write_text('execution_environment:\n  env_vars: {A: "x\\ny"}\n')
    ran = envtree("show", "shop/cart/bot@production", "--format", "docker")
    assert (ran.code, ran.out) == (1, "")
    assert "'A' cannot be written in format 'docker'" in ran.err


# Size limits.


@pytest.mark.parametrize(("length", "starts"), [(131_071, True), (131_072, False)])
def test_the_longest_variable_is_the_one_that_linux_takes(length: int, starts: bool) -> None:
    size = length - len("V=")
    try:
        subprocess.run([sys.executable, "-c", ""], env={"V": "x" * size}, check=True)
        assert starts
    except OSError:
        assert not starts
    # A text in a file has at most 64 Ki characters, but some take two bytes.
    text = "é" * (size // 2) + "x" * (size % 2)
    result = run("{env_vars: {V: '" + text + "'}}")
    assert [problem.code for problem in problems(result, "compose")] == ([] if starts else ["ET809"])


def test_a_variable_that_is_too_long_is_an_error_where_a_process_is_started() -> None:
    result = run("{env_vars: {V: '" + "é" * 65_536 + "'}}")
    (problem,) = problems(result, "compose", "docker", "node")
    assert (problem.code, problem.path) == ("ET803", ("env_vars", "V"))
    (problem,) = problems(result, "compose", "bash", "node")
    assert (problem.code, problem.path) == ("ET809", ("env_vars", "V"))
    assert problem.message == (
        "'V' is too long for formats 'compose' and 'bash': with its name it has 131074 bytes, "
        "and Linux starts no process with more than 131071"
    )
    assert [problem.code for problem in problems(result, "node", "k8s")] == ["ET850"]
    assert problems(result, "json-env", "yaml") == ()


# The codes for a variable that is too long for a process: an error if the reader starts one, a warning if it may, none
# if it only stores a file; two formats do not allow a line of such a length.
LONG = {"docker": "ET803", "portable": "ET803"} | dict.fromkeys(("compose", "bash", "systemd", "github-env"), "ET809")
LONG |= dict.fromkeys(("python-dotenv", "node", "npm-dotenv", "k8s"), "ET850") | {"gitlab": "ET809 ET850"}


def test_codes_of_each_format_for_a_variable_that_is_too_long() -> None:
    result = run("{env_vars: {V: '" + "é" * 65_536 + "'}}")
    codes = {format: " ".join(sorted(problem.code for problem in problems(result, format))) for format in DIALECTS}
    assert codes == {**dict.fromkeys(DIALECTS, ""), **LONG}


def test_too_many_variables_for_a_process() -> None:
    # A file has at most 1 MiB, so the variables are in three files.
    layers_of_texts = [{f"V{n}": "x" * 60_000 for n in range(start, start + 12)} for start in (10, 22, 34)]
    result = run(*(section(**texts) for texts in layers_of_texts))
    (problem,) = problems(result, "compose")
    assert (problem.code, problem.path) == ("ET850", ())
    assert problem.message == (
        "the variables are too long together for format 'compose': they have 2160468 bytes, "
        "and Linux as it is installed starts no process with more than 2097152"
    )
    certain, possible = sorted(problems(result, "k8s"))
    assert (certain.code, possible.code) == ("ET809", "ET850")
    assert certain.message == "'env.k8s.yaml' puts 2160000 bytes into a ConfigMap, and Kubernetes takes 1048576"


def test_gitlab_takes_few() -> None:
    result = run(section(**{f"V{n}": "x" * 300 for n in range(21)}), organization="output: {formats: [gitlab]}")
    finding = result.only_finding()
    assert finding.code == "ET850"
    assert finding.message == (
        "'env.gitlab' has 6395 bytes, and GitLab takes less than 5120; "
        "'env.gitlab' has 21 variables, and GitLab takes 20 (on gitlab.com 50 or more)"
    )
    assert str(finding.span) == "projects/p/teams/t/agents/a.yaml:1:1"
    assert problems(run(section(**{f"V{n}": "x" for n in range(20)})), "gitlab") == ()


def test_size_limits_of_all_formats_are_reported() -> None:
    result = run(section(**{f"V{n}": "x" * 60_000 for n in range(9)}))
    (problem,) = problems(result, "k8s", "gitlab", "github-output", "yaml")
    assert [part.split()[0] for part in problem.message.split("; ")] == ["'env.k8s.yaml'", "'env.gitlab'", "the"]


def test_kubectl_apply_keeps_a_copy() -> None:
    result = run(section(**{f"V{n}": "x" * 60_000 for n in range(5)}))
    (problem,) = problems(result, "k8s")
    assert problem.code == "ET850"
    assert "puts 300000 bytes into a ConfigMap, and 'kubectl apply' takes 262144" in problem.message
    (problem,) = problems(run(section(**{f"V{n}": "x" * 60_000 for n in range(9)})), "github-output")
    assert "have 1080000 bytes, and the outputs of a job may have 1048576" in problem.message


# Kubernetes.


def objects(result: CheckResult, mode: SecretsMode | None = "plain", **kubernetes: Any) -> list[dict[str, Any]]:
    written = format_result(result, ("k8s",), mode, kubernetes=KubernetesSettings(**kubernetes))
    assert [problem for problem in written.problems if problem.code != "ET803"] == []
    return [*yaml.safe_load_all(written.files[0][1])] if written.files else []


def test_secrets_are_in_an_object_of_their_own() -> None:
    result = run("{env_vars: {A: '1'}, secrets: [token]}", secrets={0: SECRETS})
    config, secret = objects(result)
    assert (config["kind"], config["data"]) == ("ConfigMap", {"A": "1"})
    assert (secret["kind"], secret["type"]) == ("Secret", "Opaque")
    assert {name: base64.b64decode(encoded).decode() for name, encoded in secret["data"].items()} == {"token": CANARY}
    assert config["metadata"] == secret["metadata"]
    assert config["metadata"]["name"] == "p.t.a.production"
    (config,) = objects(result, "ref")
    assert config["metadata"]["annotations"] == {"envtree/id": ID, "envtree/left-out": "token"}


def test_an_external_secret_fetches_the_secrets_from_a_store() -> None:
    result = run("{env_vars: {A: '1'}, secrets: {T: token, P: map.a}}", secrets={0: SECRETS})
    store = SecretStore("vault", "ClusterSecretStore")
    for mode in ("ref", "seal"):
        config, external = objects(result, mode, secret_store=store)
        assert "envtree/left-out" not in config["metadata"]["annotations"]
        assert external["apiVersion"] == "external-secrets.io/v1"
        assert external["spec"] == {
            "refreshInterval": "1h",
            "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
            "data": [
                {"secretKey": "P", "remoteRef": {"key": "organization.secrets.yaml", "property": "map.a"}},
                {"secretKey": "T", "remoteRef": {"key": "organization.secrets.yaml", "property": "token"}},
            ],
        }
    assert [resource["kind"] for resource in objects(result, "plain", secret_store=store)] == ["ConfigMap", "Secret"]


def test_what_is_computed_from_secrets_cannot_be_fetched() -> None:
    result = run("{env_vars: {URL: 'x:${{ secrets.token }}'}}", secrets={0: SECRETS})
    store = KubernetesSettings(secret_store=SecretStore("vault", "SecretStore"))
    (problem,) = problems(result, "k8s", mode="ref", kubernetes=store)
    assert (problem.path, problem.code) == (("env_vars", "URL"), "ET803")
    assert problem.message == (
        "'URL' cannot be written in format 'k8s': it is computed from secrets, and an ExternalSecret only fetches them"
    )
    assert problems(result, "k8s", mode="plain", kubernetes=store) == problems(result, "k8s", mode="ref") == ()


@pytest.mark.parametrize(
    ("agent", "pattern", "name"),
    [
        ("a", "{agent}", "a"),
        ("a", "{agent}-{environment}", "a-production"),
        ("a", "x.{team}.{agent}", "x.t.a"),
        ("a_b", "{agent}", "a-b-"),
        ("a-", "{agent}", "a-"),
        ("a-", "{agent}.x", "a.x-"),
        ("a-", "x-.{agent}", "x.a-"),
        ("a", "{agent}.", "a-"),
        ("a", "-{agent}", "a-"),
    ],
)
def test_names_are_what_kubernetes_takes(agent: str, pattern: str, name: str) -> None:
    files = layers()
    files[f"projects/p/teams/t/agents/{agent}.yaml"] = files.pop("projects/p/teams/t/agents/a.yaml")
    (bundle,) = check(files).bundles.values()
    written = write_formats(
        bundle, "plain", Writers(("k8s",), OutputSettings(kubernetes=KubernetesSettings(name_pattern=pattern)))
    )
    metadata = yaml.safe_load(written.files[0][1])["metadata"]
    assert metadata["name"] == name or metadata["name"].startswith(name)
    # The pattern that Kubernetes itself uses for the names of objects.
    assert env_readers.OBJECT_NAME.fullmatch(metadata["name"])
    assert all(env_readers.LABEL_VALUE.fullmatch(value) for value in metadata["labels"].values())


def test_names_that_look_alike_after_the_change_are_told_apart() -> None:
    files = layers()
    files["projects/p/teams/t/agents/a_b.yaml"] = files["projects/p/teams/t/agents/a-b.yaml"] = "{}"
    settings = OutputSettings(kubernetes=KubernetesSettings(name_pattern="{agent}"))
    bundles = check(files).bundles.values()
    names = [
        yaml.safe_load(write_formats(bundle, "plain", Writers(("k8s",), settings)).files[0][1])["metadata"]["name"]
        for bundle in bundles
    ]
    assert len({*names}) == 3


@pytest.mark.parametrize(
    ("pattern", "suffix"),
    [
        ("{team}", False),
        ("{project}.{agent}.{environment}.{agent}", False),
        ("{project}{agent}.{agent}.x{agent}", True),
    ],
)
def test_names_of_any_length_are_what_kubernetes_takes(pattern: str, suffix: bool) -> None:
    for length in (1, 62, 63):
        files = layers()
        del files["projects/p/teams/t/agents/a.yaml"]
        files[f"projects/p/agents/{'a' * length}.yaml"] = "{}"
        (bundle,) = check(files).bundles.values()
        settings = OutputSettings(kubernetes=KubernetesSettings(name_pattern=pattern, hash_suffix=suffix))
        written = write_formats(bundle, "plain", Writers(("k8s",), settings))
        assert env_readers.OBJECT_NAME.fullmatch(yaml.safe_load(written.files[0][1])["metadata"]["name"])


def test_an_agent_without_a_team_has_no_empty_part_in_its_name() -> None:
    files = layers()
    del files["projects/p/teams/t/agents/a.yaml"]
    files["projects/p/agents/solo.yaml"] = "{}"
    (bundle,) = check(files).bundles.values()
    written = write_formats(bundle, "plain", Writers(("k8s",)))
    assert yaml.safe_load(written.files[0][1])["metadata"]["name"] == "p.solo.production"


def test_a_hash_in_the_name_changes_with_what_is_in_the_object() -> None:
    def object_names(value: str, secret: str, mode: SecretsMode = "plain") -> list[str]:
        section = "{env_vars: {A: '" + value + "'}, secrets: [token]}"
        store = SecretStore("vault", "SecretStore")
        result = run(section, secrets={0: {"token": secret}})
        return [
            resource["metadata"]["name"] for resource in objects(result, mode, hash_suffix=True, secret_store=store)
        ]

    config, secret = object_names("1", "one")
    assert object_names("1", "one") == [config, secret]
    assert object_names("2", "one")[0] != config
    assert object_names("2", "one")[1] == secret
    assert object_names("1", "two")[0] == config
    assert object_names("1", "two")[1] != secret
    # The hash is that of the ciphertext: it does not help to guess the secret, and needs no key.
    assert object_names("1", "one", "ref") == [config, secret]


# Secrets that must not appear.


def encodings() -> Iterator[str]:
    """Yield the encodings in which a careless writer would show the canary."""
    encoded = CANARY.encode()
    yield from ("c4nary", base64.b64encode(encoded).decode(), encoded.hex(), quote(CANARY), json.dumps(CANARY)[1:-1])


TEMPLATE = "{% for name, value in env_vars | items %}{{ name }}{% endfor %}{{ config.plain }}"
HIDING = (
    "{env_vars: {A: '1', URL: 'x${{ secrets.token }}'}, secrets: {TOKEN: token}, "
    "config: {plain: p, deep: {list: [a, '${{ secrets.token }}'], map: '${{ secrets.map }}'}}, "
    "endpoints: {api: 'https://${{ secrets.token | urlencode }}.example/'}, "
    "mcp_servers: {m: {command: x, env: {T: '${{ secrets.token }}'}}}}"
)


@pytest.mark.parametrize("mode", ["ref", "seal"])
def test_t64_no_format_shows_a_secret_where_none_is_to_be_shown(mode: SecretsMode, tmp_path: Path) -> None:
    organization = 'output: {env: {config: CFG_, endpoints: "{name}_URL"}, templates: {t.txt: t.j2}}'
    files = layers(HIDING, organization=organization, secrets={0: SECRETS}) | {"t.j2": TEMPLATE}
    output = Output(tmp_path / "out", tmp_path, mode, 2026, {}, lambda _: True)
    request = make_request(files, {"organization": SECRETS}, require_inputs=True)
    outcome = publish(CompilePlan(request, Destinations(output), frozenset({*ALL, *WHOLE_TREE_FORMATS, "template"})))
    assert [finding for finding in outcome.findings if finding.severity == "error"] == []
    written_files = {path.name: path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written_files.keys() >= {name for format in FORMATS for name in format.files} | {"t.txt"}
    for name, text in written_files.items():
        assert not [encoded for encoded in encodings() if encoded in text], name
    assert written_files["t.txt"].endswith("p")


def test_t64_files_of_the_whole_tree_have_no_secret(tmp_path: Path) -> None:
    organization = 'output: {env: {config: CFG_, endpoints: "{name}_URL"}}'
    files = layers(HIDING, organization=organization, secrets={0: SECRETS})
    output = Output(tmp_path / "out", tmp_path, "plain", 2026, {}, lambda _: True)
    request = make_request(files, {"organization": SECRETS}, require_inputs=True)
    assert publish(CompilePlan(request, Destinations(output), WHOLE_TREE_FORMATS)).manifest
    texts = [path.read_text() for path in (tmp_path / "out/control-plane").iterdir()]
    assert len(texts) == len(WHOLE_TREE_FORMATS)
    assert not [encoded for text in texts for encoded in encodings() if encoded in text]


def test_t64_no_form_of_show_has_a_secret(envtree: RunCommand, tree: Path) -> None:
    result = check(layers(HIDING, secrets={0: SECRETS}))
    for format in STDOUT_FORMATS:
        patterns = {"config": "CFG_", "endpoints": "{name}_URL"}
        for _, data in format_result(result, (format,), None, env_patterns=patterns).files:
            assert not [encoded for encoded in encodings() if encoded in data.decode()], format
    assert envtree("show", "shop/cart/bot@production", "--format", "template").code == 2


def test_in_plain_output_only_secret_objects_have_secrets() -> None:
    result = run("{env_vars: {A: '1', URL: 'x${{ secrets.port }}'}, secrets: [token]}", secrets={0: SECRETS})
    config, secret = objects(result)
    assert config["data"] == {"A": "1"}
    assert secret["data"].keys() == {"URL", "token"}
    files = dict(format_result(result, ("github-env",)).files)
    assert "::add-mask::x5432\n" in files["env.github-mask"].decode()
    assert "::add-mask::1\n" not in files["env.github-mask"].decode()


def test_plain_files_are_closed_whatever_their_format(tmp_path: Path) -> None:
    files = layers("{env_vars: {A: '1'}, secrets: {T: port}}", secrets={0: SECRETS})
    output = Output(tmp_path / "out", tmp_path, "plain", 2026, {}, lambda _: True)
    request = make_request(files, {"organization": SECRETS}, require_inputs=True)
    publish(CompilePlan(request, Destinations(output), frozenset(ALL)))
    bits = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("env.*")}
    assert len(bits) >= len(ALL) - 1
    assert {*bits.values()} == {0o600}


# The choice of formats.


def test_formats_are_those_of_the_command_line_or_else_of_the_organization(envtree: RunCommand, tree: Path) -> None:
    (tree / "organization.yaml").write_text(f"{ORGANIZATION}output: {{formats: [docker, k8s]}}\n")
    home = tree / "out/production/shop/cart/bot"

    def names(*options: str) -> set[str]:
        assert envtree("compile", "--secrets", "ref", "-o", str(tree / "out"), *options).code == 0
        return {path.name for path in home.iterdir()}

    assert names() == {"bundle.json", "env.docker", "env.k8s.yaml"}
    assert names("--format", "bundle") == {"bundle.json"}
    assert names("--format", "yaml", "--format", "github-env") == {
        *("bundle.json", "env.yaml", "env.github-env", "env.github-mask"),
    }
    before = (home / "bundle.json").read_bytes()
    ran = envtree("compile", "--secrets", "ref", "-o", str(tree / "out"), "--check", "--format", "yaml")
    assert ran.out.splitlines().count("production/shop/cart/bot/env.github-env") == 1
    assert names("--format", "compose") == {"bundle.json", ".env"}
    assert (home / "bundle.json").read_bytes() == before


def test_the_same_tree_gives_the_same_bytes_in_all_formats() -> None:
    text = section(**{f"V{n}": value for n, value in enumerate(["x", "y\n", "'", "$"])})
    first, second = (format_result(run(text), ("github-env", "k8s", "bash", "yaml")).files for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [
        (
            "name: '{project}'",
            [("p", "put {agent} into it", ("p/a@production", "p/a@staging", "p/b@production", "p/b@staging"))],
        ),
        ("name: '{agent}'", []),
        ("name: '{agent}', hash_suffix: true", []),
        ("name: 'x-{environment}'", [("x-production", "put {agent} into it", ("p/a@production", "p/b@production")),
                                     ("x-staging", "put {agent} into it", ("p/a@staging", "p/b@staging"))]),
        ("namespace: n", []),
    ],
)  # fmt: skip
def test_objects_with_the_same_name_are_reported(
    kubernetes: str, expected: list[tuple[str, str, tuple[str, ...]]], tree: Path, envtree: RunCommand
) -> None:
    organization = f"output: {{formats: [k8s], kubernetes: {{{kubernetes}}}}}\n"
    shutil.rmtree(tree / "projects")
    environments = {f"environments/{name}.yaml": "type: production\n" for name in ("production", "staging")}
    agents = {f"projects/p/agents/{name}.yaml": "model_id: m\n" for name in "ab"}
    write_files(tree, {"organization.yaml": ORGANIZATION + organization, "projects/p/project.yaml": "key: PP\n"})
    write_files(tree, environments | agents)
    findings = json.loads(envtree("check", "--output-format", "json").out)["findings"]
    clashes = [finding for finding in findings if finding["code"] == "ET851"]
    assert [(clash["message"].split("'")[1], clash["hint"], tuple(clash["bundles"])) for clash in clashes] == expected
    # Formats that are not written are not compared; selected bundles are compared with all of them.
    write_files(tree, {"organization.yaml": ORGANIZATION + organization.replace("[k8s]", "[docker]")})
    assert "ET851" not in envtree("check").out
    ran = envtree(
        "compile",
        "p/a@staging",
        "--secrets",
        "ref",
        "--format",
        "k8s",
        "--output-format",
        "json",
        "-o",
        str(tree.parent / "o"),
    )
    clashes = [finding for finding in json.loads(ran.out)["findings"] if finding["code"] == "ET851"]
    assert [clash["bundles"] for clash in clashes] == ([["p/a@staging"]] if expected else [])
