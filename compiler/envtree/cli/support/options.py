"""What the declarations of the commands share; nothing here imports the compiler."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import MachineError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

FINDING_FORMATS = ("text", "json", "github", "sarif", "junit", "gitlab")


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
        can_replay: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> None:
        super().__init__(name, params=list(params), help=text, epilog=f"Example: {example}")
        self._can_replay = can_replay
        module = module_name(name)
        self._module_path = f"envtree.cli.commands.{group}.{module}" if group else f"envtree.cli.commands.{module}"

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Read the arguments; with --detailed-exitcode 2 means something else than a wrong command line."""
        detailed = DETAILED_EXITCODE in self.params and "--detailed-exitcode" in args
        with _exit_one_on_error() if detailed else nullcontext():
            try:
                return super().make_context(info_name, args, *rest, **extra)
            except click.NoSuchOption as wrong:
                if wrong.option_name != "-C":
                    raise
                raise usage_error("-C stands before the command", f"write: envtree -C DIR {info_name} …") from None

    def invoke(self, ctx: click.Context) -> Any:
        """Import the work and do it; its exit code."""
        if self._can_replay:
            return self._invoke_with_replay(ctx, self._can_replay)
        work = import_module(self._module_path)
        with _exit_one_on_error() if ctx.params.get("detailed") else nullcontext():
            return work.run(_options_type(work)(directory=ctx.obj, **ctx.params))

    def _invoke_with_replay(self, ctx: click.Context, can_replay: Callable[[Mapping[str, Any]], bool]) -> Any:
        """Do the work, unless nothing has changed since it was done; a command has memory for what it `remembers`."""
        params, found = dict(ctx.params), None
        without, thorough = params.pop("no_cache"), params.pop("verify_outputs", False)
        if not without and can_replay(params):
            from envtree.engine.cache.replay_cache import open_replay_cache  # noqa: PLC0415 -- most commands have none

            found = open_replay_cache(self._module_path, ctx.obj, params)
            code = found.replay(thorough=thorough) if found else None
            if code is not None:
                return code
        work = import_module(self._module_path)
        return work.run(_options_type(work)(directory=ctx.obj, replay_cache=found, **params))


def _options_type(work: ModuleType) -> Callable[..., Any]:
    """The type of the options that a command's `run` takes."""
    options: Callable[..., Any] = work.run.__annotations__["options"]
    return options


class _ExitOneUsageError(click.UsageError):
    """A usage error where 2 means something else."""

    exit_code = 1


@contextmanager
def _exit_one_on_error() -> Iterator[None]:
    """Whatever goes wrong ends with 1, as --detailed-exitcode has it."""
    try:
        yield
    except click.UsageError as wrong:
        raise _ExitOneUsageError(wrong.format_message(), wrong.ctx) from None
    except MachineError as failure:
        raise RefusedError(failure.code, failure.message, failure.hint) from None


def usage_error(message: str, hint: str) -> click.UsageError:
    """What was wrong on the command line, and what to do: one line, whatever it quotes."""
    return click.UsageError(printable(f"{message}; {hint}" if hint else message))


def option(*names: str, **settings: Any) -> click.Option:
    """An option of a command."""
    return click.Option(list(names), **settings)


def choice(*names: str, values: Sequence[str], **settings: Any) -> click.Option:
    """An option that takes one of a few words."""
    return option(*names, type=click.Choice(list(values)), **settings)


class FolderParamType(click.Path):
    """A folder that is there; what stands for its path is imported when there is one."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, which is none of click's business."""
        from pathlib import Path  # noqa: PLC0415 -- `--version` asks for no path

        return Path(str(super().convert(value, param, ctx)))


def _start_directory(ctx: click.Context) -> "Path":
    from pathlib import Path  # noqa: PLC0415 -- as above

    return ctx.find_root().params.get("directory") or Path()


