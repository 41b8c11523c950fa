"""Secrets: names everywhere, values in the vault only, and only on request."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.control_plane.trees import Site
from tests.support.real_sops import SEARCH_PATH, encrypt_file, make_age_user

pytestmark = pytest.mark.control_plane


def values(site: Site) -> dict[str, str]:
    """Return the plaintext secrets of the example by bundle and name."""
    out = site.root.parent / "out"
    site.ok("compile", "-o", str(out), SOPS_AGE_KEY_FILE=str(site.root / "age.key"))
    secrets: dict[str, str] = {}
    for path in out.rglob("bundle.json"):
        bundle = json.loads(path.read_text())
        secrets |= {
            f"{bundle['id']} {name}": bundle["env_vars"][name]
            for name in bundle["sensitive"]
            if name in bundle["env_vars"]
        }
    return secrets


def test_no_value_is_anywhere(example: Site) -> None:
    secrets = {text for text in values(example).values() if len(text) > 5}
    assert len(secrets) > 5
    plan = example.root.parent / "plan.json"
    outputs = [
        *example.run("kubiya", "plan", "--out", str(plan)),
        *example.run("kubiya", "apply"),
        *example.run("kubiya", "drift"),
    ]
    outputs += [
        example.ok("kubiya", "plan", "--output-format", "json"),
        example.ok("kubiya", "plan", "--output-format", "markdown"),
        plan.read_text(),
    ]
    outputs += [path.read_text() for path in (example.root / ".envtree").iterdir()]
    outputs += [example.plane.database.dump(), example.plane.log.read_text()]
    assert not [text for text in secrets if any(text in str(output) for output in outputs)]
    assert example.plane.services.secrets[example.organization] == {}


def test_the_vault_gets_what_fits(example: Site) -> None:
    key = {"SOPS_AGE_KEY_FILE": str(example.root / "age.key")}
    result = example.run("kubiya", "apply", "--vault", **key)
    assert (result.code, "ET910: secret " in result.err) == (1, True), result
    assert example.plane.services.secrets[example.organization] == {}


def test_what_the_vault_gets(site: Site, tmp_path: Path) -> None:
    environ = sealed(site, tmp_path)
    result = site.run("kubiya", "apply", "--vault", **environ)
    assert result.code == 0, result
    assert site.plane.services.secrets[site.organization] == {"PIN": "1.50", "TOKEN": "quokka-of-the-vault"}
    outputs = [result.out, result.err, site.plane.database.dump(), site.plane.log.read_text()]
    assert not [text for text in outputs if "quokka-of" in text]
    agent = site.objects("/agents")["default.helper.production"]
    assert site.resolved("agent", agent["id"]) == {"PIN": "1.50", "TOKEN": "quokka-of-the-vault"}
    site.ok("kubiya", "apply", "--vault", **environ)
    site.plane.services.descriptions[site.organization, "PIN"] = "mine"
    result = site.run("kubiya", "apply", "--vault", **environ)
    assert (result.code, "ET906: secret 'PIN' is in the vault, and not from here" in result.err) == (1, True)


def test_a_vault_that_repeats_what_it_got_is_not_heard(site: Site, tmp_path: Path) -> None:
    environ = sealed(site, tmp_path)
    site.plane.services.echo = True
    try:
        result = site.run("kubiya", "apply", "--vault", **environ)
    finally:
        site.plane.services.echo = False
    assert (result.code, "ET903" in result.err, "quokka" in result.err) == (3, True, False)


def sealed(site: Site, folder: Path) -> dict[str, str]:
    """Write a tree with two secrets; return the environment in which its key is found."""
    person = make_age_user(folder / "keys", "me")
    site.write(
        {
            "organization.yaml": f"name: {site.organization}\nedition: 2026\ndefault_model: kubiya/claude\n",
            "environments/production.yaml": "description: All.\n",
            "agents/helper.yaml": "execution_environment: {secrets: [TOKEN, PIN]}\n",
        }
    )
    encrypt_file(
        site.root, "organization.secrets.yaml", "TOKEN: quokka-of-the-vault\nPIN: '1.50'\n", person.sops_option
    )
    return {"PATH": SEARCH_PATH, **person.environ}
