"""The base class, parameter types and common options of the commands; this module must not import the compiler."""

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
from envtree.system import signals

if TYPE_CHECKING:
    from pathlib import Path

FINDING_FORMATS = ("text", "concise", "json", "github", "sarif", "junit", "gitlab")


def module_name(command: str) -> str:
    """Return the module name of a command; `import` is a Python keyword, so its module is `import_`."""
    return "import_" if command == "import" else command.replace("-", "_")


class Command(click.Command):
    """A command that is implemented by `run(options)` in a module of `cli/commands/`, imported when the command runs.

    `options` is a NamedTuple with a field for each parameter and `directory`. A command with `can_replay` has a cache:
    it takes `--no-cache`, its options have `replay_cache`, and if `can_replay(params)` is true, the recorded output of
    an unchanged command line is replayed.
    """

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
        """Parse the arguments; with --detailed-exitcode usage errors exit with 1, as 2 means differences."""
        detailed = DETAILED_EXITCODE in self.params and "--detailed-exitcode" in args
        with _exit_one_on_error() if detailed else nullcontext():
            try:
                return super().make_context(info_name, args, *rest, **extra)
            except click.NoSuchOption as error:
                if error.option_name != "-C":
                    raise
                raise usage_error("-C stands before the command", f"write: envtree -C DIR {info_name} …") from None

    def invoke(self, ctx: click.Context) -> Any:
        """Import the implementation and run it; return its exit code."""
        if self._can_replay:
            return self._invoke_with_replay(ctx, self._can_replay)
        with signals.blocked():
            module = import_module(self._module_path)
        with _exit_one_on_error() if ctx.params.get("detailed") else nullcontext():
            return module.run(_options_type(module)(directory=ctx.obj, **ctx.params))

    def _invoke_with_replay(self, ctx: click.Context, can_replay: Callable[[Mapping[str, Any]], bool]) -> Any:
        """Replay the recorded output if nothing has changed since, else run the command with the cache."""
        params, replay_cache = dict(ctx.params), None
        no_cache, thorough = params.pop("no_cache"), params.pop("verify_outputs", False)
        if not no_cache and can_replay(params):
            from envtree.engine.cache.replay_cache import open_replay_cache  # noqa: PLC0415 -- most commands have no cache

            replay_cache = open_replay_cache(self._module_path, ctx.obj, params)
            code = replay_cache.replay(thorough=thorough) if replay_cache else None
            if code is not None:
                return code
        with signals.blocked():
            module = import_module(self._module_path)
        return module.run(_options_type(module)(directory=ctx.obj, replay_cache=replay_cache, **params))


def _options_type(module: ModuleType) -> Callable[..., Any]:
    """Return the type of the `options` parameter of a command's `run` function."""
    options: Callable[..., Any] = module.run.__annotations__["options"]
    return options


class _ExitOneUsageError(click.UsageError):
    """A usage error of a command line with --detailed-exitcode."""

    exit_code = 1


@contextmanager
def _exit_one_on_error() -> Iterator[None]:
    """Make usage and machine errors exit with 1, as --detailed-exitcode promises."""
    try:
        yield
    except click.UsageError as error:
        raise _ExitOneUsageError(error.format_message(), error.ctx) from None
    except MachineError as error:
        raise RefusedError(error.code, error.message, error.hint) from None


def usage_error(message: str, hint: str) -> click.UsageError:
    """Return a usage error with a message and a hint, escaped so that quoted arguments cannot break the line."""
    return click.UsageError(printable(f"{message}; {hint}" if hint else message))


def option(*names: str, **settings: Any) -> click.Option:
    """Return an option of a command."""
    return click.Option(list(names), **settings)


class _Choice(click.Choice[str]):
    """A choice whose error for a name of another program has a hint."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return the message for a value that is none of the choices."""
        from envtree.cli.support.other_words import OTHER_FORMATS  # noqa: PLC0415 -- only for a mistake

        message = super().get_invalid_choice_message(value, ctx)
        word = OTHER_FORMATS.get(str(value).lower())
        return f"{message} Did you mean '{word}'?" if word in self.choices else message


def choice(*names: str, values: Sequence[str], **settings: Any) -> click.Option:
    """Return an option that takes one of `values`."""
    return option(*names, type=_Choice(list(values)), **settings)


class _OutputFormat(click.Option):
    """`--output-format`, the form of an answer; an earlier name is accepted, but neither shown nor completed."""

    def __init__(self, values: Sequence[str], earlier_name: str, **settings: Any) -> None:
        super().__init__(["--output-format", "form"], type=_Choice(list(values)), **settings)
        self._earlier_name = earlier_name

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Add both names."""
        super().add_to_parser(parser, ctx)
        parser.add_option(obj=self, opts=[self._earlier_name], dest=self.name, action="store", nargs=1)


def output_format(*values: str, earlier_name: str = "--format", **settings: Any) -> click.Option:
    """Return the option for the form of an answer; the default is the first of `values` unless `settings` has one."""
    if "default" not in settings:
        settings |= {"default": values[0], "show_default": True}
    return _OutputFormat(values, earlier_name, **{"help": "The output format.", **settings})


class FolderParamType(click.Path):
    """An existing folder as a `Path`; `pathlib` is imported only when a value is converted."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the folder and return its path."""
        from pathlib import Path  # noqa: PLC0415 -- `--version` needs no path

        return Path(str(super().convert(value, param, ctx)))


