"""How a command ends: the only place that knows exit codes, and what to say when it ends early."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import IntEnum
from io import StringIO
from types import TracebackType
from typing import TYPE_CHECKING

import click

from envtree.cli.support.console import err
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import Failure, Refusal, grave

if TYPE_CHECKING:
    from envtree.diagnostics.findings import Finding


class Exit(IntEnum):
    """The exit codes of envtree."""

    OK = 0
    FOUND = 1
    USAGE = 2
    DIFFERENT = 2
    MACHINE = 3
    BUG = 70
    HUNG_UP = 129
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


def verdict(findings: "tuple[Finding, ...]", *, strict: bool = False) -> Exit:
    """What findings make of a run."""
    fatal = grave(strict=strict)
    return Exit.FOUND if any(finding.severity in fatal for finding in findings) else Exit.OK


def run(work: Callable[[], int]) -> int:
    """Do the work, and tell whatever stops it in one line; its traceback would show values."""
    try:
        code = work()
        # What is buffered meets a closed pipe or a full disk now, while it can be told.
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as wrong:
        return _refuse(wrong)
    except Refusal as refusal:
        return _stop(refusal, Exit.FOUND)
    except Failure as failure:
        return _stop(failure, Exit.MACHINE)
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return Exit.BROKEN_PIPE
    except Exception as bug:  # noqa: BLE001 -- whatever it is, its words stay inside
        return _crash(bug)


def _refuse(wrong: click.ClickException) -> int:
    words = StringIO()
    wrong.show(words)
    # What click says may quote the name of a folder, which is as free as any text of a file.
    err("\n".join(map(printable, words.getvalue().expandtabs(2).split("\n"))))
    return wrong.exit_code if isinstance(wrong, click.UsageError) else Exit.USAGE


def _stop(cause: Failure | Refusal, code: Exit) -> Exit:
    from envtree.report import stopped  # noqa: PLC0415 -- most commands end otherwise, and `--version` is felt
    from envtree.report.text import text  # noqa: PLC0415

    err(text(stopped(cause).findings, lambda _: (), color=False))
    return code


def _crash(bug: Exception) -> Exit:
    if os.environ.get("ENVTREE_DEBUG") == "1":
        import traceback  # noqa: PLC0415 -- as above

        traceback.print_exception(bug)
    # The system's own words hold no value of ours, the words of any other exception may.
    if isinstance(bug, OSError) and bug.errno:
        _close_stdout()
        return _stop(Failure("ET805", os.strerror(bug.errno).lower(), "ENVTREE_DEBUG=1 shows where"), Exit.MACHINE)
    where = list(_frames(bug.__traceback__))[-1:]
    err(f"envtree: internal error: {type(bug).__name__} at {', '.join(where)}, please report it\n")
    return Exit.BUG


def _frames(trace: TracebackType | None) -> Iterator[str]:
    """The frames that are ours, as `module:line`, the innermost last."""
    while trace:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == "envtree":
            yield f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next


def _close_stdout() -> None:
    """Let what is still buffered go nowhere: Python would complain about it at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
