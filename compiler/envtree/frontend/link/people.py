"""The people of an organization: a key that was not copied whole opens nothing."""

from envtree.frontend.link.declared_readers import is_well_formed_key, iter_public_keys
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import Document
from envtree.model.tree_layout import escape_unprintable


def check_people_keys(organization: Document, diags: Diagnostics) -> None:
    """Report each age recipient whose checksum does not match."""
    for key in iter_public_keys(organization):
        # What has another form has been told by the schema.
        if key.text.startswith("age1") and key.text.isalnum() and not is_well_formed_key(key):
            message = f"'people.{escape_unprintable(key.person)}.age' holds a key whose checksum does not match"
            hint = "copy it again, all of it, as 'age-keygen' has printed it"
            diags.add(Diagnostic(key.span, "ET205", message, hint, key=f"people.{key.person}.age"))
