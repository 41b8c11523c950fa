"""Plan what makes the secrets files say what is declared: a `_scope` for each, and the keys of its rule."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.engine.run import Run
from envtree.frontend.link.declared_readers import (
    DeclaredReaders,
    PublicKey,
    index_public_keys,
    normalize_public_key,
    project_readers,
)
from envtree.model.secrets_file import PERSONAL_KEY_KINDS, SCOPE_KEY, SecretsFile, SecretsPolicy, printable_key
from envtree.model.sops_rule import CreationRule, SopsConfig, find_governing_config
from envtree.model.source import Kind
from envtree.secrets.edit.sops_document import SopsDocument, UnreadableError, read_sops_document
from envtree.secrets.edit.sops_values import ciphertext
from envtree.secrets.sops.writer import RecipientKeys, SetValue, SopsWriter

_SCOPE_CODES = frozenset({"ET608", "ET650"})


class RekeyTask(NamedTuple):
    """What to do to a file: add its `_scope`, hand it over to other keys, so that some gain access or lose it."""

    sealed: SecretsFile
    adds_scope: bool = False
    keys: RecipientKeys | None = None
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """What is done, for people."""
        told = [f"{SCOPE_KEY} added"] if self.adds_scope else []
        told += [f"now for {', '.join(self.gained)}"] if self.gained else []
        told += [f"no longer for {', '.join(self.lost)}"] if self.lost else []
        return f"{self.sealed.path}: {'; '.join(told)}"


class SkippedFile(NamedTuple):
    """A file that is left as it is, and why."""

    path: str
    reason: str


def plan_rekeying(
    run: Run, rules: tuple[SopsConfig, ...], *, update_keys: bool
) -> tuple[list[RekeyTask], list[SkippedFile]]:
    """What is to be done to the files of a run, and what cannot be done."""
    workspace = run.workspace
    assert workspace
    organization = workspace.organization
    unclaimed = {
        one.diagnostic.span.path
        for one in run.outcome().findings
        if one.diagnostic.code in _SCOPE_CODES and one.diagnostic.key == SCOPE_KEY
    }
    planner = _RekeyPlanner(organization.secrets_policy, index_public_keys(organization.document), rules)
    found: list[RekeyTask] = []
    left: list[SkippedFile] = []
    for path, one in sorted(run.files.items()):
        sealed = one.secrets_file if one.location.kind is Kind.SECRETS else None
        if sealed is None or not sealed.is_readable:
            continue
        task = RekeyTask(sealed, adds_scope=path in unclaimed and sealed.scope is None)
        if update_keys:
            change = planner.plan_keys(sealed, project_readers(workspace, one.location.project))
            if isinstance(change, str):
                left.append(SkippedFile(path, change))
            elif change:
                task = task._replace(keys=change[0], gained=change[1], lost=change[2])
        if task.adds_scope or task.keys:
            found.append(task)
    return found, left


def rekey_file(task: RekeyTask, data: bytes, writer: SopsWriter) -> bytes:
    """The file after the task; what was in it before keeps its bytes. `data` is the file as it was checked.

    DecryptError or Failure where sops cannot do it, UnreadableError if it gave back something else than asked for.
    """
    before = read_sops_document(data, task.sealed.path)
    # First what needs to read the file, for whoever does this may lose access.
    done = before
    if task.adds_scope:
        home = task.sealed.expected_scope
        done = read_sops_document(
            writer.apply_edits(done.file, done.data, [SetValue((SCOPE_KEY,), home)]), task.sealed.path
        )
        if done.file.scope is None or done.file.scope.length != len(home.encode()):
            raise UnreadableError(task.sealed.path, ())
    if task.keys:
        done = read_sops_document(writer.update_keys(done.file, done.data, task.keys), task.sealed.path)
    _check_rekeyed(before, done, task)
    return done.data


def _check_rekeyed(before: SopsDocument, after: SopsDocument, task: RekeyTask) -> None:
    wanted = {*task.keys.age, *task.keys.pgp} if task.keys else {one.value for one in before.file.recipients}
    same = ciphertext(before.file.content) == ciphertext(after.file.content)
    if not same or {normalize_public_key(one.value) for one in after.file.recipients} != set(
        map(normalize_public_key, wanted)
    ):
        raise UnreadableError(task.sealed.path, ())


class _RekeyPlanner:
    def __init__(self, policy: SecretsPolicy, people: Mapping[str, PublicKey], rules: tuple[SopsConfig, ...]) -> None:
        self._policy = policy
        self._people = people
        self._rules = rules

    def plan_keys(
        self, sealed: SecretsFile, declared: DeclaredReaders | None
    ) -> tuple[RecipientKeys, tuple[str, ...], tuple[str, ...]] | str | None:
        """The keys for a file, who gains and who loses; why it is left alone, or None if it has the right ones."""
        file = find_governing_config(self._rules, sealed.path)
        rule = file.matching_rule(sealed.path) if file else None
        if rule is None:
            return None
        present = {normalize_public_key(one.value): one.kind for one in sealed.recipients}
        wanted = {normalize_public_key(key.value): key.kind for key in rule.keys}
        if present.keys() == wanted.keys() and sealed.threshold == rule.required_groups:
            return None
        why = self._blocking_reason(sealed, rule, declared)
        if why:
            return why
        keys = RecipientKeys.of((kind, key) for key, kind in sorted(wanted.items()))
        return keys, tuple(self._holder_names(wanted, present)), tuple(self._holder_names(present, wanted))

    def _blocking_reason(self, sealed: SecretsFile, rule: CreationRule, declared: DeclaredReaders | None) -> str:
        """What sops must not be told to do without a person who looks at it."""
        kinds = {key.kind for key in rule.keys}
        if rule.is_broken or not rule.keys or rule.weakening_settings:
            return "its rule in .sops.yaml is of no use"
        if not self._policy.allows_file(sealed) or not kinds <= self._policy.key_types:
            return "it has keys that the policy does not allow, or its rule has"
        groups = len(rule.groups) > 1 or any(one.group for one in sealed.recipients)
        if groups or not kinds | sealed.key_types <= PERSONAL_KEY_KINDS:
            return "it has key groups or services; run 'sops updatekeys' yourself"
        if declared and {normalize_public_key(key.value) for key in rule.keys} != declared.declared.keys():
            return "its rule in .sops.yaml is not for its declared readers"
        if not all(normalize_public_key(key.value) in self._people for key in rule.keys):
            return "its rule in .sops.yaml names a key that is nobody's in 'people'"
        return ""

    def _holder_names(self, keys: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
        """Whose the keys are that are not among the others; both have the kinds by the keys."""
        known, mine = self._people, keys.keys() - others.keys()
        return sorted({known[key].person if key in known else printable_key(keys[key], key) for key in mine})
