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

from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import MachineError, RefusedError, failing_severities
from envtree.system.console import err

if TYPE_CHECKING:
    from envtree.diagnostics.findings import Finding


class ExitCode(IntEnum):
    """The exit codes of envtree."""

    OK = 0
    FAILURE = 1
    USAGE_ERROR = 2
    DIFFERENCES = 2
    MACHINE_ERROR = 3
    INTERNAL_ERROR = 70
    HUNG_UP = 129
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


def exit_code_for(findings: "tuple[Finding, ...]", *, strict: bool = False) -> ExitCode:
    """What findings make of a run."""
    fatal = failing_severities(strict=strict)
    return ExitCode.FAILURE if any(finding.severity in fatal for finding in findings) else ExitCode.OK


def run_command(command: Callable[[], int]) -> int:
    """Do the work, and tell whatever stops it in one line; its traceback would show values."""
    try:
        code = command()
        # What is buffered meets a closed pipe or a full disk now, while it can be told.
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as wrong:
        return _report_usage_error(wrong)
    except RefusedError as refusal:
        return _report_error(refusal, ExitCode.FAILURE)
    except MachineError as failure:
        return _report_error(failure, ExitCode.MACHINE_ERROR)
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return ExitCode.BROKEN_PIPE
    except Exception as bug:  # noqa: BLE001 -- whatever it is, its words stay inside
        return _report_internal_error(bug)


def _report_usage_error(wrong: click.ClickException) -> int:
    words = StringIO()
    wrong.show(words)
    # What click says may quote the name of a folder, which is as free as any text of a file.
    err("\n".join(map(printable, words.getvalue().expandtabs(2).split("\n"))))
    return wrong.exit_code if isinstance(wrong, click.UsageError) else ExitCode.USAGE_ERROR


def _report_error(cause: MachineError | RefusedError, code: ExitCode) -> ExitCode:
    from envtree.diagnostics.summary import error_report  # noqa: PLC0415 -- most commands end otherwise, and `--version` is felt
    from envtree.report.text import render_text  # noqa: PLC0415

    err(render_text(error_report(cause).findings, lambda _: (), color=False))
    return code


def _report_internal_error(bug: Exception) -> ExitCode:
    if os.environ.get("ENVTREE_DEBUG") == "1":
        import traceback  # noqa: PLC0415 -- as above

        traceback.print_exception(bug)
    # The system's own words hold no value of ours, the words of any other exception may.
    if isinstance(bug, OSError) and bug.errno:
        _close_stdout()
        return _report_error(
            MachineError("ET805", os.strerror(bug.errno).lower(), "ENVTREE_DEBUG=1 shows where"), ExitCode.MACHINE_ERROR
        )
    where = list(_own_frames(bug.__traceback__))[-1:]
    err(f"envtree: internal error: {type(bug).__name__} at {', '.join(where)}, please report it\n")
    return ExitCode.INTERNAL_ERROR


def _own_frames(trace: TracebackType | None) -> Iterator[str]:
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
