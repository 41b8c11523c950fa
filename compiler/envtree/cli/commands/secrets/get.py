"""Implementation of `envtree secrets get`: one value of a secrets file on stdout."""

from pathlib import Path
from typing import Any, NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.secrets_session import CommandStoppedError, find_key, open_secrets_session, parse_key
from envtree.engine.decryption import verify_plaintext
from envtree.model.canonical_json import encode_canonical
from envtree.model.secrets_file import DecryptError
from envtree.system.console import out


class SecretsGetOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    file: str
    key: str
    reveal: bool
    color: str


def run(options: SecretsGetOptions) -> ExitCode:
    """Print the value, or report the error that prevents it."""
    key = parse_key(options.key)
    try:
        session = open_secrets_session(options.directory, options.color)
        document = session.read_or_stop(session.resolve_existing(options.file))
        find_key(document, key)
        if not options.reveal:
            raise usage_error(f"'{options.key}' is secret", "add --reveal to decrypt and print it")
        value: Any = session.writer.decrypt(document.file, document.data)
        verify_plaintext(document.file, value)
    except CommandStoppedError:
        return ExitCode.FAILURE
    except DecryptError as error:
        raise error.to_refused_error() from None
    for segment in key:
        value = value[segment]
    out(value.encode() + b"\n" if isinstance(value, str) else encode_canonical(value))
    return ExitCode.OK