def complete_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The ids that begin with what has been typed."""
    from envtree.cli.support.completion_candidates import list_bundle_ids  # noqa: PLC0415 -- it reads trees, and no command but the shell's asks for it

    directory = _start_directory(ctx)
    return [CompletionItem(id) for id in list_bundle_ids(directory) if id.startswith(incomplete)]


def complete_keys(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The variables of the bundle named before that begin with what has been typed."""
    from envtree.cli.support.completion_candidates import list_variables  # noqa: PLC0415 -- as above

    directory = _start_directory(ctx)
    names = list_variables(directory, ctx.params.get("id") or "")
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_files(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The files of this folder, which the shell knows; elsewhere than in the tree, those of the tree by their paths."""
    from envtree.cli.support.completion_candidates import list_source_files  # noqa: PLC0415 -- as above

    directory = _start_directory(ctx)
    paths = list_source_files(directory)
    if paths is None:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(path) for path in paths if path.startswith(incomplete)]


def complete_environments(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The environments that begin with what has been typed, and that bundles can be made for."""
    from envtree.cli.support.completion_candidates import list_environments  # noqa: PLC0415 -- as above

    directory = _start_directory(ctx)
    return [CompletionItem(name) for name in list_environments(directory) if name.startswith(incomplete)]


def complete_codes(_: click.Context, __: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """The codes that begin with what has been typed."""
    from envtree.diagnostics.codes import CODES  # noqa: PLC0415 -- as above

    return [CompletionItem(code) for code in sorted(CODES) if code.startswith(incomplete.upper())]


def _parse_inputs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    if not all(re.match(r"[^=]+=", pair) for pair in values):
        raise click.BadParameter("write NAME=VALUE")
    if not all(map(is_utf8, values)):
        raise click.BadParameter("write NAME=VALUE in UTF-8")
    return dict(pair.split("=", 1) for pair in values)


def _parse_reports(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> "tuple[tuple[str, Path], ...]":
    from pathlib import Path  # noqa: PLC0415 -- as above

    found = [pair.partition("=") for pair in values]
    if not all(form in FINDING_FORMATS and path for form, _, path in found):
        raise click.BadParameter(
            f"write FORMAT=FILE, with {', '.join(FINDING_FORMATS[:-1])} or {FINDING_FORMATS[-1]} as FORMAT"
        )
    return tuple((form, Path(path)) for form, _, path in found)


def _parse_selectors(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(is_utf8, values)):
        raise click.BadParameter("write selectors in UTF-8")
    return values


def is_utf8(value: str) -> bool:
    """Whether what came in from outside was UTF-8: Python keeps each other byte as half a surrogate pair."""
    return not any("\udc80" <= character <= "\udcff" for character in value)


def selector_option(*names: str, help: str) -> click.Option:
    """An option that takes selectors of bundles, one at a time."""
    return option(
        *names, metavar="SELECTOR", multiple=True, shell_complete=complete_ids, callback=_parse_selectors, help=help
    )


# What is compared: two revisions or folders.
COMPARISON_PARAMS = (
    click.Argument(["base"], required=False),
    click.Argument(["head"], required=False),
    option("--merge-base", is_flag=True, help="Compare with the last commit that BASE and HEAD have in common."),
)
SELECTORS = click.Argument(
    ["selectors"],
    metavar="[SELECTOR]...",
    nargs=-1,
    required=False,
    callback=_parse_selectors,
    shell_complete=complete_ids,
)
REPORTS = option(
    "--report",
    "reports",
    metavar="FORMAT=FILE",
    multiple=True,
    callback=_parse_reports,
    help="Also write the findings into FILE, in a form that --format knows; may be repeated.",
)
INPUTS = option(
    "--input",
    "inputs",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_parse_inputs,
    help="Set an input that organization.yaml declares; may be repeated.",
)
# The exit codes of terraform's and helm's diff.
DETAILED_EXITCODE = option(
    "--detailed-exitcode", "detailed", is_flag=True, help="Exit with 0 for no difference, 2 for any, 1 for an error."
)
IDS_FILE = option(
    "--ids",
    metavar="FILE",
    default="",
    help="Where ids of the control plane are kept; else '.envtree/control-plane.json' in the tree.",
)
PLAN_FORMAT = choice(
    "--format",
    "form",
    values=("text", "json", "markdown"),
    default="text",
    show_default=True,
    help="For people, for programs, or for a comment.",
)
ALLOW_EMPTY = option("--allow-empty", is_flag=True, help="Let a run over no bundle at all pass.")
CHANGED_SINCE = option(
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
