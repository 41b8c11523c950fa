"""Names of variables that shells compute, evaluate or act on; `tests/unit/output/test_shells.py` asks the shells."""

# bash does not allow these to be set, or gives them a value of its own.
_COMPUTED_WORDS = """
    _ BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_COMMAND BASH_LINENO BASH_SOURCE BASH_SUBSHELL
    BASH_VERSINFO DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS LINENO PIPESTATUS PPID SECONDS SHELLOPTS
    SHLVL UID
"""
_COMPUTED = frozenset(_COMPUTED_WORDS.split())
# bash evaluates values of these as arithmetic, and runs the program in `a[$(program)]` to do so.
_ARITHMETIC = frozenset({"HISTCMD", "MAILCHECK", "OPTIND", "RANDOM", "SRANDOM"})
# A shell runs the value of these as a program, finds programs or functions by it, writes to or truncates the file that
# it names, closes it as a file descriptor, or splits words by it.
_ACTED_ON_WORDS = """
    PATH IFS ENV BASH_ENV PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND HISTFILE HISTFILESIZE HISTSIZE SAVEHIST MAILPATH FPATH
    BASH_COMPAT BASH_XTRACEFD BASH_LOADABLES_PATH NULLCMD READNULLCMD path fpath module_path
"""
ACTED_ON = frozenset(_ACTED_ON_WORDS.split())
ACTED_ON_PREFIXES = ("LD_", "DYLD_")


def computed_reason(name: str) -> str:
    """Return why no file that a shell reads can set a name, or ""."""
    if name in _COMPUTED:
        return "bash has a value of its own for this name"
    if name in _ARITHMETIC:
        return "bash calculates what is given to this name, and may run programs to do so"
    return ""


def is_acted_on(name: str) -> bool:
    """Return whether a shell acts on the value of a name, so that setting it has to be allowed."""
    return name in ACTED_ON or name.startswith(ACTED_ON_PREFIXES)
