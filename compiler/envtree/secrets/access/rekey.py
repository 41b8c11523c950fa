"""Plan what makes the secrets files say what is declared: a `_scope` for each, and the keys of its rule."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.engine.run import Run
from envtree.frontend.link.readers import Key, Readers, everybody, identity, readers_of
from envtree.model.secrets_file import PERSONAL, SCOPE, SealedFile, SecretsPolicy, shown_key
from envtree.model.sops_rule import CreationRule, RulesFile, governing
from envtree.model.source import Kind
from envtree.secrets.edit.leaves import ciphertext
from envtree.secrets.edit.reading import Sealed, UnreadableError, read
from envtree.secrets.sops.writing import Keys, Set, SopsWriter

_MISSING = frozenset({"ET608", "ET650"})


class Task(NamedTuple):
    """What to do to a file: add its `_scope`, hand it over to other keys, so that some gain access or lose it."""

    sealed: SealedFile
    scope: bool = False
    keys: Keys | None = None
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What is done, for people."""
        told = [f"{SCOPE} added"] if self.scope else []
        told += [f"now for {', '.join(self.gained)}"] if self.gained else []
        told += [f"no longer for {', '.join(self.lost)}"] if self.lost else []
        return f"{self.sealed.path}: {'; '.join(told)}"


class Left(NamedTuple):
    """A file that is left as it is, and why."""

    path: str
    why: str


def tasks(run: Run, rules: tuple[RulesFile, ...], *, update_keys: bool) -> tuple[list[Task], list[Left]]:
    """What is to be done to the files of a run, and what cannot be done."""
    workspace = run.workspace
    assert workspace
    organization = workspace.organization
    unclaimed = {
        one.diagnostic.span.path
        for one in run.outcome().findings
        if one.diagnostic.code in _MISSING and one.diagnostic.key == SCOPE
    }
    planner = _Planner(organization.secrets_policy, everybody(organization.document), rules)
    found: list[Task] = []
    left: list[Left] = []
    for path, one in sorted(run.files.items()):
        sealed = one.sealed if one.location.kind is Kind.SECRETS else None
        if sealed is None or not sealed.readable:
            continue
        task = Task(sealed, scope=path in unclaimed and sealed.scope is None)
        if update_keys:
            change = planner.keys(sealed, readers_of(workspace, one.location.project))
            if isinstance(change, str):
                left.append(Left(path, change))
            elif change:
                task = task._replace(keys=change[0], gained=change[1], lost=change[2])
        if task.scope or task.keys:
            found.append(task)
    return found, left


def perform(task: Task, data: bytes, writer: SopsWriter) -> bytes:
    """The file after the task; what was in it before keeps its bytes. `data` is the file as it was checked.

    DecryptError or Failure where sops cannot do it, UnreadableError if it gave back something else than asked for.
    """
    before = read(data, task.sealed.path)
    # First what needs to read the file, for whoever does this may lose access.
    done = before
    if task.scope:
        home = task.sealed.home
        done = read(writer.change(done.file, done.data, [Set((SCOPE,), home)]), task.sealed.path)
        if done.file.scope is None or done.file.scope.length != len(home.encode()):
            raise UnreadableError(task.sealed.path, ())
    if task.keys:
        done = read(writer.hand_over(done.file, done.data, task.keys), task.sealed.path)
    _check(before, done, task)
    return done.data


def _check(before: Sealed, after: Sealed, task: Task) -> None:
    wanted = {*task.keys.age, *task.keys.pgp} if task.keys else {one.value for one in before.file.recipients}
    same = ciphertext(before.file.content) == ciphertext(after.file.content)
    if not same or {identity(one.value) for one in after.file.recipients} != set(map(identity, wanted)):
        raise UnreadableError(task.sealed.path, ())


class _Planner:
    def __init__(self, policy: SecretsPolicy, people: Mapping[str, Key], rules: tuple[RulesFile, ...]) -> None:
        self._policy = policy
        self._people = people
        self._rules = rules

    def keys(
        self, sealed: SealedFile, declared: Readers | None
    ) -> tuple[Keys, tuple[str, ...], tuple[str, ...]] | str | None:
        """The keys for a file, who gains and who loses; why it is left alone, or None if it has the right ones."""
        file = governing(self._rules, sealed.path)
        rule = file.first(sealed.path) if file else None
        if rule is None:
            return None
        present = {identity(one.value): one.kind for one in sealed.recipients}
        wanted = {identity(key.value): key.kind for key in rule.keys}
        if present.keys() == wanted.keys() and sealed.threshold == rule.needed:
            return None
        why = self._obstacle(sealed, rule, declared)
        if why:
            return why
        keys = Keys.of((kind, key) for key, kind in sorted(wanted.items()))
        return keys, tuple(self._names(wanted, present)), tuple(self._names(present, wanted))

    def _obstacle(self, sealed: SealedFile, rule: CreationRule, declared: Readers | None) -> str:
        """What sops must not be told to do without a person who looks at it."""
        kinds = {key.kind for key in rule.keys}
        if rule.broken or not rule.keys or rule.loose:
            return "its rule in .sops.yaml is of no use"
        if not self._policy.admits(sealed) or not kinds <= self._policy.key_types:
            return "it has keys that the policy does not allow, or its rule has"
        groups = len(rule.groups) > 1 or any(one.group for one in sealed.recipients)
        if groups or not kinds | sealed.key_types <= PERSONAL:
            return "it has key groups or services; run 'sops updatekeys' yourself"
        if declared and {identity(key.value) for key in rule.keys} != declared.declared.keys():
            return "its rule in .sops.yaml is not for its declared readers"
        if not all(identity(key.value) in self._people for key in rule.keys):
            return "its rule in .sops.yaml names a key that is nobody's in 'people'"
        return ""

    def _names(self, keys: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
        """Whose the keys are that are not among the others; both have the kinds by the keys."""
        known, mine = self._people, keys.keys() - others.keys()
        return sorted({known[key].person if key in known else shown_key(keys[key], key) for key in mine})
