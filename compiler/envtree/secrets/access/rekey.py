"""Plan and apply the changes that give each secrets file its `_scope` and the keys of its rule."""

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
    """A change of one file: its `_scope` is added, or its keys are replaced, by which people gain or lose access."""

    sealed: SecretsFile
    adds_scope: bool = False
    keys: RecipientKeys | None = None
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """The change as text for people."""
        parts = [f"{SCOPE_KEY} added"] if self.adds_scope else []
        parts += [f"now for {', '.join(self.gained)}"] if self.gained else []
        parts += [f"no longer for {', '.join(self.lost)}"] if self.lost else []
        return f"{self.sealed.path}: {'; '.join(parts)}"


class SkippedFile(NamedTuple):
    """A file that is not changed, and the reason."""

    path: str
    reason: str


def plan_rekeying(
    run: Run, rules: tuple[SopsConfig, ...], *, update_keys: bool
) -> tuple[list[RekeyTask], list[SkippedFile]]:
    """Return the tasks for the files of a run, and the files that have to be skipped."""
    workspace = run.workspace
    assert workspace
    organization = workspace.organization
    unclaimed = {
        finding.diagnostic.span.path
        for finding in run.outcome().findings
        if finding.diagnostic.code in _SCOPE_CODES and finding.diagnostic.key == SCOPE_KEY
    }
    planner = _RekeyPlanner(organization.secrets_policy, index_public_keys(organization.document), rules)
    tasks: list[RekeyTask] = []
    skipped: list[SkippedFile] = []
    for path, resource in sorted(run.files.items()):
        sealed = resource.secrets_file if resource.location.kind is Kind.SECRETS else None
        if sealed is None or not sealed.is_readable:
            continue
        task = RekeyTask(sealed, adds_scope=path in unclaimed and sealed.scope is None)
        if update_keys:
            change = planner.plan_keys(sealed, project_readers(workspace, resource.location.project))
            if isinstance(change, str):
                skipped.append(SkippedFile(path, change))
            elif change:
                keys, gained, lost = change
                task = task._replace(keys=keys, gained=gained, lost=lost)
        if task.adds_scope or task.keys:
            tasks.append(task)
    return tasks, skipped


def rekey_file(task: RekeyTask, data: bytes, writer: SopsWriter) -> bytes:
    """Apply a task to `data`, the file as it was checked; existing values keep their ciphertexts.

    Raises DecryptError or MachineError where sops fails, and UnreadableError if its result is not the wanted one.
    """
    before = read_sops_document(data, task.sealed.path)
    # Steps that read the file come first, because this user may lose access.
    after = before
    if task.adds_scope:
        scope = task.sealed.expected_scope
        after = read_sops_document(
            writer.apply_edits(after.file, after.data, [SetValue((SCOPE_KEY,), scope)]), task.sealed.path
        )
        if after.file.scope is None or after.file.scope.length != len(scope.encode()):
            raise UnreadableError(task.sealed.path, ())
    if task.keys:
        after = read_sops_document(writer.update_keys(after.file, after.data, task.keys), task.sealed.path)
    _check_rekeyed(before, after, task)
    return after.data


def _check_rekeyed(before: SopsDocument, after: SopsDocument, task: RekeyTask) -> None:
    expected = (
        {*task.keys.age, *task.keys.pgp} if task.keys else {recipient.value for recipient in before.file.recipients}
    )
    has_same_values = ciphertext(before.file.content) == ciphertext(after.file.content)
    if not has_same_values or {normalize_public_key(recipient.value) for recipient in after.file.recipients} != set(
        map(normalize_public_key, expected)
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
        """Return the new keys and the names of the people who gain and lose access.

        A text is the reason to skip the file; None if its keys are right already.
        """
        config = find_governing_config(self._rules, sealed.path)
        rule = config.matching_rule(sealed.path) if config else None
        if rule is None:
            return None
        present = {normalize_public_key(recipient.value): recipient.kind for recipient in sealed.recipients}
        expected = {normalize_public_key(key.value): key.kind for key in rule.keys}
        if present.keys() == expected.keys() and sealed.threshold == rule.required_groups:
            return None
        reason = self._blocking_reason(sealed, rule, declared)
        if reason:
            return reason
        keys = RecipientKeys.of((kind, key) for key, kind in sorted(expected.items()))
        return keys, tuple(self._holder_names(expected, present)), tuple(self._holder_names(present, expected))

    def _blocking_reason(self, sealed: SecretsFile, rule: CreationRule, declared: DeclaredReaders | None) -> str:
        """Return why the change needs a person to look at it, or an empty text."""
        kinds = {key.kind for key in rule.keys}
        if rule.is_broken or not rule.keys or rule.weakening_settings:
            return "its rule in .sops.yaml is of no use"
        if not self._policy.allows_file(sealed) or not kinds <= self._policy.key_types:
            return "it has keys that the policy does not allow, or its rule has"
        has_groups = len(rule.groups) > 1 or any(recipient.group for recipient in sealed.recipients)
        if has_groups or not kinds | sealed.key_types <= PERSONAL_KEY_KINDS:
            return "it has key groups or services; run 'sops updatekeys' yourself"
        if declared and {normalize_public_key(key.value) for key in rule.keys} != declared.declared.keys():
            return "its rule in .sops.yaml is not for its declared readers"
        if not all(normalize_public_key(key.value) in self._people for key in rule.keys):
            return "its rule in .sops.yaml names a key that is nobody's in 'people'"
        return ""

    def _holder_names(self, keys: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
        """Return the owners of the keys that are not in `others`; both map keys to their kinds."""
        people, own = self._people, keys.keys() - others.keys()
        return sorted({people[key].person if key in people else printable_key(keys[key], key) for key in own})
