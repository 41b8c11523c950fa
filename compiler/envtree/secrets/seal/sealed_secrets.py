"""Read the sealed file of a bundle without a key, by the same rules as the secrets files of a tree."""

import hashlib

from envtree.frontend.parse import parse
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.model.diagnostic import Diagnostics
from envtree.model.secrets_file import SecretsFile
from envtree.model.source import Kind, Location, Source

_LOCATION = Location(Kind.SECRETS, "", "", "")


def read_sealed_secrets(path: str, data: bytes, findings: Diagnostics) -> SecretsFile | None:
    """Parse a sealed file; None, with findings, if it is not a file that sops writes."""
    document = parse(Source(path, _LOCATION, data, hashlib.sha256(data).hexdigest()), findings)
    return read_secrets_file(document, findings) if document and not len(findings) else None
