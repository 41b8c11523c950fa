"""A file that bash, dash and direnv source; `eval` may have its text, too."""

from envtree.output.emit.dialect import Dialect, Variables, lines

# Those that bash does not let be set, or gives a value of its own.
_ITS_OWN_WORDS = """
    _ BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_COMMAND BASH_LINENO BASH_SOURCE BASH_SUBSHELL
    BASH_VERSINFO DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS LINENO PIPESTATUS PPID SECONDS SHELLOPTS
    SHLVL UID
"""
_ITS_OWN = frozenset(_ITS_OWN_WORDS.split())
# What is given to these bash calculates, and in `a[$(program)]` it runs the program to do so.
_CALCULATED = frozenset({"HISTCMD", "OPTIND", "RANDOM", "SRANDOM"})
# The value of these is a program to run, or a file descriptor to close, for the shell that reads the file.
_ACTED_ON = frozenset({"BASH_COMPAT", "BASH_XTRACEFD", "MAILPATH", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4"})


def bash(given: Variables) -> bytes:
    """Every value in single quotes, in which nothing has a meaning but their end."""
    return lines(given, lambda name, text: f"export {name}={quoted(text)}")


def quoted(text: str) -> str:
    """A text as one word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def refusal(name: str, _: str) -> str:
    """Names that mean something to the shell itself; of values it takes all."""
    if name in _ITS_OWN:
        return "bash has a value of its own for this name"
    if name in _CALCULATED:
        return "bash calculates what is given to this name, and may run programs to do so"
    return "bash itself acts on this name" if name in _ACTED_ON else ""


DIALECT = Dialect((bash,), refusal, process=True)
