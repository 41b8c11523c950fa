"""Secrets: names everywhere, values in the vault only, and only where they were to be put there."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.control_plane.trees import Site
from tests.support.real_sops import SEARCH_PATH, encrypt_file, make_age_user

pytestmark = pytest.mark.control_plane


def values(site: Site) -> dict[str, str]:
    """The secrets of the example in clear, by place."""
    out = site.root.parent / "out"
    site.ok("compile", "-o", str(out), SOPS_AGE_KEY_FILE=str(site.root / "age.key"))
    found: dict[str, str] = {}
    for path in out.rglob("bundle.json"):
        one = json.loads(path.read_text())
        found |= {f"{one['id']} {name}": one["env_vars"][name] for name in one["sensitive"] if name in one["env_vars"]}
    return found


def test_no_value_is_anywhere(example: Site) -> None:
    known = {text for text in values(example).values() if len(text) > 5}
    assert len(known) > 5
    plan = example.root.parent / "plan.json"
    said = [*example.run("plan", "--out", str(plan)), *example.run("apply"), *example.run("drift")]
    said += [example.ok("plan", "--format", "json"), example.ok("plan", "--format", "markdown"), plan.read_text()]
    said += [path.read_text() for path in (example.root / ".envtree").iterdir()]
    said += [example.plane.database.dump(), example.plane.log.read_text()]
    assert not [text for text in known if any(text in str(one) for one in said)]
    assert example.plane.services.secrets[example.organization] == {}


def test_the_vault_gets_what_fits(example: Site) -> None:
    key = {"SOPS_AGE_KEY_FILE": str(example.root / "age.key")}
    ran = example.run("apply", "--vault", **key)
    assert (ran.code, "ET910: secret " in ran.err) == (1, True), ran
    assert example.plane.services.secrets[example.organization] == {}


def test_what_the_vault_gets(site: Site, tmp_path: Path) -> None:
    known = sealed(site, tmp_path)
    ran = site.run("apply", "--vault", **known)
    assert ran.code == 0, ran
    assert site.plane.services.secrets[site.organization] == {"PIN": "1.50", "TOKEN": "quokka-of-the-vault"}
    said = [ran.out, ran.err, site.plane.database.dump(), site.plane.log.read_text()]
    assert not [text for text in said if "quokka-of" in text]
    agent = site.objects("/agents")["default.helper.production"]
    assert site.resolved("agent", agent["id"]) == {"PIN": "1.50", "TOKEN": "quokka-of-the-vault"}
    site.ok("apply", "--vault", **known)
    site.plane.services.descriptions[site.organization, "PIN"] = "mine"
    ran = site.run("apply", "--vault", **known)
    assert (ran.code, "ET906: secret 'PIN' is in the vault, and not from here" in ran.err) == (1, True)


def test_a_vault_that_repeats_what_it_got_is_not_heard(site: Site, tmp_path: Path) -> None:
    known = sealed(site, tmp_path)
    site.plane.services.echo = True
    try:
        ran = site.run("apply", "--vault", **known)
    finally:
        site.plane.services.echo = False
    assert (ran.code, "ET903" in ran.err, "quokka" in ran.err) == (3, True, False)


def sealed(site: Site, folder: Path) -> dict[str, str]:
    """A tree with two secrets, and the way to their key."""
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
