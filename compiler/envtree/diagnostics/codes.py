"""The registry of diagnostic codes.

Ranges: 1xx reading, 2xx shape, 3xx links, 4xx merging, 5xx values, 6xx secrets, 7xx checks, 8xx disk, 9xx the control
plane. From 50 in each hundred (ET150 …), codes are warnings or infos, whose severity `lint` in organization.yaml can
set. A code is never reused with another meaning.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from envtree.model.diagnostic import Severity

# Findings about the tree as a whole, reported only if all of it could be checked.
WHOLE_TREE_CODES = frozenset({"ET152", "ET353", "ET354", "ET450", "ET451", "ET452", "ET651", "ET756"}) | {
    *("ET760", "ET761", "ET762", "ET763", "ET764", "ET765", "ET766")
}

# Findings that only `unused` looks for.
UNUSED_CODES = frozenset({"ET355", "ET356", "ET357", "ET358", "ET359", "ET453", "ET454", "ET551", "ET652", "ET757"})

# Findings that only a run that decrypts looks for.
DECRYPTION_CODES = frozenset({"ET657"})

# Findings about nothing but the type of a plain scalar.
SCALAR_TYPE_CODES = frozenset({"ET106", "ET107", "ET150", "ET153"})

# Findings about who can decrypt a secrets file; the content of bundles does not depend on them.
ACCESS_CODES = frozenset({"ET604", "ET605", "ET609", "ET612"})

# Findings about values that must not be shown; excerpts of their lines are never printed.
SENSITIVE_CODES = frozenset({"ET251", "ET252", "ET706"})


class Code(NamedTuple):
    """A diagnostic code; the severity of an `is_fixed` code can't be set by `lint`, as the result would be wrong."""

    title: str
    severity: Severity
    is_fixed: bool


_ERRORS = {
    "ET101": "the file is not valid YAML",
    "ET102": "a key stands twice in one map",
    "ET103": "a key is not text",
    "ET104": "a tag is not allowed",
    "ET105": "a file holds more than one document",
    "ET106": "a plain scalar that YAML readers type differently needs quotes",
    "ET107": "a number is outside what every reader keeps exact",
    "ET108": "a character is not allowed",
    "ET109": "the file is larger than the budget",
    "ET110": "the file is nested too deeply",
    "ET111": "an alias or anchor is wrong",
    "ET112": "the file is not UTF-8",
    "ET113": "a merge key does not merge a map",
    "ET114": "a tab stands outside a quoted or block scalar",
    "ET115": "a YAML directive is not allowed",
    "ET116": "an allowance is malformed",
    "ET120": "a path is not a regular file",
    "ET121": "a link leads out of the tree",
    "ET122": "a file has the wrong ending",
    "ET123": "a file lies where no kind lives",
    "ET124": "a path name is not allowed",
    "ET125": "a file or folder at the root looks like a known one with a typing error",
    "ET126": "a folder lacks its project.yaml or team.yaml",
    "ET127": "a secrets file has no file that it belongs to",
    "ET128": "two files hold the secrets of one file",
    "ET201": "a key is unknown",
    "ET202": "a required key is missing",
    "ET203": "a value has the wrong type",
    "ET204": "a value is not one of those allowed",
    "ET205": "a text does not match its pattern",
    "ET206": "a value is too small, too large, too short or too long",
    "ET207": "a value breaks a rule of its schema",
    "ET208": "the name differs from the path",
    "ET209": "a field that the path or `targets` already says",
    "ET210": "an expression stands where none is evaluated",
    "ET211": "a directive is malformed",
    "ET212": "a directive stands where none works",
    "ET213": "null in env_vars",
    "ET214": "a list or a map in env_vars",
    "ET215": "a schema or a pattern in the tree is not usable",
    "ET216": "an input reads a credential",
    "ET301": "a name points at nothing",
    "ET302": "environments inherit in a circle",
    "ET303": "environments inherit in orders that conflict",
    "ET304": "targets are wider than those above",
    "ET305": "an abstract environment is a target",
    "ET306": "two places claim the default project",
    "ET307": "two projects have one key",
    "ET308": "an overlay is for an environment that does not exist",
    "ET309": "a selector matches nothing",
    "ET310": "there is nothing to check",
    "ET311": "a name points at more than one thing",
    "ET312": "an agent does not have the runtime of its team",
    "ET313": "two resources would have one name at the control plane",
    "ET314": "the control plane would refuse a resource",
    "ET315": "an environment has too many ancestors",
    "ET401": "a layer changes the type of a value",
    "ET402": "a layer overrides a locked value",
    "ET403": "an override misses what it expects",
    "ET404": "a list element lacks the key of its policy",
    "ET405": "a list directive meets something that is not a list",
    "ET406": "a plain value overrides a secret",
    "ET407": "two list elements have the same key",
    "ET501": "an expression is malformed",
    "ET502": "an expression uses what is not allowed",
    "ET503": "an expression reads an unknown name",
    "ET504": "values depend on each other in a circle",
    "ET505": "an expression cannot be evaluated",
    "ET506": "an expression gives null to an environment variable",
    "ET507": "a computed value is too large",
    "ET508": "a computed value does not fit its place",
    "ET509": "an input has no value",
    "ET601": "a secret does not exist",
    "ET602": "a value in a SOPS file is not encrypted",
    "ET603": "a secrets file is not a SOPS file",
    "ET604": "a SOPS file uses a key type that the policy does not allow",
    "ET605": "a SOPS file uses an endpoint that the policy does not allow",
    "ET606": "the MAC of a SOPS file is missing or partial",
    "ET607": "a key or value of a SOPS file is outside what its MAC protects",
    "ET608": "a secrets file belongs to another place",
    "ET609": "the recipients of a SOPS file differ from its declared readers",
    "ET610": "the MAC of a SOPS file does not match",
    "ET611": "a SOPS file cannot be decrypted for what is in it",
    "ET612": "a rule of .sops.yaml differs from the declared readers",
    "ET613": "the data key of a SOPS file is wrapped for more than its recipient",
    "ET620": "sops is not installed",
    "ET621": "no key opens a SOPS file",
    "ET622": "sops took too long",
    "ET623": "sops failed",
    "ET630": "nobody can open a sealed bundle",
    "ET631": "a bundle cannot be resolved",
    "ET632": "outputs are not the parts of one",
    "ET640": "there is nobody to encrypt a secrets file for",
    "ET701": "a variable breaks its contract",
    "ET702": "a required variable is missing",
    "ET703": "a variable is not declared",
    "ET704": "a bundle breaks a policy",
    "ET705": "a model does not run on the runtime of its agent",
    "ET706": "a secret variable is plain text",
    "ET707": "a variable would change what runs",
    "ET801": "plaintext would be written where git tracks files",
    "ET803": "a value cannot be written in the format",
    "ET804": "another run is writing",
    "ET805": "a file cannot be read or written",
    "ET806": "the output folder is not usable",
    "ET807": "a file would be overwritten",
    "ET808": "a file has no place for what envtree generates",
    "ET809": "an output is larger than its reader takes",
    "ET810": "a template cannot be rendered",
    "ET811": "two values become one environment variable",
    "ET812": "files cannot be watched",
    "ET901": "the control plane cannot be asked",
    "ET902": "the control plane does not answer",
    "ET903": "the control plane answers with an error",
    "ET904": "the control plane has changed since the plan was made",
    "ET905": "the control plane did not keep what it was sent",
    "ET906": "a name at the control plane is taken",
    "ET907": "a protected object would be removed",
    "ET908": "the file of ids is not usable",
    "ET909": "the key is of another organization",
    "ET910": "a secret does not fit the vault",
}

