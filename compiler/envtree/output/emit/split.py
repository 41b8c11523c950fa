"""A bundle in two halves, each of which can lie where those who may read it are: what is secret, and the rest.

The open half is what `ref` writes. The secret half has the same files, with nothing but the secrets in them.
"""

from typing import NamedTuple

from envtree.model.canonical_json import encode_canonical
from envtree.model.keypath import KeyPath, format_path
from envtree.model.resolved import Bundle, hidden_parts, reveal
from envtree.model.secret_entries import SECRETS_BUNDLE_FILE
from envtree.output.emit.bundle_variables import BundleVariables, collect_variables, prepare_writer_input
from envtree.output.emit.dialect import WriterInput
from envtree.output.emit.secret_mode import bundle_data
from envtree.output.emit.template import TemplateFileError, render_template
from envtree.output.emit.write_formats import FormatResult, Writers, template_data, write_format, write_formats

_FileContents = tuple[tuple[str, bytes], ...]


class SplitFiles(NamedTuple):
    """The files beside `bundle.json`, those of the secret half, and what is wrong with both of them together."""

    public: _FileContents
    secret: _FileContents
    format_result: FormatResult


def split_files(bundle: Bundle, writers: Writers) -> SplitFiles:
    """Write both halves; whoever reads one mostly reads the other as well, so what fits is judged as one."""
    told = write_formats(bundle, "plain", writers)
    found = collect_variables(bundle, writers.settings.env_patterns)
    given = _public_input(bundle, found, writers)
    shared = _render_public_templates(bundle, given, writers)
    private = ((name, data) for name, data in told.files if name in {one.file.name for one in writers.templates})
    return SplitFiles(
        (*_write_formats(given, writers).items(), *shared.items()),
        (
            (SECRETS_BUNDLE_FILE, _secret_values_file(bundle)),
            *_write_formats(_secret_input(bundle, found, writers), writers).items(),
            *((name, data) for name, data in private if name not in shared),
        ),
        told,
    )


def _public_input(bundle: Bundle, bundle_variables: BundleVariables, writers: Writers) -> WriterInput:
    # No operator has to fetch what the other half holds, and two objects of one name would fight.
    kubernetes = writers.settings.kubernetes._replace(secret_store=None)
    return prepare_writer_input(bundle_variables, "ref", bundle_data(bundle, "ref"), kubernetes)


def _secret_input(bundle: Bundle, bundle_variables: BundleVariables, writers: Writers) -> WriterInput:
    given = prepare_writer_input(bundle_variables, "plain", bundle_data(bundle, "plain"), writers.settings.kubernetes)
    return given._replace(
        texts={name: given.texts[name] for name in given.texts if name in given.secret_names}, is_secrets_only=True
    )


def _write_formats(env: WriterInput, writers: Writers) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for format in writers.formats:
        # Of an empty file kubectl says that there is nothing to apply, and fails.
        files |= {name: data for name, data in write_format(format, env).items() if data or format != "k8s"}
    return files


def _render_public_templates(bundle: Bundle, env: WriterInput, writers: Writers) -> dict[str, bytes]:
    """The templates that read no secret, by the names of their files."""
    read = template_data(bundle, env, "ref") if writers.templates else {}
    files = {}
    for one in writers.templates:
        try:
            files[one.file.name] = render_template(one, read, has_withheld=bool(bundle.sensitive))
        except TemplateFileError as fault:
            # Any other fault has been told of the whole.
            if not fault.is_withheld:
                return files
    return files


def _secret_values_file(bundle: Bundle) -> bytes:
    """Every sensitive value under the name that `sensitive` has for it."""
    found = {_sensitive_name(path): reveal(value) for path, value in hidden_parts(bundle.data)}
    return encode_canonical({"id": bundle.target.id, "values": found})


def _sensitive_name(path: KeyPath) -> str:
    return format_path(path[1:] if path[0] == "env_vars" else path)
