"""Report plain text that looks like a credential, without quoting it; merely random text is severity info."""

from collections.abc import Iterator

from envtree.frontend.validate.execution_environment import to_bundle_path, walk
from envtree.frontend.validate.message_text import format_key, quote_value
from envtree.model.credential_patterns import (
    detect_credential_form,
    has_high_entropy,
    is_credential_variable,
    is_secret_environment_name,
)
from envtree.model.diagnostic import Diagnostic
from envtree.model.fields import as_mapping, get_field, get_text
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, MappingNode, ScalarNode

_HINT = "if it is one, change it, for it is in git now, and keep it in a secrets file"


def check_credentials(document: Document) -> Iterator[Diagnostic]:
    """Report values that look like a credential."""
    for path, node in walk(document.root):
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and path:
            problem = _credential_problem(node.value, path)
            if problem:
                code, description = problem
                key = format_path(to_bundle_path(path))
                yield Diagnostic(document.span(node), code, f"{format_key(path)} {description}", _HINT, key=key)


def check_inputs(document: Document) -> Iterator[Diagnostic]:
    """Report inputs that read credentials, because bundles, manifests and reports show the values of inputs."""
    declared = as_mapping(get_field(document, "inputs"))
    for key, node in declared.entries.items() if declared else ():
        env = node.entries.get("env") if isinstance(node, MappingNode) else None
        variable = get_text(env) or key
        if declared and is_secret_environment_name(variable):
            span = document.span(env) if env else document.key_span(declared, key)
            message = (
                f"the input {quote_value(key)} reads {quote_value(variable)}, which holds a credential by its name"
            )
            hint = "inputs are shown: keep it in a secrets file, or read a variable of another name"
            yield Diagnostic(span, "ET216", message, hint, key=format_path(("inputs", key)))


def _credential_problem(text: str, path: KeyPath) -> tuple[str, str] | None:
    form = detect_credential_form(text)
    if form:
        return "ET251", f"looks like {form}, in plain text"
    if "env_vars" in path and is_credential_variable(path[-1], text):
        return "ET251", "is named like a credential, and is plain text"
    return ("ET252", "is as random as a key, in plain text") if has_high_entropy(text) else None
