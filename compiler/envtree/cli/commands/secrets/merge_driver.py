"""`envtree secrets merge-driver`: three versions of a secrets file become one, as git asks for it."""

import resource
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import usage_error
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import Diagnostic, Failure, Refusal, reason
from envtree.model.keypath import format_path
from envtree.model.secrets_file import DecryptError
from envtree.model.tree_layout import parse_file_name
from envtree.secrets.edit.merge import CannotMergeError, Outcome, merge
from envtree.secrets.edit.policy import policy_around
from envtree.secrets.edit.reading import Sealed, UnreadableError, read
from envtree.secrets.sops.writing import SopsWriter


class Options(NamedTuple):
    """The command line; the files are git's own copies, `path` is where the result will lie."""

    directory: Path
    base: str
    ours: str
    theirs: str
    path: str


def run(options: Options) -> Exit:
    """Merge into `ours`; whatever keeps it from being merged is a conflict, and ends with exit code 1."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    name = parse_file_name(options.path.rpartition("/")[2])
    if name is None or not name.secrets or name.format not in ("yaml", "json", "env"):
        raise usage_error(
            f"'{options.path}' is no secrets file", "it ends in .secrets.yaml, .secrets.json or .secrets.env"
        )
    try:
        base, ours, theirs = (Path(each).read_bytes() for each in (options.base, options.ours, options.theirs))
        outcome = _merge(options, base, ours, theirs)
        if outcome.data != ours:
            Path(options.ours).write_bytes(outcome.data)
    except OSError as error:
        raise Refusal("ET805", f"'{options.path}' cannot be merged: {reason(error)}") from None
    except UnreadableError as error:
        return _refuse(options, "a version of it is not one that sops wrote", *map(_words, error.findings))
    except CannotMergeError as error:
        return _refuse(options, str(error))
    except (DecryptError, Failure, Refusal) as error:
        return _refuse(options, error.message, *([f"hint: {error.hint}"] if error.hint else []))
    return _tell(options, outcome)


def _merge(options: Options, base: bytes, ours: bytes, theirs: bytes) -> Outcome:
    def version(data: bytes) -> Sealed:
        return read(data, options.path)

    around = policy_around(options.directory / options.path)
    # Both sides have added the file.
    ancestor = version(base) if base.strip() else None
    return merge(ancestor, version(ours), version(theirs), SopsWriter(around.root, around.policy), around.people)


def _tell(options: Options, outcome: Outcome) -> Exit:
    for path, why in outcome.conflicts.items():
        _say(options, f"'{format_path(path)}' {why}")
    for recipient in outcome.removed:
        _say(options, f"{recipient} is no recipient any more: 'envtree secrets rotate' takes the data key away as well")
    if not outcome.conflicts:
        return Exit.OK
    _say(options, "these keys are as they are in ours: set them with 'envtree secrets set', then 'git add' the file")
    return Exit.FOUND


def _refuse(options: Options, why: str, *more: str) -> Exit:
    for words in (f"not merged, and ours stays: {why}", *more):
        _say(options, words)
    return Exit.FOUND


def _words(finding: Diagnostic) -> str:
    return f"{finding.code}: {finding.message}"


def _say(options: Options, words: str) -> None:
    err(f"{printable(f'{options.path}: {words}')}\n")
