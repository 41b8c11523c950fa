"""Run `envtree diff` on a GitHub runner, and render its saved answer as Markdown for a comment."""

import os
import subprocess
from pathlib import Path

# Exit codes of `envtree diff` with an answer: 1 is for errors in the tree, which the check reports too.
_ANSWER_EXIT_CODES = (0, 1)
_MAX_FILE_SIZE = 32 * 1024 * 1024
# With a smaller limit, in bytes, the diff is omitted.
_MIN_LIMIT = 2_000
# The program reads untrusted files, and needs neither the token nor the files that control the runner.
_WITHHELD_VARIABLES = {"TOKEN", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"}


def program_environ() -> dict[str, str]:
    """Return the environment for the program, without the withheld variables."""
    return {name: value for name, value in os.environ.items() if name not in _WITHHELD_VARIABLES}


def save_diff(
    program: str, directory: str, base: str, inputs: list[str], file: Path
) -> subprocess.CompletedProcess[bytes]:
    """Compare the tree with a revision, and save the answer if there is one."""
    options = ["--output-format", "json", *(f"--input={line}" for line in inputs)]
    command = [program, "-C", directory, "diff", *options, "--", base]
    process = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=program_environ())
    if process.returncode in _ANSWER_EXIT_CODES and process.stdout:
        file.write_bytes(process.stdout)
    return process


def append_diff(text: str, program: str, file: Path, limit: int) -> str:
    """Append the Markdown of a saved answer to a text, in at most `limit` bytes for both."""
    diff_text = _render_diff(program, file, limit - len(text.encode()) - 1)
    return f"{text}\n{diff_text}" if diff_text else text


def _render_diff(program: str, file: Path, limit: int) -> str:
    """Return a saved answer, which may be untrusted, as Markdown; empty if it is invalid or does not fit."""
    try:
        if limit < _MIN_LIMIT or file.stat().st_size > _MAX_FILE_SIZE:
            return ""
        command = [program, "diff", "--saved", str(file), "--output-format", "markdown", "--limit", str(limit)]
        process = subprocess.run(
            command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=program_environ()
        )
    except OSError:
        return ""
    return process.stdout.decode("utf-8", "replace") if process.returncode in _ANSWER_EXIT_CODES else ""
