"""Hold secrets files and declared readers against `.sops.yaml`: for whom sops would encrypt the next file."""

from collections.abc import Iterable, Iterator, Mapping

from envtree.frontend.link.declared_readers import DeclaredReaders, PublicKey, normalize_public_key
from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.secrets_file import PERSONAL_KEY_KINDS, Recipient, SecretsFile, SecretsPolicy, printable_key
from envtree.model.sops_rule import CreationRule, CreationRuleKey, SopsConfig, find_governing_config
from envtree.model.span import Span, file_span

_SYNC_HINT = "'envtree secrets sync' writes the rules from what is declared"


class SopsRuleChecker:
    """The rules of a tree; each is judged once by itself, and with every secrets file that it is for."""

    def __init__(self, files: tuple[SopsConfig, ...], policy: SecretsPolicy, people: Mapping[str, PublicKey]) -> None:
        self._files = files
        self._policy = policy
        self._people = people
        self._reported: set[tuple[Span, str]] = set()

    def check(self, sealed: SecretsFile, readers: DeclaredReaders | None) -> Iterator[Diagnostic]:
        """What is wrong between a secrets file, its rule and its readers; what was told of a rule is not told again."""
        file = find_governing_config(self._files, sealed.path)
        if file is None or not file.rules:
            return
        rule = file.matching_rule(sealed.path)
        if rule is None:
            message = f"no rule of '{file.path}' is for this file"
            hint = f"add one, or sops does not know for whom to encrypt; {_SYNC_HINT}"
            yield Diagnostic(sealed.span, "ET653", message, hint, (RelatedSpan(file_span(file.path), "the rules"),))
        elif not rule.is_broken:
            for finding in (*self._check_rule(rule), *self._check_rule_readers(rule, sealed, readers)):
                if (finding.span, finding.code) not in self._reported:
                    self._reported.add((finding.span, finding.code))
                    yield finding
            yield from self._check_file_keys(sealed, rule, file, readers)

    def _check_rule(self, rule: CreationRule) -> Iterator[Diagnostic]:
        """Why a file that this rule makes would be refused."""
        if not rule.keys or not all(rule.groups):
            hint = f"name the keys of those who may read the files; {_SYNC_HINT}"
            yield Diagnostic(rule.span, "ET654", "the rule names no key, so sops can encrypt nothing", hint)
        for name, span in rule.weakening_settings:
            message = f"'{name}' leaves parts of a file in plain text or out of its MAC, and such a file is refused"
            yield Diagnostic(span, "ET654", message, "remove the line")
        for key in rule.keys:
            foreign = next((one.value for one in key.endpoints if not self._policy.allows_endpoint(one)), None)
            if key.kind not in self._policy.key_types:
                message = f"the rule names a key of type '{key.kind}', which 'secrets.key_types' does not allow"
                yield Diagnostic(key.span, "ET654", message, "remove the key, or allow its type in organization.yaml")
            elif foreign is not None:
                message = f"the rule names a '{key.kind}' key at an endpoint that 'secrets.endpoints' does not allow"
                yield Diagnostic(key.span, "ET654", message, "remove the key, or allow it in organization.yaml")

    def _check_rule_readers(
        self, rule: CreationRule, sealed: SecretsFile, readers: DeclaredReaders | None
    ) -> Iterator[Diagnostic]:
        """Keys of the rule that are no reader's, and readers whom it leaves out."""
        if readers is None or not readers.is_reliable:
            return
        named = {normalize_public_key(key.value): key for key in rule.keys if key.kind in PERSONAL_KEY_KINDS}
        strangers: dict[Span, list[CreationRuleKey]] = {}
        for spelling, key in named.items():
            if spelling not in readers.declared:
                strangers.setdefault(key.span, []).append(key)
        related = (RelatedSpan(readers.span, "the readers"),)
        for span, keys in strangers.items():
            who = _join_unique(self._describe_key(key) for key in keys)
            message = f"the rule for '{sealed.path}' names {who}, not among the readers of the file"
            hint = f"take the key out, or add its owner to 'secret_readers'; {_SYNC_HINT}"
            yield Diagnostic(span, "ET612", message, hint, related)
        missing = sorted({key.person for spelling, key in readers.declared.items() if spelling not in named})
        if missing:
            who = _join_unique(f"'{person}'" for person in missing)
            message = f"the rule for '{sealed.path}' leaves out {who}, who may read the file"
            yield Diagnostic(rule.span, "ET612", message, f"add the key; {_SYNC_HINT}", related)

    def _check_file_keys(
        self, sealed: SecretsFile, rule: CreationRule, file: SopsConfig, readers: DeclaredReaders | None
    ) -> Iterator[Diagnostic]:
        """How the keys of a file are others than its rule's; where readers are declared people are their matter."""
        told = [
            *self._describe_unmatched("is encrypted for", sealed.recipients, rule.keys, readers),
            *self._describe_unmatched("is not encrypted for", rule.keys, sealed.recipients, readers),
        ]
        if not told and _is_regrouped(sealed, rule):
            told = ["has the same keys in other groups"]
        if told:
            message = f"the file {' and '.join(told)}, unlike its rule in '{file.path}'"
            hint = f"run 'sops updatekeys {sealed.path}' if the rule is right, or 'envtree secrets sync --update-keys'"
            yield Diagnostic(sealed.span, "ET653", message, hint, (RelatedSpan(rule.span, "the rule"),))

    def _describe_unmatched(
        self,
        words: str,
        keys: Iterable[Recipient | CreationRuleKey],
        counterparts: Iterable[Recipient | CreationRuleKey],
        readers: DeclaredReaders | None,
    ) -> Iterator[str]:
        known = {(other.kind, normalize_public_key(other.value)) for other in counterparts}
        beside = [key for key in keys if (key.kind, normalize_public_key(key.value)) not in known]
        if readers:
            beside = [key for key in beside if key.kind not in PERSONAL_KEY_KINDS]
        if beside:
            yield f"{words} {_join_unique(self._describe_key(key) for key in beside)}"

    def _describe_key(self, key: Recipient | CreationRuleKey) -> str:
        """Whose key it is, or the key."""
        spelling = normalize_public_key(key.value) if key.kind in PERSONAL_KEY_KINDS else key.value
        known = self._people.get(spelling)
        return f"'{known.person}'" if known else f"'{printable_key(key.kind, spelling)}', whom nobody knows"


def _join_unique(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _is_regrouped(sealed: SecretsFile, rule: CreationRule) -> bool:
    """Whether a file has the keys of its rule, but another number of them is needed to open it."""
    groups: dict[int, set[str]] = {}
    for recipient in sealed.recipients:
        groups.setdefault(recipient.group, set()).add(normalize_public_key(recipient.value))
    wanted = [{normalize_public_key(key.value) for key in group} for group in rule.groups]
    if set().union(*groups.values()) != set().union(*wanted):
        return False
    by_number = sorted(map(sorted, groups.values())), sealed.threshold
    return by_number != (sorted(map(sorted, wanted)), rule.required_groups)
