"""Reserved names of environment variables: programs act on their values, so setting one is rarely intended."""

import re2

# Read by dynamic linkers, shells, language runtimes, TLS libraries and tools before a program's own code runs.
_STARTUP_WORDS = """
    PATH HOME TMPDIR IFS ENV BASH_ENV PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND SHELLOPTS BASHOPTS CDPATH GLOBIGNORE
    HISTFILE HISTFILESIZE HISTSIZE SAVEHIST MAILPATH FPATH BASH_COMPAT BASH_XTRACEFD BASH_LOADABLES_PATH NULLCMD
    READNULLCMD path fpath module_path
    PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PYTHONWARNINGS PYTHONBREAKPOINT PYTHONUSERBASE
    PYTHONPYCACHEPREFIX PYTHONPLATLIBDIR PYTHONEXECUTABLE
    NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED
    RUBYOPT RUBYLIB PERL5OPT PERL5LIB PERLLIB PERL5DB PHPRC PHP_INI_SCAN_DIR LUA_INIT
    R_PROFILE R_PROFILE_USER R_ENVIRON R_ENVIRON_USER ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS
    JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH
    DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS CORECLR_PROFILER_PATH COR_PROFILER_PATH
    SSH_ASKPASS SUDO_ASKPASS EDITOR VISUAL PAGER MANPAGER BROWSER LESSOPEN LESSCLOSE ZDOTDIR
    GLIBC_TUNABLES GCONV_PATH LOCPATH OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES
    SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE DOCKER_HOST KUBECONFIG
"""
_NPM_WORDS = "script_shell node_options userconfig globalconfig shell git editor"
# npm reads its settings from names in lower and in upper case.
_NPM_NAMES = [f"npm_config_{word}" for word in _NPM_WORDS.split()]
_STARTUP_NAMES = frozenset(_STARTUP_WORDS.split()) | {*_NPM_NAMES} | {name.upper() for name in _NPM_NAMES}
_STARTUP_PREFIXES = ("LD_", "DYLD_", "BASH_FUNC_", "MALLOC_", "GIT_", "SOPS_")
_RUNNER_PREFIXES = ("GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_")

# The control plane sets these itself, and overrides the values of an agent.
_CONTROL_PLANE_WORDS = """
    KUBIYA_API_KEY KUBIYA_API_BASE KUBIYA_ORG_ID MEMORY_DATASET_NAME CONTROL_PLANE_URL CONTEXT_GRAPH_API_BASE
"""
_CONTROL_PLANE_NAMES = frozenset(_CONTROL_PLANE_WORDS.split())

# Names that only the application reads, despite their prefix.
_EXEMPT_NAMES = frozenset(
    {"GIT_BRANCH", "GIT_COMMIT", "GIT_REPO", "GIT_SHA", "GIT_TAG", "GIT_TOKEN", "GIT_URL", "GITHUB_TOKEN"}
)


_NAMES = _STARTUP_NAMES | _CONTROL_PLANE_NAMES
_PREFIXES = (*_STARTUP_PREFIXES, *_RUNNER_PREFIXES)
_SUFFIXES = ("_PROXY", "_proxy")


# Searches the JSON of a whole file.
_PREFIX_PATTERN = "|".join(_PREFIXES)
_RESERVED_NAME_PATTERN = re2.compile(
    rf'"(?:{"|".join(sorted(_NAMES))}|(?:{_PREFIX_PATTERN})[^"]*|[^"]*(?:{"|".join(_SUFFIXES)}))"'.encode()
)


def may_contain_reserved_names(text: bytes) -> bool:
    """Report whether the JSON of a file may set a reserved name."""
    return _RESERVED_NAME_PATTERN.search(text) is not None


def reserved_reason(name: str) -> str:
    """Return why a name is reserved, or an empty string."""
    if name in _NAMES or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES):
        return "" if name in _EXEMPT_NAMES else _explain_reserved(name)
    return ""


def unsafe_variable_reason(name: str) -> str:
    """Return why `run` must not pass on a variable of this name from the tree, or an empty string."""
    return "" if name in _CONTROL_PLANE_NAMES else reserved_reason(name)


def _explain_reserved(name: str) -> str:
    if name in _CONTROL_PLANE_NAMES:
        return "the control plane sets it itself"
    if name.startswith(_RUNNER_PREFIXES):
        return "a CI runner sets it and takes orders from it"
    if name.endswith(_SUFFIXES):
        return "it reroutes the network traffic of most programs"
    return "it changes how programs start and what they trust"
