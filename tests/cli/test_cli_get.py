"""`envtree get` and `envtree list`: raw values and ids, for scripts."""

import shutil
from pathlib import Path

import pytest

from tests.support.command_line import BOT, BOT_ID, ERROR, INPUT, RunCommand, write_files

ROOT = Path(__file__).parents[2]
BOT_WITH_ALL = """execution_environment:
  env_vars: {NAME: '${{ agent.name }}', TEXT: "two\\nlines", LOG_LEVEL: {$delete: true}}
  config: {limits: {cpu: 2}, on: true, list: [a, b]}
"""


@pytest.mark.parametrize(
    ("key", "expected"),
    {
        "NAME": "bot\n",
        "env_vars.NAME": "bot\n",
        "TEXT": "two\nlines\n",
        "config.limits.cpu": "2\n",
        "config.on": "true\n",
        "config.list.1": "b\n",
        "config.limits": '{\n  "cpu": 2\n}\n',
        "model_id": "m/m\n",
    }.items(),
)
def test_get_prints_the_value_raw(key: str, expected: str, tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: BOT_WITH_ALL})
    assert envtree("get", BOT_ID, key) == (0, expected, "")


@pytest.mark.parametrize(
    ("files", "arguments", "code", "words"),
    [
        ({}, (BOT_ID, "NAMM"), 2, "did you mean 'env_vars.NAME'?"),
        ({BOT: BOT_WITH_ALL}, (BOT_ID, "LOG_LEVEL"), 2, "it is deleted at"),
        ({}, ("shop/cart/bot", "NAME"), 2, "name an environment too"),
        ({}, (BOT_ID,), 2, "Missing argument 'KEY'"),
        ({}, (BOT_ID, "\udcff"), 2, "UTF-8"),
        ({BOT: ERROR}, (BOT_ID, "NAME"), 1, "ET201"),
        ({"organization.yaml": INPUT}, (BOT_ID, "SHA"), 2, "--input NAME=VALUE"),
    ],
)
def test_get_without_an_answer_prints_the_reason(
    files: dict[str, str], arguments: tuple[str, ...], code: int, words: str, tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, files)
    ran = envtree("get", *arguments)
    assert (ran.code, ran.out, words in ran.err) == (code, "", True), ran


def test_get_takes_an_input_and_a_variable_of_a_section(tree: Path, envtree: RunCommand) -> None:
    output = "output: {env: {config: CFG_}}\n"
    write_files(tree, {"organization.yaml": INPUT + output, BOT: BOT_WITH_ALL})
    assert envtree("get", BOT_ID, "SHA", "--input", "SHA=1").out == "1\n"
    assert envtree("get", BOT_ID, "CFG_LIMITS_CPU", "--input", "SHA=1") == (0, "2\n", "")


def test_get_prints_a_secret_only_with_reveal(
    tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, bundle = tmp_path / "acme", "storefront/checkout/refund-clerk@production"
    shutil.copytree(ROOT / "examples/acme", acme)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(acme / "age.key"))
    for key in ("PAYMENTS_API_KEY", "env_vars"):
        ran = envtree("-C", str(acme), "get", bundle, key)
        assert (ran.code, ran.out, "add --reveal" in ran.err) == (2, "", True)
    ran = envtree("-C", str(acme), "get", bundle, "PAYMENTS_API_KEY", "--reveal")
    assert (ran.code, bool(ran.out.strip()), ran.err) == (0, True, "")
    shown = envtree("-C", str(acme), "show", bundle, "--reveal", "--force").out
    assert f'"PAYMENTS_API_KEY": "{ran.out.strip()}"' in shown


def test_list_prints_ids(tree: Path, envtree: RunCommand) -> None:
    assert envtree("list").out.splitlines() == [
        "shop/cart/bot@production",
        "shop/cart/bot@staging",
        "shop/clerk@production",
    ]
    assert envtree("list", "**@staging", "shop/clerk") == (0, "shop/cart/bot@staging\nshop/clerk@production\n", "")
    ran = envtree("list", "nothing")
    assert (ran.code, ran.out, "ET309" in ran.err) == (1, "", True)
    write_files(tree, {BOT: ERROR})
    assert envtree("list").code == 1
