"""Put the text of a check under its pull request, in one comment that the next check rewrites.

As a program it is the action `comment`: it makes the text from a report, which may be a stranger's, and finds the
pull request by what GitHub says about the run, never by what the report says.
"""

import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from changes import followed
from markdown import markdown

# GitHub takes 65,536 characters.
LONGEST = 60_000
_LARGEST_REPORT = 32 * 1024 * 1024
_PAGE = 100
_PAGES = 30


class Refused(Exception):
    """The API did not do what it was asked; the text says so in one line, without any of its words."""


class Repository(NamedTuple):
    """A repository as the API knows it."""

    api: str
    name: str
    token: str

    def ask(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        """One request; the JSON that comes back."""
        headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {self.token}"}
        body = None if data is None else json.dumps(data).encode()
        url = f"{self.api}/repos/{self.name}/{path}"
        request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310 -- the runner's
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            raise Refused(f"the API answered {refused.code}") from None
        except (OSError, ValueError):
            raise Refused("the API could not be reached") from None

    def post(self, number: int, text: str, first: str) -> None:
        """Write a comment, or rewrite the one that a bot has begun with the same line."""
        for page in range(1, _PAGES + 1):
            comments = self.ask("GET", f"issues/{number}/comments?per_page={_PAGE}&page={page}")
            for comment in comments:
                if _is_ours(comment, first):
                    self.ask("PATCH", f"issues/comments/{comment['id']}", {"body": text})
                    return
            if len(comments) < _PAGE:
                break
        self.ask("POST", f"issues/{number}/comments", {"body": text})

    def pull_requests(self, event: dict[str, Any]) -> list[int]:
        """The open pull requests that an event is about, if what was checked is their newest commit."""
        if "pull_request" in event:
            return [event["pull_request"]["number"]]
        run = event.get("workflow_run", {})
        if run.get("event") != "pull_request":
            return []
        # A run for a fork names no pull request, but its branch leads to it.
        head = urllib.parse.quote(f"{run['head_repository']['owner']['login']}:{run['head_branch']}", safe="")
        found = self.ask("GET", f"pulls?state=open&per_page={_PAGE}&head={head}")
        return [pull["number"] for pull in found if pull["head"]["sha"] == run["head_sha"]]


def comment(text: str, first: str, environ: Mapping[str, str] = os.environ) -> int:
    """Comment on the pull requests of this run, in the comment that begins with `first`; how many these are."""
    try:
        event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        here = Repository(environ["GITHUB_API_URL"], environ["GITHUB_REPOSITORY"], environ["TOKEN"])
        numbers = here.pull_requests(event)
        for number in numbers:
            here.post(number, text, first)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Refused("what GitHub said was not understood") from None
    return len(numbers)


def first_line(directory: str) -> str:
    """The hidden line by which a comment is found again; one for each tree of a repository."""
    return f"<!-- envtree check {re.sub('[^A-Za-z0-9._/]', '_', directory)} -->\n"


def _is_ours(comment: dict[str, Any], first: str) -> bool:
    # Anybody can write that line, and would then own what stands under it.
    bot = (comment["user"] or {}).get("type") == "Bot"
    return bot and (comment["body"] or "").replace("\r\n", "\n").startswith(first)


def _report(path: Path) -> dict[str, Any]:
    """A report that may be anything at all."""
    if path.stat().st_size > _LARGEST_REPORT:
        raise ValueError
    data = json.loads(path.read_bytes())
    if not isinstance(data, dict) or data.get("envtree") != "1":
        raise ValueError
    return data


def main() -> str:
    """Make the comment from a report; what went wrong, if anything."""
    directory = os.environ.get("DIRECTORY") or "."
    first = first_line(directory)
    changes = os.environ.get("DIFF", "")
    try:
        text = markdown(_report(Path(os.environ["REPORT"])), directory, LONGEST * 2 // 3 if changes else LONGEST, first)
    except (OSError, ValueError, RecursionError):
        return "the report is missing, or is none of `envtree check`"
    if changes:
        # Without it, or if it is no answer of `envtree diff`, the comment is about the check alone.
        text = followed(text, os.environ.get("ENVTREE") or "envtree", Path(changes), LONGEST)
    try:
        count = comment(text, first)
    except Refused as refused:
        return f"{refused}; the job needs `permissions: pull-requests: write`"
    sys.stdout.write(f"commented on {count} pull request(s)\n")
    return ""


if __name__ == "__main__":
    wrong = main()
    if wrong:
        sys.stdout.write(f"::error title=envtree::no comment: {wrong}\n")
    sys.exit(bool(wrong))
