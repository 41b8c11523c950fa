"""The HTML page in the real Chromium: clicks, keys, filters, links, themes; it loads nothing, and texts stay texts."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envtree.cli import invoke
from envtree.model.keypath import format_path
from tests.benchmarks.forms.envtree import write_envtree
from tests.benchmarks.model import Size
from tests.support.command_line import write_files
from tests.support.npm import node_modules
from tests.support.programs import program
from tests.support.waiting import LONG_PATIENCE
from tests.unit.report.test_report_runner import is_held, naughty, quoted

# A browser takes seconds to start, and not every developer has one.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests/end_to_end/browser/report.mjs"
CHROMIUM_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0"),
    # Otherwise a page that is not in front waits, and quick changes of its address are dropped.
    *("--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows"),
    *("--disable-renderer-backgrounding", "--disable-ipc-flooding-protection"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--",
    "-->]]>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "${alert(1)}`${alert(1)}`",
    "&lt;b&gt;&amp;",
    "{{constructor.constructor('alert(1)')()}}",
]
SCENES = ["mouse", "keyboard", "follow", "filters", "differences", "tree", "theme", "link"]

Play = Callable[..., str]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run Chromium, and return the address at which it takes orders."""
    profile = f"--user-data-dir={tmp_path_factory.mktemp('profile')}"
    command = [program("chromium"), *CHROMIUM_OPTIONS, profile, "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        ready = (line.partition("DevTools listening on ")[2].strip() for line in process.stderr)
        address = next(filter(None, ready), "")
        assert address, "Chromium has ended"
        # It goes on to write there, and would wait for a reader.
        reader = threading.Thread(target=process.stderr.read, daemon=True)
        reader.start()
        yield address
        process.kill()
        reader.join()


@pytest.fixture(scope="module")
def play(browser: str) -> Play:
    """Return a function that plays a scene with a page in Chromium and returns its output."""
    node_modules()

    def run(scene: str, page: Path, *arguments: Path) -> str:
        command = [program("node"), str(SCRIPT), scene, *map(str, (page, *arguments))]
        environ = {**os.environ, "BROWSER": browser}
        process = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=LONG_PATIENCE, check=False
        )
        assert process.returncode == 0, process.stderr
        return str(process.stdout)

    return run


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(ROOT / "examples/acme", tmp_path_factory.mktemp("acme"))


def report(tree: Path, folder: Path, *words: str, code: int = 0) -> Path:
    """Write the HTML report of a tree."""
    page = folder / "page & more.html"
    assert invoke(["-C", str(tree), "report", "-o", str(page), *words]) == code
    return page


@pytest.mark.parametrize("scene", SCENES)
def test_what_people_do_with_the_page(scene: str, play: Play, acme: Path) -> None:
    play(scene, acme)


def test_there_is_no_serious_barrier(play: Play, acme: Path) -> None:
    play("barriers", acme)


def test_findings_are_filtered_and_lead_to_their_cells(play: Play, tmp_path: Path) -> None:
    play("findings", report(ROOT / "examples/broken", tmp_path, code=1))


def test_changes_are_marked_and_traced(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for copy in (before, after):
        shutil.copytree(ROOT / "examples/acme", copy)
    file = after / "environments/production.yaml"
    text = file.read_text(encoding="utf-8")
    changed = text.replace("LOG_LEVEL: warning", f"LOG_LEVEL: error\n    OWNER: {quoted(HOSTILE[4])}")
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    (after / "projects/platform/agents/cost-watcher.yaml").unlink()
    rule = after / "policies/production-is-quiet.yaml"
    rule.write_text(rule.read_text(encoding="utf-8").replace("debug\n", "debug, ever\n", 1), encoding="utf-8")
    agents = after / "projects/storefront/agents"
    shutil.copy(agents / "shop-assistant.yaml", agents / "shop-helper.yaml")
    monkeypatch.chdir(tmp_path)
    play("changes", report(after, tmp_path, "./before"))


def test_1000_bundles_are_drawn_as_far_as_they_are_seen(play: Play, tmp_path: Path) -> None:
    write_envtree(Size(10, 4, 5, 5), tmp_path / "tree")
    print(play("big", report(tmp_path / "tree", tmp_path)))


def test_t75_what_files_say_is_text(play: Play, tmp_path: Path) -> None:
    words = [text for text in dict.fromkeys([*HOSTILE, *naughty()]) if is_held(text) and "${{" not in text]
    assert len(words) > 450
    values = {f"V{n}": text for n, text in enumerate(words)}
    # Names of variables are restricted; keys of `config` may contain any printable character.
    config = {text: text for text in words if text.isprintable() and text[0] != "$" and len(text) < 99}
    section = {"env_vars": values, "config": {"list": words, "map": config}}
    policy = "message: {0}\nschema: {{required: [nothing]}}\nseverity: warning\n"
    policies = {f"policies/p{n}.yaml": policy.format(quoted(text)) for n, text in enumerate(HOSTILE)}
    tree = tmp_path / "tree"
    write_files(
        tree,
        {
            "organization.yaml": "name: acme\nedition: 2026\ndefault_model: m\n",
            "environments/dev.yaml": f"description: {quoted(HOSTILE[1])}\n",
            "agents/a.yaml": f"description: {quoted(HOSTILE[4])}\nexecution_environment: {json.dumps(section)}\n",
            "agents/<img src=x onerror=alert(1)>.yaml": "{}\n",
            **policies,
        },
    )
    keys = {format_path(("config", "map", text)): text for text in list(config)[:60]}
    expected = {
        "id": "default/a@dev",
        "values": {f"env_vars.{name}": text for name, text in values.items()} | keys,
        "messages": [*HOSTILE, "<img src=x onerror=alert(1)>"],
    }
    (tmp_path / "expected.json").write_text(json.dumps(expected), encoding="utf-8")
    play("hostile", report(tree, tmp_path, code=1), tmp_path / "expected.json")
