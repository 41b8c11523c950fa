"""Document → SealedFile: what a SOPS file must be before anything of it is used, checked without a key.

The MAC of sops covers neither key names nor empty values nor where one plain value ends and the next begins; each
rule here closes one of these holes. No message quotes a value of the file: what was pasted there may be a secret.
"""

import re
from typing import Literal, NamedTuple

from envtree.frontend.validate.sops_metadata import METADATA, read_metadata
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Cipher, Document, Mapping, Node, Scalar, Sequence
from envtree.model.secrets_file import PLAIN_SUFFIX, SCOPE, SealedFile, encrypted
from envtree.model.span import Span, whole_file

_FORMATS: dict[str, Literal["yaml", "json", "env"]] = {"yaml": "yaml", "json": "json", "env": "env"}
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_READABLE = "restore the file from git, and write a new value with 'envtree secrets set {} {}': this one was readable"


def read_sealed(document: Document, diags: Diagnostics) -> SealedFile | None:
    """Read a SOPS file without a key, or report all that is wrong with it."""
    findings = Diagnostics()
    sealed = _read(document, findings)
    diags.extend(findings)
    return None if len(findings) else sealed


def _read(document: Document, findings: Diagnostics) -> SealedFile | None:
    entries = dict(document.root.entries)
    block = entries.pop(METADATA, None)
    if not isinstance(block, Mapping):
        findings.add(_not_sops(document.path))
        return None
    span = document.key_span(document.root, METADATA)
    scope = entries.pop(SCOPE, None)
    content = _Reader(document, findings).mapping(document.root._replace(entries=entries), ())
    metadata = read_metadata(document, block, findings)
    return SealedFile(
        path=document.path,
        location=document.location,
        digest=document.digest,
        format=_FORMATS[document.path.rpartition(".")[2]],
        content=content,
        scope=_claim(document, scope, findings),
        scope_span=span if scope is None else document.span(scope),
        recipients=metadata.recipients,
        endpoints=metadata.endpoints,
        lastmodified=metadata.lastmodified,
        span=span,
        threshold=metadata.threshold,
        written=document.root.value,
    )


def _not_sops(path: str) -> Diagnostic:
    hint = f"encrypt it with 'sops encrypt --in-place {path}', and replace what was readable in it"
    return Diagnostic(
        whole_file(path), "ET603", f"'{path}' has no 'sops' map, expected a file that sops encrypted", hint
    )


def _claim(document: Document, scope: Node | None, findings: Diagnostics) -> Cipher | None:
    """The encrypted `_scope`; anything but an encrypted text there is a finding."""
    if scope is None:
        return None
    seen = encrypted(scope.text) if isinstance(scope, Scalar) else None
    if seen is None or seen.type != "str":
        message = f"'{SCOPE}' is not an encrypted text"
        hint = "write the path of the file without its endings there, and encrypt it with sops"
        findings.add(Diagnostic(document.span(scope), "ET608", message, hint, key=SCOPE))
        return None
    return Cipher(seen.type, seen.length, document.path, SCOPE)


class _Reader(NamedTuple):
    """One walk over the content of a file; what is wrong is left out of the result, which is then not used."""

    document: Document
    findings: Diagnostics

    def mapping(self, node: Mapping, path: KeyPath) -> Mapping:
        """A map with its leaves read; the root may be empty."""
        if path and not node.entries:
            self._empty(node, path, "an empty map")
        entries: dict[str, Node] = {}
        for key, child in node.entries.items():
            self._key(node, path, key)
            # Nothing below such a key is encrypted, which has been said.
            read = None if key.endswith(PLAIN_SUFFIX) else self._node(child, (*path, key))
            if read is not None:
                entries[key] = read
        return Mapping({}, entries, node.keys, node.at)

    def _node(self, node: Node, path: KeyPath) -> Node | None:
        if isinstance(node, Mapping):
            return self.mapping(node, path)
        if isinstance(node, Sequence):
            return self._sequence(node, path)
        return self._leaf(node, path)

    def _sequence(self, node: Sequence, path: KeyPath) -> Sequence:
        # sops keeps the comments of a list as items of it, and drops them when it decrypts.
        kept = [item for item in node.items if not _is_comment(item)]
        if not kept:
            self._empty(node, path, "an empty list")
        items = (self._node(item, (*path, str(index))) for index, item in enumerate(kept))
        return Sequence([], tuple(item for item in items if item is not None), node.at)

    def _leaf(self, node: Scalar, path: KeyPath) -> Scalar | None:
        seen = encrypted(node.text)
        if node.value is None or not node.text:
            self._empty(node, path, "empty")
        elif seen is None:
            hint = _READABLE.format(self.document.path, _as_argument(path))
            self._report(self.document.span(node), "ET602", path, "is not a value that sops encrypted", hint)
        elif seen.type == "comment":
            hint = "remove it: the MAC does not cover comments"
            self._report(self.document.span(node), "ET607", path, "is an encrypted comment, expected a value", hint)
        else:
            # sops gives a time back as the text that it encrypted.
            kind = "str" if seen.type == "time" else seen.type
            cipher = Cipher(kind, seen.length, self.document.path, format_path(path))
            return Scalar(cipher, node.text, plain=False, at=node.at)
        return None

    def _key(self, node: Mapping, path: KeyPath, key: str) -> None:
        span = self.document.key_span(node, key)
        if key.endswith(PLAIN_SUFFIX):
            hint = f"move it to '{self.document.path.replace('.secrets.', '.')}': nothing below such a key is encrypted"
            self._report(span, "ET607", (*path, key), f"ends in '{PLAIN_SUFFIX}'", hint)
        if ":" in key:
            hint = "rename the key: sops joins the keys of a path with ':', so two paths could pass for each other"
            self._report(span, "ET607", (*path, key), "has ':' in its name", hint)
        if not path and key.casefold() == METADATA:
            hint = "rename the key: sops reads it as its own in a JSON file"
            self._report(span, "ET607", (key,), f"differs from '{METADATA}' in case only", hint)

    def _empty(self, node: Node, path: KeyPath, what: str) -> None:
        hint = "remove it: sops neither encrypts empty values nor notices when they change"
        self._report(self.document.span(node), "ET607", path, f"is {what}", hint)

    def _report(self, span: Span, code: str, path: KeyPath, message: str, hint: str) -> None:
        key = format_path(path)
        self.findings.add(Diagnostic(span, code, f"'{key}' {message}", hint, key=key))


def _as_argument(path: KeyPath) -> str:
    """A path as it can stand on a command line; people copy it."""
    key = format_path(path)
    return key if _PLAIN_KEY.fullmatch(key) else "KEY"


def _is_comment(node: Node) -> bool:
    seen = encrypted(node.text) if isinstance(node, Scalar) else None
    return seen is not None and seen.type == "comment"
