"""A bundle in two halves, each of which can lie where those who may read it are: what is secret, and the rest.

The open half is what `ref` writes. The secret half has the same files, with nothing but the secrets in them.
"""

from typing import NamedTuple

from envtree.model.canonical_json import canonical
from envtree.model.keypath import KeyPath, format_path
from envtree.model.resolved import Bundle, hidden_parts, reveal
from envtree.model.secret_placeholders import SECRETS_FILE
from envtree.output.emit.dialect import Variables
from envtree.output.emit.shown import values
from envtree.output.emit.template import TemplateFault, rendered
from envtree.output.emit.variables import Environment, environment, variables
from envtree.output.emit.written import Writers, Written, files_of, readable, written

_Files = tuple[tuple[str, bytes], ...]


class Halves(NamedTuple):
    """The files beside `bundle.json`, those of the secret half, and what is wrong with both of them together."""

    open: _Files
    secret: _Files
    told: Written


def halves(bundle: Bundle, writers: Writers) -> Halves:
    """Write both halves; whoever reads one mostly reads the other as well, so what fits is judged as one."""
    told = written(bundle, "plain", writers)
    found = environment(bundle, writers.settings.env)
    given = _open(bundle, found, writers)
    shared = _rendered(bundle, given, writers)
    private = ((name, data) for name, data in told.files if name in {one.file.name for one in writers.templates})
    return Halves(
        (*_formatted(given, writers).items(), *shared.items()),
        (
            (SECRETS_FILE, _values(bundle)),
            *_formatted(_secret(bundle, found, writers), writers).items(),
            *((name, data) for name, data in private if name not in shared),
        ),
        told,
    )


def _open(bundle: Bundle, found: Environment, writers: Writers) -> Variables:
    # No operator has to fetch what the other half holds, and two objects of one name would fight.
    kubernetes = writers.settings.kubernetes._replace(store=None)
    return variables(found, "ref", values(bundle, "ref"), kubernetes)


def _secret(bundle: Bundle, found: Environment, writers: Writers) -> Variables:
    given = variables(found, "plain", values(bundle, "plain"), writers.settings.kubernetes)
    return given._replace(texts={name: given.texts[name] for name in given.texts if name in given.secret}, apart=True)


def _formatted(given: Variables, writers: Writers) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for format in writers.formats:
        # Of an empty file kubectl says that there is nothing to apply, and fails.
        files |= {name: data for name, data in files_of(format, given).items() if data or format != "k8s"}
    return files


def _rendered(bundle: Bundle, given: Variables, writers: Writers) -> dict[str, bytes]:
    """The templates that read no secret, by the names of their files."""
    read = readable(bundle, given, "ref") if writers.templates else {}
    files = {}
    for one in writers.templates:
        try:
            files[one.file.name] = rendered(one, read, withholds=bool(bundle.sensitive))
        except TemplateFault as fault:
            # Any other fault has been told of the whole.
            if not fault.withheld:
                return files
    return files


def _values(bundle: Bundle) -> bytes:
    """Every sensitive value under the name that `sensitive` has for it."""
    found = {_name(path): reveal(value) for path, value in hidden_parts(bundle.data)}
    return canonical({"id": bundle.target.id, "values": found})


def _name(path: KeyPath) -> str:
    return format_path(path[1:] if path[0] == "env_vars" else path)
