"""A file that bash, dash and direnv source; `eval` may have its text, too."""

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines

# Those that bash does not let be set, or gives a value of its own.
_RESERVED_TEXT = """
    _ BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_COMMAND BASH_LINENO BASH_SOURCE BASH_SUBSHELL
    BASH_VERSINFO DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS LINENO PIPESTATUS PPID SECONDS SHELLOPTS
    SHLVL UID
"""
_RESERVED = frozenset(_RESERVED_TEXT.split())
# What is given to these bash calculates, and in `a[$(program)]` it runs the program to do so.
_ARITHMETIC = frozenset({"HISTCMD", "OPTIND", "RANDOM", "SRANDOM"})
# The value of these is a program to run, or a file descriptor to close, for the shell that reads the file.
_SIDE_EFFECTS = frozenset({"BASH_COMPAT", "BASH_XTRACEFD", "MAILPATH", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4"})


def bash(env: WriterInput) -> bytes:
    """Every value in single quotes, in which nothing has a meaning but their end."""
    return format_lines(env, lambda name, text: f"export {name}={quote(text)}")


def quote(text: str) -> str:
    """A text as one word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def rejection_reason(name: str, _: str) -> str:
    """Names that mean something to the shell itself; of values it takes all."""
    if name in _RESERVED:
        return "bash has a value of its own for this name"
    if name in _ARITHMETIC:
        return "bash calculates what is given to this name, and may run programs to do so"
    return "bash itself acts on this name" if name in _SIDE_EFFECTS else ""


DIALECT = Dialect((bash,), rejection_reason, starts_process=True)
