"""Exit codes, defined only here, and the messages of commands that end early."""

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
    """The exit codes of envtree; `CHANGES` is that of `--detailed-exitcode`, as terraform has it."""

    OK = 0
    FAILURE = 1
    USAGE_ERROR = 2
    CHANGES = 2
    MACHINE_ERROR = 3
    DIFFERS = 4
    INTERNAL_ERROR = 70
    HUNG_UP = 129
    INTERRUPTED = 130
    QUIT = 131
    BROKEN_PIPE = 141
    TERMINATED = 143


def exit_code_for(findings: "tuple[Finding, ...]", *, strict: bool = False) -> ExitCode:
    """Return the exit code of a run with these findings."""
    fatal = failing_severities(strict=strict)
    return ExitCode.FAILURE if any(finding.severity in fatal for finding in findings) else ExitCode.OK


def run_command(command: Callable[[], int]) -> int:
    """Run a command and report exceptions in one line: a traceback would show values."""
    try:
        code = command()
        # Flush now, so that a closed pipe or a full disk can still be reported.
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as request:
        return request.exit_code
    except click.ClickException as error:
        return _report_usage_error(error)
    except RefusedError as error:
        return _report_error(error, ExitCode.FAILURE)
    except MachineError as error:
        return _report_error(error, ExitCode.MACHINE_ERROR)
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return ExitCode.BROKEN_PIPE
    except Exception as bug:  # noqa: BLE001 -- its message may contain values and is not shown
        return _report_internal_error(bug)


def _report_usage_error(error: click.ClickException) -> int:
    message = StringIO()
    error.show(message)
    # The message of click may quote the name of a folder, which can contain any characters.
    err("\n".join(map(printable, message.getvalue().expandtabs(2).split("\n"))))
    return error.exit_code if isinstance(error, click.UsageError) else ExitCode.USAGE_ERROR


def _report_error(error: MachineError | RefusedError, code: ExitCode) -> ExitCode:
    from envtree.diagnostics.summary import error_report  # noqa: PLC0415 -- few commands end here, and `--version` must be fast
    from envtree.report.text import render_text  # noqa: PLC0415

    err(render_text(error_report(error).findings, lambda _: (), color=False))
    return code


def _report_internal_error(bug: Exception) -> ExitCode:
    if os.environ.get("ENVTREE_DEBUG") == "1":
        import traceback  # noqa: PLC0415 -- as above

        traceback.print_exception(bug)
    # Messages of the operating system contain no values; those of any other exception may.
    if isinstance(bug, OSError) and bug.errno:
        _close_stdout()
        return _report_error(
            MachineError("ET805", os.strerror(bug.errno).lower(), "ENVTREE_DEBUG=1 shows where"), ExitCode.MACHINE_ERROR
        )
    frame = list(_own_frames(bug.__traceback__))[-1:]
    err(f"envtree: internal error: {type(bug).__name__} at {', '.join(frame)}, please report it\n")
    return ExitCode.INTERNAL_ERROR


def _own_frames(trace: TracebackType | None) -> Iterator[str]:
    """Yield the frames within envtree as `module:line`, the innermost last."""
    while trace:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == "envtree":
            yield f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next


def _close_stdout() -> None:
    """Discard buffered output: Python would report an error when it flushes stdout at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
