"""The registry of diagnostic codes.

Ranges: 1xx reading, 2xx shape, 3xx links, 4xx merging, 5xx values, 6xx secrets, 7xx checks, 8xx disk, 9xx the control
plane. From 50 in each hundred (ET150 …), and in ET330 to ET335 and ET415 to ET419 where the table says so, codes are
warnings or infos, whose severity `lint` in organization.yaml can set. A code is never reused with another meaning.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, Severity


class Scope(StrEnum):
    """The part of a tree that decides whether a finding is reported."""

    FILE = "file"  # files and what they refer to, without computing a bundle
    BUNDLE = "bundle"  # one bundle
    TREE = "tree"  # all bundles; only reported if all of them could be computed


class Topic(StrEnum):
    """The subject of a code; commands and reports that concern one subject select by it."""

    SYNTAX = "syntax"
    SCALARS = "scalars"  # the type of a plain scalar, and nothing else
    SUPPRESSIONS = "suppressions"
    FILES = "files"
    SHAPE = "shape"
    LINKS = "links"
    MERGING = "merging"
    VALUES = "values"
    SECRETS = "secrets"
    ACCESS = "access"  # who can decrypt a secrets file; the content of bundles does not depend on it
    CREDENTIALS = "credentials"  # a value that must not be shown; excerpts of its line are never printed
    CHECKS = "checks"
    OUTPUT = "output"
    CONTROL_PLANE = "control-plane"
    UNUSED = "unused"  # a part of the tree without effect; `unused` reports all of them


class Code(NamedTuple):
    """A diagnostic code.

    `severity` is that of its findings unless `lint` sets another; `default` is the same, or off if only commands other
    than `check` and `compile` look for them. Findings are left out if one of the code `follows_from` is reported.
    """

    title: str
    severity: Severity
    topic: Topic
    scope: Scope
    default: Severity
    needs_key: bool
    fixable: bool
    follows_from: str

    @property
    def is_fixed(self) -> bool:
        """Whether `lint` cannot set the severity, as the result would be wrong."""
        return self.severity is Severity.ERROR


_Row = Callable[[Topic], Code]


def _row(  # noqa: PLR0913 -- one parameter per field of a code
    severity: Severity,
    title: str,
    *,
    scope: Scope = Scope.FILE,
    default: Severity | None = None,
    needs_key: bool = False,
    fixable: bool = False,
    follows_from: str = "",
) -> _Row:
    return lambda topic: Code(title, severity, topic, scope, default or severity, needs_key, fixable, follows_from)


_error, _warning, _info = (partial(_row, severity) for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO))


def _unused(title: str) -> _Row:
    """An info that only `unused` looks for."""
    return _info(title, scope=Scope.TREE, default=Severity.OFF)


_ROWS: Mapping[Topic, Mapping[str, _Row]] = {
    Topic.SYNTAX: {
        "ET101": _error("the file is not valid YAML"),
        "ET102": _error("a key stands twice in one map"),
        "ET103": _error("a key is not text"),
        "ET104": _error("a tag is not allowed"),
        "ET105": _error("a file holds more than one document"),
        "ET108": _error("a character is not allowed"),
        "ET109": _error("the file is larger than the budget"),
        "ET110": _error("the file is nested too deeply"),
        "ET111": _error("an alias or anchor is wrong"),
        "ET112": _error("the file is not UTF-8"),
        "ET113": _error("a merge key does not merge a map"),
        "ET114": _error("a tab stands outside a quoted or block scalar"),
        "ET115": _error("a YAML directive is not allowed"),
    },
    Topic.SCALARS: {
        "ET106": _error("a plain scalar that YAML readers type differently needs quotes", fixable=True),
        "ET107": _error("a number is outside what every reader keeps exact"),
        "ET150": _warning("a plain scalar that YAML 1.1 readers would type", fixable=True),
        "ET153": _warning("a number loses its last zeros"),
    },
    Topic.SUPPRESSIONS: {
        "ET116": _error("an allowance is malformed"),
        "ET151": _warning("an allowance has ended"),
    },
    Topic.FILES: {
        "ET120": _error("a path is not a regular file"),
        "ET121": _error("a link leads out of the tree"),
        "ET122": _error("a file has the wrong ending", fixable=True),
        "ET123": _error("a file lies where no kind lives"),
        "ET124": _error("a path name is not allowed"),
        "ET125": _error("a file or folder at the root looks like a known one with a typing error"),
        "ET126": _error("a folder lacks its project.yaml or team.yaml"),
    },
    Topic.SHAPE: {
        "ET201": _error("a key is unknown", fixable=True),
        "ET202": _error("a required key is missing"),
        "ET203": _error("a value has the wrong type"),
        "ET204": _error("a value is not one of those allowed"),
        "ET205": _error("a text does not match its pattern"),
        "ET206": _error("a value is too small, too large, too short or too long"),
        "ET207": _error("a value breaks a rule of its schema"),
        "ET208": _error("the name differs from the path"),
        "ET209": _error("a field that the path or `targets` already says"),
        "ET210": _error("an expression stands where none is evaluated"),
        "ET211": _error("a directive is malformed"),
        "ET212": _error("a directive stands where none works"),
        "ET213": _error("null in env_vars"),
        "ET214": _error("a list or a map in env_vars"),
        "ET215": _error("a schema or a pattern in the tree is not usable"),
        "ET216": _error("an input reads a credential"),
        "ET220": _error("a policy of `merge` can never apply"),
        "ET221": _error("two policies of `merge` match a path equally", scope=Scope.BUNDLE),
        "ET253": _warning("a template is not expanded"),
    },
    Topic.LINKS: {
        "ET301": _error("a name points at nothing"),
        "ET302": _error("environments or mix-ins form a circle"),
        "ET303": _error("environments or mix-ins ask for orders that conflict"),
        "ET304": _error("targets are wider than those above"),
        "ET305": _error("an abstract environment is a target"),
        "ET306": _error("two places claim the default project"),
        "ET307": _error("two projects have one key"),
        "ET308": _error("an overlay is for an environment that does not exist"),
        "ET309": _error("a selector matches nothing"),
        "ET310": _error("there is nothing to check"),
        "ET311": _error("a name points at more than one thing"),
        "ET312": _error("an agent does not have the runtime of its team"),
        "ET313": _error("two resources would have one name at the control plane"),
        "ET314": _error("the control plane would refuse a resource"),
        "ET315": _error("an environment or a mix-in has too many ancestors"),
        "ET316": _error("a mix-in has secrets that a project's readers are not meant for"),
        "ET330": _warning("the ancestors of an environment differ in type"),
        "ET331": _error("`own` stands in a file that is no environment of one project"),
        "ET351": _info("an environment is declared by one project only"),
        "ET353": _info("a project has no owners", scope=Scope.TREE),
        "ET354": _info("all agents of a team say the same", scope=Scope.TREE),
    },
    Topic.MERGING: {
        "ET401": _error("a layer changes the type of a value", scope=Scope.BUNDLE),
        "ET402": _error("a layer overrides a locked value", scope=Scope.BUNDLE),
        "ET403": _error("an override misses what it expects", scope=Scope.BUNDLE),
        "ET404": _error("a list element lacks the key of its policy", scope=Scope.BUNDLE),
        "ET405": _error("a list directive meets something that is not a list", scope=Scope.BUNDLE),
        "ET406": _error("a plain value overrides a secret", scope=Scope.BUNDLE),
        "ET407": _error("two list elements have the same key", scope=Scope.BUNDLE),
        "ET452": _info("an override repeats what it inherits", scope=Scope.TREE),
    },
    Topic.VALUES: {
        "ET501": _error("an expression is malformed", scope=Scope.BUNDLE),
        "ET502": _error("an expression uses what is not allowed", scope=Scope.BUNDLE),
        "ET503": _error("an expression reads an unknown name", scope=Scope.BUNDLE),
        "ET504": _error("values depend on each other in a circle", scope=Scope.BUNDLE),
        "ET505": _error("an expression cannot be evaluated", scope=Scope.BUNDLE),
        "ET506": _error("an expression gives null to an environment variable", scope=Scope.BUNDLE),
        "ET507": _error("a computed value is too large", scope=Scope.BUNDLE),
        "ET508": _error("a computed value does not fit its place", scope=Scope.BUNDLE),
        "ET509": _error("an input has no value", scope=Scope.BUNDLE),
        "ET550": _warning("a condition on a text always has the same result", scope=Scope.BUNDLE),
    },
    Topic.SECRETS: {
        "ET127": _error("a secrets file has no file that it belongs to"),
        "ET128": _error("two files hold the secrets of one file"),
        "ET601": _error("a secret does not exist", scope=Scope.BUNDLE),
        "ET602": _error("a value in a SOPS file is not encrypted"),
        "ET603": _error("a secrets file is not a SOPS file"),
        "ET606": _error("the MAC of a SOPS file is missing or partial"),
        "ET607": _error("a key or value of a SOPS file is outside what its MAC protects"),
        "ET608": _error("a secrets file belongs to another place"),
        "ET610": _error("the MAC of a SOPS file does not match"),
        "ET611": _error("a SOPS file cannot be decrypted for what is in it"),
        "ET613": _error("the data key of a SOPS file is wrapped for more than its recipient"),
        "ET620": _error("sops is not installed"),
        "ET621": _error("no key opens a SOPS file"),
        "ET622": _error("sops took too long"),
        "ET623": _error("sops failed"),
        "ET630": _error("nobody can open a sealed bundle"),
        "ET631": _error("a bundle cannot be resolved"),
        "ET632": _error("outputs are not the parts of one"),
        "ET640": _error("there is nobody to encrypt a secrets file for"),
        "ET645": _error("the age keys of this machine cannot be used"),
        "ET646": _error("a private key would be in a git repository"),
        "ET647": _error("a reader cannot be declared"),
        "ET650": _warning("a secrets file does not say where it belongs"),
        "ET653": _warning("a SOPS file differs from its rule in .sops.yaml"),
        "ET654": _warning("a rule of .sops.yaml is of no use"),
        "ET655": _warning("the length of a secret gives it away"),
        "ET656": _warning("the same ciphertext stands in two files"),
        "ET657": _warning("a secret is a placeholder", needs_key=True, default=Severity.OFF),
    },
    Topic.ACCESS: {
        "ET604": _error("a SOPS file uses a key type that the policy does not allow"),
        "ET605": _error("a SOPS file uses an endpoint that the policy does not allow"),
        "ET609": _error("the recipients of a SOPS file differ from its declared readers"),
        "ET612": _error("a rule of .sops.yaml differs from the declared readers"),
    },
    Topic.CREDENTIALS: {
        "ET251": _warning("a plain value looks like a credential"),
        "ET252": _info("a plain value is as random as a key"),
        "ET706": _error("a secret variable is plain text", scope=Scope.BUNDLE),
    },
    Topic.CHECKS: {
        "ET701": _error("a variable breaks its contract", scope=Scope.BUNDLE),
        "ET702": _error("a required variable is missing", scope=Scope.BUNDLE),
        "ET703": _error("a variable is not declared", scope=Scope.BUNDLE),
        "ET704": _error("a bundle breaks a policy", scope=Scope.BUNDLE),
        "ET705": _error("a model does not run on the runtime of its agent", scope=Scope.BUNDLE),
        "ET707": _error("a variable would change what runs", scope=Scope.BUNDLE),
        "ET750": _warning("an agent has no model", scope=Scope.BUNDLE),
        "ET751": _warning("a variable has a reserved name"),
        "ET753": _warning("a bundle breaks a policy of severity 'warning'", scope=Scope.BUNDLE),
        "ET754": _info("a bundle breaks a policy of severity 'info'", scope=Scope.BUNDLE),
        "ET755": _warning("a variable is deprecated", scope=Scope.BUNDLE),
    },
    Topic.OUTPUT: {
        "ET801": _error("plaintext would be written where git tracks files"),
        "ET803": _error("a value cannot be written in the format", scope=Scope.BUNDLE),
        "ET804": _error("another run is writing"),
        "ET805": _error("a file cannot be read or written"),
        "ET806": _error("the output folder is not usable"),
        "ET807": _error("a file would be overwritten"),
        "ET808": _error("a file has no place for what envtree generates"),
        "ET809": _error("an output is larger than its reader takes", scope=Scope.BUNDLE),
        "ET810": _error("a template cannot be rendered", scope=Scope.BUNDLE),
        "ET811": _error("two values become one environment variable", scope=Scope.BUNDLE),
        "ET812": _error("files cannot be watched"),
        "ET850": _warning("an output may be larger than its reader takes", scope=Scope.BUNDLE),
        "ET851": _warning("objects of several bundles have one name in Kubernetes", scope=Scope.BUNDLE),
        "ET852": _warning("Terraform's provider leaves out what the tree says"),
    },
    Topic.CONTROL_PLANE: {
        "ET760": _warning("the control plane may give an agent another value", scope=Scope.TREE),
        "ET761": _warning("the control plane would have one value for several of a secret", scope=Scope.TREE),
        "ET762": _warning("the control plane cannot be told a secret of an MCP server", scope=Scope.TREE),
        "ET763": _warning("the control plane would not expand a template", scope=Scope.TREE),
        "ET764": _info("the control plane would give an agent the shell", scope=Scope.TREE),
        "ET765": _warning("a team would run without a variable", scope=Scope.TREE),
        "ET766": _warning("the control plane would lose an MCP server with an address", scope=Scope.TREE),
        "ET901": _error("the control plane cannot be asked"),
        "ET902": _error("the control plane does not answer"),
        "ET903": _error("the control plane answers with an error"),
        "ET904": _error("the control plane has changed since the plan was made"),
        "ET905": _error("the control plane did not keep what it was sent"),
        "ET906": _error("a name at the control plane is taken"),
        "ET907": _error("a protected object would be removed"),
        "ET908": _error("the file of ids is not usable"),
        "ET909": _error("the key is of another organization"),
        "ET910": _error("a secret does not fit the vault"),
    },
    Topic.UNUSED: {
        "ET152": _warning("an allowance allows nothing", scope=Scope.TREE),
        "ET350": _warning("an overlay reaches no target"),
        "ET352": _warning("a skill is configured where it is not used"),
        "ET355": _unused("no bundle is made of a project, a team or an agent"),
        "ET356": _unused("no bundle is made for an environment"),
        "ET357": _unused("a skill is used by nobody"),
        "ET358": _unused("a Rego policy is bound to nothing"),
        "ET359": _unused("nothing runs in a worker queue"),
        "ET360": _unused("a mix-in is used by nothing"),
        "ET361": _warning("a value of a mix-in is shadowed, because it is used twice", scope=Scope.BUNDLE),
        "ET450": _warning("an empty map or list changes nothing", scope=Scope.TREE),
        "ET451": _warning("a removal finds nothing to remove", scope=Scope.TREE),
        "ET453": _unused("a value is shadowed in every bundle"),
        "ET454": _unused("a policy of `merge` is for no value"),
        "ET551": _unused("an input is never read"),
        "ET651": _warning("a secret is never read", scope=Scope.TREE, follows_from="ET601"),
        "ET652": _unused("a secret is shadowed in every bundle"),
        "ET752": _warning("a policy matches nothing"),
        "ET756": _warning("a declared variable is never set", scope=Scope.TREE, follows_from="ET703"),
        "ET757": _unused("a declaration of a variable holds for no bundle"),
    },
}

CODES: Mapping[str, Code] = MappingProxyType(
    dict(sorted((name, row(topic)) for topic, rows in _ROWS.items() for name, row in rows.items()))
)

# Codes that only other commands than `check` and `compile` look for.
OPT_IN_CODES = frozenset(name for name, code in CODES.items() if code.default is Severity.OFF)


def codes_about(topic: Topic) -> frozenset[str]:
    """Return the names of the codes with a topic."""
    return frozenset(name for name, code in CODES.items() if code.topic is topic)


def without_consequences(diagnostics: Iterable[Diagnostic], reported: Collection[str]) -> Iterator[Diagnostic]:
    """Leave out the diagnostics that follow from one of the reported codes."""
    return (diagnostic for diagnostic in diagnostics if CODES[diagnostic.code].follows_from not in reported)


def is_read_failure(code: str) -> bool:
    """Report whether a finding with this code means that its file could not be read and is treated as empty."""
    return code < "ET150"
