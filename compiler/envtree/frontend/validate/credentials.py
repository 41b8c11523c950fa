"""Plain text that looks like a credential is told, and never shown; what is merely random is a remark."""

from collections.abc import Iterator

from envtree.frontend.validate.sections import below_section, walk
from envtree.frontend.validate.wording import name, quoted
from envtree.model.credential_patterns import form_of, is_kept, is_named, is_random
from envtree.model.diagnostic import Diagnostic
from envtree.model.fields import field, mapping, text
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, Mapping, Scalar

_HINT = "if it is one, change it, for it is in git now, and keep it in a secrets file"


def check_credentials(document: Document) -> Iterator[Diagnostic]:
    """Report what looks like a credential."""
    for path, node in walk(document.root):
        if isinstance(node, Scalar) and isinstance(node.value, str) and path:
            found = _told(node.value, path)
            if found:
                code, words = found
                key = format_path(below_section(path))
                yield Diagnostic(document.span(node), code, f"{name(path)} {words}", _HINT, key=key)


def check_inputs(document: Document) -> Iterator[Diagnostic]:
    """Report inputs that read credentials: what an input is shows in bundles, manifests and reports."""
    declared = mapping(field(document, "inputs"))
    for key, node in declared.entries.items() if declared else ():
        env = node.entries.get("env") if isinstance(node, Mapping) else None
        variable = text(env) or key
        if declared and is_kept(variable):
            span = document.span(env) if env else document.key_span(declared, key)
            message = f"the input {quoted(key)} reads {quoted(variable)}, which holds a credential by its name"
            hint = "inputs are shown: keep it in a secrets file, or read a variable of another name"
            yield Diagnostic(span, "ET216", message, hint, key=format_path(("inputs", key)))


def _told(text: str, path: KeyPath) -> tuple[str, str] | None:
    form = form_of(text)
    if form:
        return "ET251", f"looks like {form}, in plain text"
    if "env_vars" in path and is_named(path[-1], text):
        return "ET251", "is named like a credential, and is plain text"
    return ("ET252", "is as random as a key, in plain text") if is_random(text) else None
