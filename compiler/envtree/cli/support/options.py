"""What the declarations of the commands share; nothing here imports the compiler."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import Failure, Refusal

if TYPE_CHECKING:
    from pathlib import Path

FORMS = ("text", "json", "github", "sarif", "junit", "gitlab")


def module_name(command: str) -> str:
    """The module of a command; one whose name Python keeps for itself ends in `_`."""
    return "import_" if command == "import" else command.replace("-", "_")


class Command(click.Command):
    """A command whose work is a module: its `Options` take the arguments, its `run` does what they say."""

    def __init__(
        self,
        name: str,
        params: Sequence[click.Parameter],
        text: str,
        example: str,
        *,
        group: str = "",
        remembers: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:
        super().__init__(name, params=list(params), help=text, epilog=f"Example: {example}")
        self._remembers = remembers
        module = module_name(name)
        self._work = f"envtree.cli.commands.{group}.{module}" if group else f"envtree.cli.commands.{module}"

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Read the arguments; with --detailed-exitcode 2 means something else than a wrong command line."""
        detailed = DETAILED in self.params and "--detailed-exitcode" in args
        with _only_failing() if detailed else nullcontext():
            try:
                return super().make_context(info_name, args, *rest, **extra)
            except click.NoSuchOption as wrong:
                if wrong.option_name != "-C":
                    raise
                raise usage_error("-C stands before the command", f"write: envtree -C DIR {info_name} …") from None

    def invoke(self, ctx: click.Context) -> Any:
        """Import the work and do it; its exit code."""
        if self._remembers:
            return self._invoke_with_memory(ctx, self._remembers)
        work = import_module(self._work)
        with _only_failing() if ctx.params.get("detailed") else nullcontext():
            return work.run(work.Options(directory=ctx.obj, **ctx.params))

    def _invoke_with_memory(self, ctx: click.Context, remembers: Callable[[Mapping[str, Any]], bool]) -> Any:
        """Do the work, unless nothing has changed since it was done; a command has memory for what it `remembers`."""
        params, found = dict(ctx.params), None
        without, thorough = params.pop("no_cache"), params.pop("verify_outputs", False)
        if not without and remembers(params):
            from envtree.engine.cache.replay import memory  # noqa: PLC0415 -- most commands have none

            found = memory(self._work, ctx.obj, params)
            code = found.repeat(thorough=thorough) if found else None
            if code is not None:
                return code
        work = import_module(self._work)
        return work.run(work.Options(directory=ctx.obj, memory=found, **params))


class _FailingError(click.UsageError):
    """A usage error where 2 means something else."""

    exit_code = 1


@contextmanager
def _only_failing() -> Iterator[None]:
    """Whatever goes wrong ends with 1, as --detailed-exitcode has it."""
    try:
        yield
    except click.UsageError as wrong:
        raise _FailingError(wrong.format_message(), wrong.ctx) from None
    except Failure as failure:
        raise Refusal(failure.code, failure.message, failure.hint) from None


def usage_error(message: str, hint: str) -> click.UsageError:
    """What was wrong on the command line, and what to do: one line, whatever it quotes."""
    return click.UsageError(printable(f"{message}; {hint}" if hint else message))


def option(*names: str, **settings: Any) -> click.Option:
    """An option of a command."""
    return click.Option(list(names), **settings)


def choice(*names: str, values: Sequence[str], **settings: Any) -> click.Option:
    """An option that takes one of a few words."""
    return option(*names, type=click.Choice(list(values)), **settings)


class Folder(click.Path):
    """A folder that is there; what stands for its path is imported when there is one."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, which is none of click's business."""
        from pathlib import Path  # noqa: PLC0415 -- `--version` asks for no path

        return Path(str(super().convert(value, param, ctx)))


def _directory(ctx: click.Context) -> "Path":
    from pathlib import Path  # noqa: PLC0415 -- as above

    return ctx.find_root().params.get("directory") or Path()


