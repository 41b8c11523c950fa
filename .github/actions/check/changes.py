"""Run `envtree diff` on a runner of GitHub, and put what it has saved into the words of a comment."""

import os
import subprocess
from pathlib import Path

# What `envtree diff --saved` may end with: 1 is for errors, which the check tells too.
_ANSWERED = (0, 1)
_LARGEST = 32 * 1024 * 1024
# Without room for this much there is nothing to say.
_LEAST = 2_000
# The program reads files of strangers, and needs neither the token nor the files that steer the runner.
_WITHHELD = {"TOKEN", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"}


def environ() -> dict[str, str]:
    """What a program is told of the job."""
    return {name: value for name, value in os.environ.items() if name not in _WITHHELD}


def save(program: str, directory: str, base: str, inputs: list[str], file: Path) -> subprocess.CompletedProcess[bytes]:
    """Compare the tree with a revision, and save the answer if there is one."""
    options = ["--format", "json", *(f"--input={line}" for line in inputs)]
    command = [program, "-C", directory, "diff", *options, "--", base]
    done = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=environ())
    if done.returncode in _ANSWERED and done.stdout:
        file.write_bytes(done.stdout)
    return done


def followed(text: str, program: str, file: Path, limit: int) -> str:
    """A text, and behind it what a saved answer says, in at most `limit` bytes."""
    more = _told(program, file, limit - len(text.encode()) - 1)
    return f"{text}\n{more}" if more else text


def _told(program: str, file: Path, limit: int) -> str:
    """A saved answer, which may be a stranger's, as Markdown; empty if it is none, or if there is no room."""
    try:
        if limit < _LEAST or file.stat().st_size > _LARGEST:
            return ""
        command = [program, "diff", "--saved", str(file), "--format", "markdown", "--limit", str(limit)]
        done = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=environ())
    except OSError:
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode in _ANSWERED else ""
