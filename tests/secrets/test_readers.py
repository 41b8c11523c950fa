"""The kind of a public key follows from the field that lists it."""

import pytest

from envtree.frontend.link.declared_readers import index_public_keys
from envtree.model.source import Kind
from envtree.secrets.sops.writer import RecipientKeys
from tests.support.trees import parse_document

AGE = "age1levy56uqmrfwsdrueea4vzpy8lsgud6aet5al06mae42mxdkmyqs72335c"


@pytest.mark.parametrize(
    ("listed", "key", "kind"),
    [
        ("age", AGE, "age"),
        ("age", "ssh-ed25519 AAAA comment", "age-ssh"),
        ("age", "age1yubikey1qqqq", "age-plugin"),
        ("pgp", "A" * 40, "pgp"),
        ("pgp", "B" * 64, "pgp"),
        ("pgp", "aaaa bbbb " * 4, "pgp"),
    ],
)
def test_the_kind_of_a_key_follows_from_its_list(listed: str, key: str, kind: str) -> None:
    text = f"people: {{ann: {{{listed}: {key!r}}}}}"
    ((spelling, declared),) = index_public_keys(parse_document(text, Kind.ORGANIZATION, "organization.yaml")).items()
    assert (declared.person, declared.kind, declared.text) == ("ann", kind, key)
    keys = RecipientKeys.of([(declared.kind, spelling)])
    assert (keys.pgp if listed == "pgp" else keys.age) == (spelling,)
