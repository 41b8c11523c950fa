"""Audit all secrets files: their metadata, the findings about them, and with a key their plaintext."""

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
    """Report whether a value is a placeholder for a secret; numbers and booleans never are."""
    if not isinstance(value, str):
        return False
    text = value.strip().casefold()
    return not text or text in _PLACEHOLDER_WORDS or _PLACEHOLDER_PATTERN.fullmatch(text) is not None


ScopeStatus = Literal["claimed", "missing", "wrong"]
FileVerdict = Literal["ok", "warning", "error"]

# Secrets files with ambiguous paths, and secrets files that belong to no entity.
_PLACEMENT_CODES = frozenset({"ET127", "ET128"})
_VERDICTS: Mapping[Severity, FileVerdict] = {Severity.ERROR: "error", Severity.WARNING: "warning"}


class AuditedRule(NamedTuple):
    """The `.sops.yaml` that governs a file, and its rule for the file; None if no rule matches."""

    path: str
    rule: CreationRule | None


class AuditedFile(NamedTuple):
    """One secrets file; if it is not `readable`, only its path, format, rule and verdict are known.

    Keys of `threshold` groups are needed to open it. `opened` is None if no decryption was tried.
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
    """All secrets files by path, the findings about them, and the number of errors elsewhere."""

    files: tuple[AuditedFile, ...]
    findings: tuple[Finding, ...]
    other_errors: int


def audit_secrets(run: Run, opened: Mapping[str, bool]) -> Audit:
    """Audit a run whose bundles have been consumed; `opened` has the results of the files tried, by path."""
    workspace = run.workspace
    assert workspace
    all_findings = run.outcome().findings
    paths = {path for path, resource in run.files.items() if resource.location.kind is Kind.SECRETS}
    paths |= {config.path for config in workspace.sops_configs}
    findings = tuple(finding for finding in all_findings if _is_about_secrets(finding.diagnostic, paths))
    people = index_public_keys(workspace.organization.document)
    auditor = _Auditor(workspace.sops_configs, people, opened, findings)
    files = (
        auditor.audit_file(path, resource)
        for path, resource in run.files.items()
        if resource.location.kind is Kind.SECRETS
    )
    other_errors = _count_errors(all_findings) - _count_errors(findings)
    return Audit(tuple(sorted(files)), findings, other_errors)


def _count_errors(findings: Iterable[Finding]) -> int:
    return sum(finding.severity is Severity.ERROR for finding in findings)


def try_decrypt_all(run: Run, decrypter: Decrypter) -> dict[str, bool]:
    """Decrypt every file and report findings about its plaintext; return by path whether a key at hand opens it.

    Raises NoKeyError if no key opens any of them. Must not be called for a tree with errors.
    """
    files = [
        resource.secrets_file
        for resource in run.files.values()
        if resource.secrets_file and resource.secrets_file.is_readable
    ]
    outcomes = decrypt_all(_LenientDecrypter(decrypter), files)
    unopened = {path: outcome for path, outcome in outcomes.items() if isinstance(outcome, _NoKeyForFileError)}
    if unopened and len(unopened) == len(outcomes):
        first = next(iter(unopened.values()))
        raise NoKeyError(first.message, first.hint)
    for sealed in files:
        run.diags.extend(_plaintext_findings(sealed, outcomes[sealed.path]))
    return {path: path not in unopened for path in outcomes}


class _NoKeyForFileError(DecryptError):
    """No key at hand opens a file; a DecryptError, so that the other files are still tried."""


class _LenientDecrypter:
    """A decrypter that goes on after a file without a key."""

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
    leaves = {leaf.value.path: leaf for leaf in iter_scalars(sealed.content) if isinstance(leaf.value, EncryptedValue)}
    for path, value in flatten_leaves(outcome).items():
        # The items of nested lists have their indexes as keys, in both mappings.
        leaf: ScalarNode | None = leaves.get(path)
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
        for finding in findings:
            path, verdict = finding.diagnostic.span.path, _VERDICTS.get(finding.severity, "ok")
            if self._worst_verdicts.get(path) != "error" and verdict != "ok":
                self._worst_verdicts[path] = verdict

    def audit_file(self, path: str, resource: Resource) -> AuditedFile:
        """Audit one file."""
        sealed, verdict = resource.secrets_file, self._worst_verdicts.get(path, "ok")
        format = path.rpartition(".")[2]
        rule = self._audited_rule(path)
        if sealed is None or not sealed.is_readable:
            return AuditedFile(
                path=path,
                format=format,
                readable=False,
                readers=(),
                threshold=1,
                secrets=0,
                lastmodified="",
                scope="missing",
                rule=rule,
                opened=None,
                verdict=verdict,
            )
        return AuditedFile(
            path=path,
            format=format,
            readable=True,
            readers=tuple(find_key_holder(recipient, self._people) for recipient in sealed.recipients),
            threshold=sealed.threshold,
            secrets=sum(1 for _ in iter_scalars(sealed.content)),
            lastmodified=sealed.lastmodified,
            scope=_scope_status(sealed),
            rule=rule,
            opened=self._opened.get(path),
            verdict=verdict,
        )

    def _audited_rule(self, path: str) -> AuditedRule | None:
        config = find_governing_config(self._rules, path)
        return AuditedRule(config.path, config.matching_rule(path)) if config and config.rules else None


def _scope_status(sealed: SecretsFile) -> ScopeStatus:
    if sealed.scope is None:
        return "missing"
    return "claimed" if sealed.scope.length == len(sealed.expected_scope.encode()) else "wrong"