_WARNINGS = {
    "ET150": "a plain scalar that YAML 1.1 readers would type",
    "ET151": "an allowance has ended",
    "ET152": "an allowance allows nothing",
    "ET153": "a number loses its last zeros",
    "ET251": "a plain value looks like a credential",
    "ET253": "a template is not expanded",
    "ET350": "an overlay reaches no target",
    "ET351": "an environment is declared by one project only",
    "ET352": "a skill is configured where it is not used",
    "ET450": "an empty map or list changes nothing",
    "ET451": "a removal finds nothing to remove",
    "ET550": "a condition tests a text that is never empty",
    "ET650": "a secrets file does not say where it belongs",
    "ET651": "a secret is never read",
    "ET653": "a SOPS file differs from its rule in .sops.yaml",
    "ET654": "a rule of .sops.yaml is of no use",
    "ET655": "the length of a secret gives it away",
    "ET656": "the same ciphertext stands in two files",
    "ET657": "a secret is a placeholder",
    "ET750": "an agent has no model",
    "ET751": "a variable has a reserved name",
    "ET752": "a policy matches nothing",
    "ET753": "a bundle breaks a policy of severity 'warning'",
    "ET755": "a variable is deprecated",
    "ET756": "a declared variable is never set",
    "ET760": "the control plane may give an agent another value",
    "ET761": "the control plane would have one value for several of a secret",
    "ET762": "the control plane cannot be told a secret of an MCP server",
    "ET763": "the control plane would not expand a template",
    "ET765": "a team would run without a variable",
    "ET766": "the control plane would lose an MCP server with an address",
    "ET850": "an output may be larger than its reader takes",
    "ET852": "Terraform's provider leaves out what the tree says",
    "ET851": "objects of several bundles have one name in Kubernetes",
}

_INFOS = {
    "ET252": "a plain value is as random as a key",
    "ET353": "a project has no owners",
    "ET354": "all agents of a team say the same",
    "ET355": "no bundle is made of a project, a team or an agent",
    "ET356": "no bundle is made for an environment",
    "ET357": "a skill is used by nobody",
    "ET358": "a Rego policy is bound to nothing",
    "ET359": "nothing runs in a worker queue",
    "ET452": "an override repeats what it inherits",
    "ET453": "a value is shadowed in every bundle",
    "ET454": "a list policy is for no list",
    "ET551": "an input is never read",
    "ET652": "a secret is shadowed in every bundle",
    "ET754": "a bundle breaks a policy of severity 'info'",
    "ET764": "the control plane would give an agent the shell",
    "ET757": "a declaration of a variable holds for no bundle",
}

CODES: Mapping[str, Code] = MappingProxyType(
    {code: Code(title, Severity.ERROR, is_fixed=True) for code, title in _ERRORS.items()}
    | {code: Code(title, Severity.WARNING, is_fixed=False) for code, title in _WARNINGS.items()}
    | {code: Code(title, Severity.INFO, is_fixed=False) for code, title in _INFOS.items()}
)


def is_read_failure(code: str) -> bool:
    """Report whether a finding with this code means that its file could not be read and is treated as empty."""
    return code < "ET150"
