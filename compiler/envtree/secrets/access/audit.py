"""The audit of all secrets files: what each shows without a key, what is wrong, and with a key what is in them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from envtree.diagnostics.findings import Finding
from envtree.engine.decryption import Decrypter, decrypt_all
from envtree.engine.run import Run
from envtree.frontend.link.declared_readers import index_public_keys
from envtree.model.diagnostic import Diagnostic, NoKeyError, Severity
from envtree.model.nodes import EncryptedValue, ScalarNode, iter_scalars
from envtree.model.resource import Resource
from envtree.model.secrets_file import DecryptError, SecretsFile, flatten_leaves
from envtree.model.sops_rule import CreationRule, SopsConfig, find_governing_config
from envtree.model.source import Kind
from envtree.model.span import Span
from envtree.secrets.access.key_holders import KeyHolder, find_key_holder

_PLACEHOLDER_WORD_LIST = (
    "changeme change-me change_me changeit todo tbd tba fixme placeholder dummy sample example test testing replaceme "
    "replace-me replace_me secret password passwd passphrase pass pwd token key apikey api-key api_key credentials "
    "default none null nil undefined unset empty missing unknown foo bar baz foobar na n/a ? - _ password1 password123 "
    "secret123 abc abc123 123 1234 12345 123456 12345678 123456789 qwerty letmein"
)
_PLACEHOLDER_WORDS = frozenset(_PLACEHOLDER_WORD_LIST.split())
_PLACEHOLDER_PATTERN = re.compile(
    r"""
    (.)\1{2,}                                   # xxx, ***, ...
    | <[^<>]*> | \{\{[^{}]*\}\} | \$\{?\w+\}?   # <token>, {{ token }}, $TOKEN
    | (?:your|insert|enter|replace|paste)[-_ ].*
    | (?:todo|fixme|tbd|xxx)\b.*
    """,
    re.VERBOSE | re.DOTALL,
)


def is_placeholder(value: Any) -> bool:
    """Whether a value stands for one that is still to come; numbers and switches never do."""
    if not isinstance(value, str):
        return False
    text = value.strip().casefold()
    return not text or text in _PLACEHOLDER_WORDS or _PLACEHOLDER_PATTERN.fullmatch(text) is not None


ScopeStatus = Literal["claimed", "missing", "wrong"]
FileVerdict = Literal["ok", "warning", "error"]

# Secrets files that cannot be told apart, or belong to nothing.
_PLACEMENT_CODES = frozenset({"ET127", "ET128"})
_VERDICTS: Mapping[Severity, FileVerdict] = {Severity.ERROR: "error", Severity.WARNING: "warning"}


class AuditedRule(NamedTuple):
    """The rule of a `.sops.yaml` that a file falls under; it is None where none is for it."""

    path: str
    rule: CreationRule | None


class AuditedFile(NamedTuple):
    """One secrets file. All but path, format and verdict is unknown of one that is not `readable`.

    A key of each of `threshold` groups is needed to open it. `opened` is None if nobody tried.
    """

    path: str
    format: str
    readable: bool
    readers: tuple[KeyHolder, ...]
    threshold: int
    secrets: int
    lastmodified: str
    scope: ScopeStatus
    rule: AuditedRule | None
    opened: bool | None
    verdict: FileVerdict


class Audit(NamedTuple):
    """All secrets files by path, the findings about them, and how many errors there are elsewhere."""

    files: tuple[AuditedFile, ...]
    findings: tuple[Finding, ...]
    other_errors: int


def audit_secrets(run: Run, opened: Mapping[str, bool]) -> Audit:
    """Audit a run whose bundles have been taken out; `opened` are the files that somebody tried to open."""
    workspace = run.workspace
    assert workspace
    found = run.outcome().findings
    paths = {path for path, one in run.files.items() if one.location.kind is Kind.SECRETS}
    paths |= {one.path for one in workspace.sops_configs}
    findings = tuple(one for one in found if _is_about_secrets(one.diagnostic, paths))
    people = index_public_keys(workspace.organization.document)
    auditor = _Auditor(workspace.sops_configs, people, opened, findings)
    files = (auditor.audit_file(path, one) for path, one in run.files.items() if one.location.kind is Kind.SECRETS)
    others = sum(one.severity is Severity.ERROR for one in found) - sum(
        one.severity is Severity.ERROR for one in findings
    )
    return Audit(tuple(sorted(files)), findings, others)


def try_decrypt_all(run: Run, decrypter: Decrypter) -> dict[str, bool]:
    """Open every file, and report what only shows then; False where no key at hand opens it.

    No key for any of them is a Failure. A tree with errors must not be opened at all.
    """
    files = [one.secrets_file for one in run.files.values() if one.secrets_file and one.secrets_file.is_readable]
    outcomes = decrypt_all(_LenientDecrypter(decrypter), files)
    closed = {path: one for path, one in outcomes.items() if isinstance(one, _NoKeyForFileError)}
    if closed and len(closed) == len(outcomes):
        first = next(iter(closed.values()))
        raise NoKeyError(first.message, first.hint)
    for sealed in files:
        run.diags.extend(_plaintext_findings(sealed, outcomes[sealed.path]))
    return {path: path not in closed for path in outcomes}


class _NoKeyForFileError(DecryptError):
    """No key at hand opens a file."""


class _LenientDecrypter:
    """A decrypter for which a file without a key is no reason to stop."""

    def __init__(self, decrypter: Decrypter) -> None:
        self._decrypter = decrypter

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        try:
            return self._decrypter.decrypt(sealed)
        except NoKeyError as missing:
            raise _NoKeyForFileError(missing.code, missing.message, missing.hint) from None

    def stop(self) -> None:
        self._decrypter.stop()


def _plaintext_findings(sealed: SecretsFile, outcome: dict[str, Any] | DecryptError) -> Iterator[Diagnostic]:
    if isinstance(outcome, DecryptError):
        if not isinstance(outcome, _NoKeyForFileError):
            yield Diagnostic(sealed.span, outcome.code, outcome.message, outcome.hint)
        return
    places = {leaf.value.path: leaf for leaf in iter_scalars(sealed.content) if isinstance(leaf.value, EncryptedValue)}
    for path, value in flatten_leaves(outcome).items():
        # A list within a list has its items by their numbers, as the places have.
        leaf: ScalarNode | None = places.get(path)
        if leaf and is_placeholder(value):
            message = f"'{path}' is a placeholder, no secret"
            hint = "put the value there, or take the key out until there is one"
            yield Diagnostic(Span(sealed.path, *leaf.mark), "ET657", message, hint, key=path)


def _is_about_secrets(diagnostic: Diagnostic, paths: Iterable[str]) -> bool:
    return diagnostic.code.startswith("ET6") or diagnostic.code in _PLACEMENT_CODES or diagnostic.span.path in paths


class _Auditor:
    def __init__(
        self,
        rules: tuple[SopsConfig, ...],
        people: Mapping[str, Any],
        opened: Mapping[str, bool],
        findings: Iterable[Finding],
    ) -> None:
        self._rules = rules
        self._people = people
        self._opened = opened
        self._worst_verdicts: dict[str, FileVerdict] = {}
        for one in findings:
            path, verdict = one.diagnostic.span.path, _VERDICTS.get(one.severity, "ok")
            if self._worst_verdicts.get(path) != "error" and verdict != "ok":
                self._worst_verdicts[path] = verdict

    def audit_file(self, path: str, resource: Resource) -> AuditedFile:
        """One file."""
        sealed, verdict = resource.secrets_file, self._worst_verdicts.get(path, "ok")
        format = path.rpartition(".")[2]
        rule = self._audited_rule(path)
        if sealed is None or not sealed.is_readable:
            return AuditedFile(path, format, False, (), 1, 0, "", "missing", rule, None, verdict)
        return AuditedFile(
            path,
            format,
            True,
            tuple(find_key_holder(one, self._people) for one in sealed.recipients),
            sealed.threshold,
            sum(1 for _ in iter_scalars(sealed.content)),
            sealed.lastmodified,
            _scope_status(sealed),
            rule,
            self._opened.get(path),
            verdict,
        )

    def _audited_rule(self, path: str) -> AuditedRule | None:
        file = find_governing_config(self._rules, path)
        return AuditedRule(file.path, file.matching_rule(path)) if file and file.rules else None


def _scope_status(sealed: SecretsFile) -> ScopeStatus:
    if sealed.scope is None:
        return "missing"
    return "claimed" if sealed.scope.length == len(sealed.expected_scope.encode()) else "wrong"
