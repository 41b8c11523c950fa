"""Split a bundle into a public and a secret half, so that each can be stored where its readers have access.

The public half is the output of mode `ref`. The secret half has the same files with nothing but the secrets in them.
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
    """The public files beside `bundle.json`, the secret files, and the format problems of both halves together."""

    public: _FileContents
    secret: _FileContents
    format_result: FormatResult


def split_files(bundle: Bundle, writers: Writers) -> SplitFiles:
    """Return the files of both halves, and the problems of the whole bundle, as most readers read both halves."""
    result = write_formats(bundle, "plain", writers)
    variables = collect_variables(bundle, writers.settings.env_patterns)
    public_input = _public_input(bundle, variables, writers)
    public_templates = _render_public_templates(bundle, public_input, writers)
    template_names = {template.file.name for template in writers.templates}
    rendered = ((name, data) for name, data in result.files if name in template_names)
    return SplitFiles(
        public=(*_write_formats(public_input, writers).items(), *public_templates.items()),
        secret=(
            (SECRETS_BUNDLE_FILE, _secret_values_file(bundle)),
            *_write_formats(_secret_input(bundle, variables, writers), writers).items(),
            *((name, data) for name, data in rendered if name not in public_templates),
        ),
        format_result=result,
    )


def _public_input(bundle: Bundle, bundle_variables: BundleVariables, writers: Writers) -> WriterInput:
    # No ExternalSecret: the secret half has the values, and two objects of one name would overwrite each other.
    kubernetes = writers.settings.kubernetes._replace(secret_store=None)
    return prepare_writer_input(bundle_variables, "ref", bundle_data(bundle, "ref"), kubernetes)


def _secret_input(bundle: Bundle, bundle_variables: BundleVariables, writers: Writers) -> WriterInput:
    env = prepare_writer_input(bundle_variables, "plain", bundle_data(bundle, "plain"), writers.settings.kubernetes)
    texts = {name: text for name, text in env.texts.items() if name in env.secret_names}
    return env._replace(texts=texts, is_secrets_only=True)


def _write_formats(env: WriterInput, writers: Writers) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for format in writers.formats:
        # Leave out an empty file: kubectl fails on it, with nothing to apply.
        files |= {name: data for name, data in write_format(format, env).items() if data or format != "k8s"}
    return files


def _render_public_templates(bundle: Bundle, env: WriterInput, writers: Writers) -> dict[str, bytes]:
    """Return the rendered templates that read no secret, by file name."""
    data = template_data(bundle, env, "ref") if writers.templates else {}
    files = {}
    for template in writers.templates:
        try:
            files[template.file.name] = render_template(template, data, has_withheld=bool(bundle.sensitive))
        except TemplateFileError as error:
            # Any other error has been reported for the whole bundle.
            if not error.is_withheld:
                return files
    return files


def _secret_values_file(bundle: Bundle) -> bytes:
    """Return every sensitive value under its name in `sensitive`, as JSON."""
    values = {_sensitive_name(path): reveal(value) for path, value in hidden_parts(bundle.data)}
    return encode_canonical({"id": bundle.target.id, "values": values})


def _sensitive_name(path: KeyPath) -> str:
    return format_path(path[1:] if path[0] == "env_vars" else path)