def _start_directory(ctx: click.Context) -> "Path":
    from pathlib import Path  # noqa: PLC0415 -- as above

    return ctx.find_root().params.get("directory") or Path()


def complete_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """Complete bundle ids."""
    from envtree.cli.support.completion_candidates import list_bundle_ids  # noqa: PLC0415 -- it reads trees, and only completion needs it

    directory = _start_directory(ctx)
    return [CompletionItem(id) for id in list_bundle_ids(directory) if id.startswith(incomplete)]


def complete_keys(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """Complete the variables of the bundle that the preceding argument names."""
    from envtree.cli.support.completion_candidates import list_variables  # noqa: PLC0415 -- as above

    directory = _start_directory(ctx)
    names = list_variables(directory, ctx.params.get("id") or "")
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_files(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """Complete files: by the shell if the current folder is in the tree, else by their paths in the tree."""
    from envtree.cli.support.completion_candidates import list_source_files  # noqa: PLC0415 -- as above

    directory = _start_directory(ctx)
    paths = list_source_files(directory)
    if paths is None:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(path) for path in paths if path.startswith(incomplete)]


def complete_environments(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """Complete environments that are not abstract."""
    from envtree.cli.support.completion_candidates import list_environments  # noqa: PLC0415 -- as above

    directory = _start_directory(ctx)
    return [CompletionItem(name) for name in list_environments(directory) if name.startswith(incomplete)]


def complete_codes(_: click.Context, __: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":
    """Complete diagnostic codes."""
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

    pairs = [pair.partition("=") for pair in values]
    if not all(form in FINDING_FORMATS and path for form, _, path in pairs):
        raise click.BadParameter(
            f"write FORMAT=FILE, with {', '.join(FINDING_FORMATS[:-1])} or {FINDING_FORMATS[-1]} as FORMAT"
        )
    return tuple((form, Path(path)) for form, _, path in pairs)


def _parse_selectors(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(is_utf8, values)):
        raise click.BadParameter("write selectors in UTF-8")
    return values


def is_utf8(value: str) -> bool:
    """Whether an argument was UTF-8: Python decodes each other byte to a lone surrogate."""
    return not any("\udc80" <= character <= "\udcff" for character in value)


def selector_option(*names: str, help: str) -> click.Option:
    """Return an option that takes a bundle selector and may be repeated."""
    return option(
        *names, metavar="SELECTOR", multiple=True, shell_complete=complete_ids, callback=_parse_selectors, help=help
    )


# The two sides of a comparison: revisions or folders.
COMPARISON_PARAMS = (
    click.Argument(["base"], required=False),
    click.Argument(["head"], required=False),
    option("--merge-base", is_flag=True, help="Compare HEAD with the merge base of BASE and HEAD."),
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
    help="Also write the findings to FILE, in any FORMAT of --output-format; may be repeated.",
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
    "--detailed-exitcode",
    "detailed",
    is_flag=True,
    help="Exit with 0 for no differences, 2 for differences, 1 for errors.",
)
IDS_FILE = option(
    "--ids",
    metavar="FILE",
    default="",
    help="The file with the ids of control plane objects; default: '.envtree/control-plane.json' in the tree.",
)
PLAN_FORMAT = output_format(
    "text", "json", "markdown", help="The output format; markdown is for comments on pull requests."
)
ALLOW_EMPTY = option("--allow-empty", is_flag=True, help="Do not fail if there are no bundles, or none is selected.")
CHANGED_SINCE = option(
    "--changed-since",
    "since",
    metavar="REV",
    help="Limit the run to bundles that a difference from this revision or folder can affect.",
)
EXIT_ZERO = option(
    "--exit-zero", is_flag=True, help="Exit with 0 despite findings; machine failures still exit with 3."
)
STRICT = option("--strict", is_flag=True, help="Treat warnings as errors.")
JOBS = option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="Use at most N processes; default: one per processor, up to 8, where that is faster.",
)
NO_CACHE = option("--no-cache", is_flag=True, help="Do not use the results of earlier runs.")
COLORS = ("auto", "always", "never")
# The key in `Context.meta` of the choice that stands before the command.
COLOR_META = "envtree.color"


def _inherit_color(ctx: click.Context, _: click.Parameter, value: str | None) -> str:
    """Return the choice of the command, or else the one that stands before the command."""
    return value or str(ctx.meta.get(COLOR_META, COLORS[0]))


# `--color` stands before the command; after it, it is accepted, but neither shown nor completed.
COLOR = choice("--color", values=COLORS, hidden=True, callback=_inherit_color)
VERBOSE = option("-v", "--verbose", is_flag=True, help="List the checks that need a key or an input and were not made.")