def complete_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The ids that begin with what has been typed."""
    from envtree.cli.support.complete import ids  # noqa: PLC0415 -- it reads trees, and no command but the shell's asks for it

    directory = _directory(ctx)
    return [CompletionItem(id) for id in ids(directory) if id.startswith(incomplete)]


def complete_keys(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The variables of the bundle named before that begin with what has been typed."""
    from envtree.cli.support.complete import variables  # noqa: PLC0415 -- as above

    directory = _directory(ctx)
    names = variables(directory, ctx.params.get("id") or "")
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_files(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The files of this folder, which the shell knows; elsewhere than in the tree, those of the tree by their paths."""
    from envtree.cli.support.complete import sources  # noqa: PLC0415 -- as above

    directory = _directory(ctx)
    paths = sources(directory)
    if paths is None:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(path) for path in paths if path.startswith(incomplete)]


def complete_environments(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The environments that begin with what has been typed, and that bundles can be made for."""
    from envtree.cli.support.complete import environments  # noqa: PLC0415 -- as above

    directory = _directory(ctx)
    return [CompletionItem(name) for name in environments(directory) if name.startswith(incomplete)]


def complete_codes(_: click.Context, __: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The codes that begin with what has been typed."""
    from envtree.diagnostics.codes import CODES  # noqa: PLC0415 -- as above

    return [CompletionItem(code) for code in sorted(CODES) if code.startswith(incomplete.upper())]


def _inputs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    if not all(re.match(r"[^=]+=", pair) for pair in given):
        raise click.BadParameter("write NAME=VALUE")
    if not all(map(is_text, given)):
        raise click.BadParameter("write NAME=VALUE in UTF-8")
    return dict(pair.split("=", 1) for pair in given)


def _reports(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> "tuple[tuple[str, Path], ...]":
    from pathlib import Path  # noqa: PLC0415 -- as above

    found = [pair.partition("=") for pair in given]
    if not all(form in FORMS and path for form, _, path in found):
        raise click.BadParameter(f"write FORMAT=FILE, with {', '.join(FORMS[:-1])} or {FORMS[-1]} as FORMAT")
    return tuple((form, Path(path)) for form, _, path in found)


def _selectors(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(is_text, given)):
        raise click.BadParameter("write selectors in UTF-8")
    return given


def is_text(value: str) -> bool:
    """Whether what came in from outside was UTF-8: Python keeps each other byte as half a surrogate pair."""
    return not any("\udc80" <= character <= "\udcff" for character in value)


def bundles(*names: str, help: str) -> click.Option:
    """An option that takes selectors of bundles, one at a time."""
    return option(
        *names, metavar="SELECTOR", multiple=True, shell_complete=complete_ids, callback=_selectors, help=help
    )


# What is compared: two revisions or folders.
SIDES = (
    click.Argument(["base"], required=False),
    click.Argument(["head"], required=False),
    option("--merge-base", is_flag=True, help="Compare with the last commit that BASE and HEAD have in common."),
)
SELECTORS = click.Argument(
    ["selectors"],
    metavar="[SELECTOR]...",
    nargs=-1,
    required=False,
    callback=_selectors,
    shell_complete=complete_ids,
)
REPORTS = option(
    "--report",
    "reports",
    metavar="FORMAT=FILE",
    multiple=True,
    callback=_reports,
    help="Also write the findings into FILE, in a form that --format knows; may be repeated.",
)
INPUTS = option(
    "--input",
    "inputs",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_inputs,
    help="Set an input that organization.yaml declares; may be repeated.",
)
# The exit codes of terraform's and helm's diff.
DETAILED = option(
    "--detailed-exitcode", "detailed", is_flag=True, help="Exit with 0 for no difference, 2 for any, 1 for an error."
)
STATE = option(
    "--ids",
    metavar="FILE",
    default="",
    help="Where ids of the control plane are kept; else '.envtree/control-plane.json' in the tree.",
)
PLANNED = choice(
    "--format",
    "form",
    values=("text", "json", "markdown"),
    default="text",
    show_default=True,
    help="For people, for programs, or for a comment.",
)
ALLOW_EMPTY = option("--allow-empty", is_flag=True, help="Let a run over no bundle at all pass.")
SINCE = option(
    "--changed-since",
    "since",
    metavar="REV",
    help="Only the bundles that a difference from this revision, or folder, can reach.",
)
EXIT_ZERO = option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found; not if the machine fails.")
STRICT = option("--strict", is_flag=True, help="Treat warnings like errors.")
JOBS = option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="Divide the work among N processes at most; else one for each processor, up to eight, if that gains anything.",
)
NO_CACHE = option("--no-cache", is_flag=True, help="Do all of the work, also what is known from the last time.")
COLOR = choice(
    "--color", values=("auto", "always", "never"), default="auto", show_default=True, help="When to colour findings."
)
VERBOSE = option("-v", "--verbose", is_flag=True, help="List the checks that could not be made.")
