"""Write the text of a check under its pull request, in one comment that the next check rewrites.

As a program it is the action `comment`: it renders a report, which may be untrusted, and finds the pull request in
GitHub's own data about the run, never in the report.
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

from changes import append_diff
from markdown import render_report

# GitHub accepts 65,536 characters.
MAX_COMMENT = 60_000
_MAX_REPORT_SIZE = 32 * 1024 * 1024
_PAGE_SIZE = 100
_MAX_PAGES = 30


class CommentError(Exception):
    """The API did not do what was requested; the text is one line that repeats nothing from its answer."""


class Repository(NamedTuple):
    """A repository of the API."""

    api: str
    name: str
    token: str

    def request(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        """Make one request and return the JSON of its response."""
        headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {self.token}"}
        body = None if data is None else json.dumps(data).encode()
        url = f"{self.api}/repos/{self.name}/{path}"
        request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310 -- the runner's
        try:
            with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise CommentError(f"the API answered {error.code}") from None
        except (OSError, ValueError):
            raise CommentError("the API could not be reached") from None

    def write_comment(self, number: int, text: str, marker: str) -> None:
        """Create a comment, or rewrite the one by a bot that begins with the marker."""
        for page in range(1, _MAX_PAGES + 1):
            comments = self.request("GET", f"issues/{number}/comments?per_page={_PAGE_SIZE}&page={page}")
            for comment in comments:
                if _is_own_comment(comment, marker):
                    self.request("PATCH", f"issues/comments/{comment['id']}", {"body": text})
                    return
            if len(comments) < _PAGE_SIZE:
                break
        self.request("POST", f"issues/{number}/comments", {"body": text})

    def pull_requests(self, event: dict[str, Any]) -> list[int]:
        """Return the open pull requests that an event is about, if the checked commit is their newest."""
        if "pull_request" in event:
            return [event["pull_request"]["number"]]
        run = event.get("workflow_run", {})
        if run.get("event") != "pull_request":
            return []
        # A run for a fork names no pull request, but its branch leads to it.
        head = urllib.parse.quote(f"{run['head_repository']['owner']['login']}:{run['head_branch']}", safe="")
        pulls = self.request("GET", f"pulls?state=open&per_page={_PAGE_SIZE}&head={head}")
        return [pull["number"] for pull in pulls if pull["head"]["sha"] == run["head_sha"]]


def comment_on_pull_requests(text: str, marker: str, environ: Mapping[str, str] = os.environ) -> int:
    """Write the comment that begins with `marker` on the pull requests of this run; return their number."""
    try:
        event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        repository = Repository(environ["GITHUB_API_URL"], environ["GITHUB_REPOSITORY"], environ["TOKEN"])
        numbers = repository.pull_requests(event)
        for number in numbers:
            repository.write_comment(number, text, marker)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CommentError("what GitHub said was not understood") from None
    return len(numbers)


def marker_line(directory: str) -> str:
    """Return the hidden line that identifies a comment; each tree of a repository has its own."""
    return f"<!-- envtree check {re.sub('[^A-Za-z0-9._/]', '_', directory)} -->\n"


def _is_own_comment(comment: dict[str, Any], marker: str) -> bool:
    # Anyone can write that line in a comment of their own, and could then edit the result.
    is_bot = (comment["user"] or {}).get("type") == "Bot"
    return is_bot and (comment["body"] or "").replace("\r\n", "\n").startswith(marker)


def _load_report(path: Path) -> dict[str, Any]:
    """Return the report in an untrusted file; raise ValueError if it is none."""
    if path.stat().st_size > _MAX_REPORT_SIZE:
        raise ValueError
    data = json.loads(path.read_bytes())
    if not isinstance(data, dict) or data.get("envtree") != "1":
        raise ValueError
    return data


def main() -> str:
    """Render a report and write the comment; return an error message, empty on success."""
    directory = os.environ.get("DIRECTORY") or "."
    marker = marker_line(directory)
    changes = os.environ.get("DIFF", "")
    try:
        text = render_report(
            _load_report(Path(os.environ["REPORT"])),
            directory,
            MAX_COMMENT * 2 // 3 if changes else MAX_COMMENT,
            marker,
        )
    except (OSError, ValueError, RecursionError):
        return "the report is missing, or is none of `envtree check`"
    if changes:
        # If the file is missing or is no answer of `envtree diff`, the comment is about the check alone.
        text = append_diff(text, os.environ.get("ENVTREE") or "envtree", Path(changes), MAX_COMMENT)
    try:
        count = comment_on_pull_requests(text, marker)
    except CommentError as error:
        return f"{error}; the job needs `permissions: pull-requests: write`"
    sys.stdout.write(f"commented on {count} pull request(s)\n")
    return ""


if __name__ == "__main__":
    problem = main()
    if problem:
        sys.stdout.write(f"::error title=envtree::no comment: {problem}\n")
    sys.exit(bool(problem))
