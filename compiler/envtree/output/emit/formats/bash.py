"""A file for bash, dash and direnv to source; its text can also be passed to `eval`."""

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines

# Names that bash does not allow to set, or gives a value of its own.
_RESERVED_TEXT = """
    _ BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_COMMAND BASH_LINENO BASH_SOURCE BASH_SUBSHELL
    BASH_VERSINFO DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS LINENO PIPESTATUS PPID SECONDS SHELLOPTS
    SHLVL UID
"""
_RESERVED = frozenset(_RESERVED_TEXT.split())
# bash evaluates values of these as arithmetic, and runs the program in `a[$(program)]` to do so.
_ARITHMETIC = frozenset({"HISTCMD", "OPTIND", "RANDOM", "SRANDOM"})
# The shell that reads the file runs the value of these as a program, or closes it as a file descriptor.
_SIDE_EFFECTS = frozenset({"BASH_COMPAT", "BASH_XTRACEFD", "MAILPATH", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4"})


def bash(env: WriterInput) -> bytes:
    """Return every value in single quotes, in which only the closing quote is special."""
    return format_lines(env, lambda name, text: f"export {name}={quote(text)}")


def quote(text: str) -> str:
    """Return a text as one word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def rejection_reason(name: str, _: str) -> str:
    """Return why the shell reserves a name, or ""; all values are allowed."""
    if name in _RESERVED:
        return "bash has a value of its own for this name"
    if name in _ARITHMETIC:
        return "bash calculates what is given to this name, and may run programs to do so"
    return "bash itself acts on this name" if name in _SIDE_EFFECTS else ""


DIALECT = Dialect((bash,), rejection_reason, starts_process=True)
