"""Check secrets files and declared readers against `.sops.yaml`, which decides for whom sops encrypts new files."""

from collections.abc import Iterable, Iterator, Mapping

from envtree.frontend.link.declared_readers import DeclaredReaders, PublicKey, normalize_public_key
from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.secrets_file import PERSONAL_KEY_KINDS, Recipient, SecretsFile, SecretsPolicy, printable_key
from envtree.model.sops_rule import CreationRule, CreationRuleKey, SopsConfig, find_governing_config
from envtree.model.span import Span, file_span

_SYNC_HINT = "'envtree secrets sync' writes the rules from what is declared"


class SopsRuleChecker:
    """Checks the creation rules of a tree, each by itself once, and with every secrets file that it applies to."""

    def __init__(self, configs: tuple[SopsConfig, ...], policy: SecretsPolicy, people: Mapping[str, PublicKey]) -> None:
        self._configs = configs
        self._policy = policy
        self._people = people
        self._reported: set[tuple[Span, str]] = set()

    def check(self, secrets_file: SecretsFile, readers: DeclaredReaders | None) -> Iterator[Diagnostic]:
        """Yield the conflicts between a secrets file, its rule and its readers; each finding about a rule only once."""
        config = find_governing_config(self._configs, secrets_file.path)
        if config is None or not config.rules:
            return
        rule = config.matching_rule(secrets_file.path)
        if rule is None:
            message = f"no rule of '{config.path}' is for this file"
            hint = f"add one, or sops does not know for whom to encrypt; {_SYNC_HINT}"
            yield Diagnostic(
                secrets_file.span, "ET653", message, hint, related=(RelatedSpan(file_span(config.path), "the rules"),)
            )
        elif not rule.is_broken:
            for finding in (*self._check_rule(rule), *self._check_rule_readers(rule, secrets_file, readers)):
                if (finding.span, finding.code) not in self._reported:
                    self._reported.add((finding.span, finding.code))
                    yield finding
            yield from self._check_file_keys(secrets_file, rule, config, readers)

    def _check_rule(self, rule: CreationRule) -> Iterator[Diagnostic]:
        """Yield the reasons why envtree would refuse files encrypted by this rule."""
        if not rule.keys or not all(rule.groups):
            hint = f"name the keys of those who may read the files; {_SYNC_HINT}"
            yield Diagnostic(rule.span, "ET654", "the rule names no key, so sops can encrypt nothing", hint)
        for name, span in rule.weakening_settings:
            message = f"'{name}' leaves parts of a file in plain text or out of its MAC, and such a file is refused"
            yield Diagnostic(span, "ET654", message, "remove the line")
        for key in rule.keys:
            forbidden = next(
                (endpoint.value for endpoint in key.endpoints if not self._policy.allows_endpoint(endpoint)), None
            )
            if key.kind not in self._policy.key_types:
                message = f"the rule names a key of type '{key.kind}', which 'secrets.key_types' does not allow"
                yield Diagnostic(key.span, "ET654", message, "remove the key, or allow its type in organization.yaml")
            elif forbidden is not None:
                message = f"the rule names a '{key.kind}' key at an endpoint that 'secrets.endpoints' does not allow"
                yield Diagnostic(key.span, "ET654", message, "remove the key, or allow it in organization.yaml")

    def _check_rule_readers(
        self, rule: CreationRule, secrets_file: SecretsFile, readers: DeclaredReaders | None
    ) -> Iterator[Diagnostic]:
        """Report keys of the rule that belong to no reader, and readers that it leaves out."""
        if readers is None or not readers.is_reliable:
            return
        rule_keys = {normalize_public_key(key.value): key for key in rule.keys if key.kind in PERSONAL_KEY_KINDS}
        undeclared: dict[Span, list[CreationRuleKey]] = {}
        for normalized, key in rule_keys.items():
            if normalized not in readers.declared:
                undeclared.setdefault(key.span, []).append(key)
        related = (RelatedSpan(readers.span, "the readers"),)
        for span, keys in undeclared.items():
            owners = _join_unique(self._describe_key(key) for key in keys)
            message = f"the rule for '{secrets_file.path}' names {owners}, not among the readers of the file"
            hint = f"take the key out, or add its owner to 'secret_readers'; {_SYNC_HINT}"
            yield Diagnostic(span, "ET612", message, hint, related=related)
        missing = sorted({key.person for normalized, key in readers.declared.items() if normalized not in rule_keys})
        if missing:
            owners = _join_unique(f"'{person}'" for person in missing)
            message = f"the rule for '{secrets_file.path}' leaves out {owners}, who may read the file"
            yield Diagnostic(rule.span, "ET612", message, f"add the key; {_SYNC_HINT}", related=related)

    def _check_file_keys(
        self, secrets_file: SecretsFile, rule: CreationRule, config: SopsConfig, readers: DeclaredReaders | None
    ) -> Iterator[Diagnostic]:
        """Report differences between the keys of a file and its rule, except personal keys if readers are declared."""
        differences = [
            *self._describe_unmatched("is encrypted for", secrets_file.recipients, rule.keys, readers),
            *self._describe_unmatched("is not encrypted for", rule.keys, secrets_file.recipients, readers),
        ]
        if not differences and _is_regrouped(secrets_file, rule):
            differences = ["has the same keys in other groups"]
        if differences:
            message = f"the file {' and '.join(differences)}, unlike its rule in '{config.path}'"
            update_command = f"sops updatekeys {secrets_file.path}"
            hint = f"run '{update_command}' if the rule is right, or 'envtree secrets sync --update-keys'"
            yield Diagnostic(secrets_file.span, "ET653", message, hint, related=(RelatedSpan(rule.span, "the rule"),))

    def _describe_unmatched(
        self,
        verb: str,
        keys: Iterable[Recipient | CreationRuleKey],
        counterparts: Iterable[Recipient | CreationRuleKey],
        readers: DeclaredReaders | None,
    ) -> Iterator[str]:
        expected = {(counterpart.kind, normalize_public_key(counterpart.value)) for counterpart in counterparts}
        unmatched = [key for key in keys if (key.kind, normalize_public_key(key.value)) not in expected]
        if readers:
            unmatched = [key for key in unmatched if key.kind not in PERSONAL_KEY_KINDS]
        if unmatched:
            yield f"{verb} {_join_unique(self._describe_key(key) for key in unmatched)}"

    def _describe_key(self, key: Recipient | CreationRuleKey) -> str:
        """Return the owner of a key, or the key if its owner is unknown."""
        normalized = normalize_public_key(key.value) if key.kind in PERSONAL_KEY_KINDS else key.value
        public_key = self._people.get(normalized)
        return f"'{public_key.person}'" if public_key else f"'{printable_key(key.kind, normalized)}', whom nobody knows"


def _join_unique(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _is_regrouped(secrets_file: SecretsFile, rule: CreationRule) -> bool:
    """Report whether a file has the keys of its rule in other groups or with another threshold."""
    groups: dict[int, set[str]] = {}
    for recipient in secrets_file.recipients:
        groups.setdefault(recipient.group, set()).add(normalize_public_key(recipient.value))
    rule_groups = [{normalize_public_key(key.value) for key in group} for group in rule.groups]
    if set().union(*groups.values()) != set().union(*rule_groups):
        return False
    file_requirement = sorted(map(sorted, groups.values())), secrets_file.threshold
    return file_requirement != (sorted(map(sorted, rule_groups)), rule.required_groups)
