"""Templates of the organization: features, restrictions, and the places of their errors."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from envtree.model.artifact import SecretsMode
from envtree.model.output_settings import TemplateFile
from envtree.model.span import file_span
from envtree.output.emit.template import TemplateFileError, compile_template, render_template, withheld_value
from tests.support import env_readers, programs
from tests.support.command_line import ORGANIZATION, RunCommand
from tests.support.hostile_text import hostile_values
from tests.support.trees import CheckResult, check, layers, run

DECLARED = "output: {formats: [template], templates: {app.conf: templates/app.j2}}"
SECRETS = {"token": "canary"}
DATA = {"env_vars": {"A": "x'y", "B": "$z"}, "config": {"n": 1, "list": [1, 2], "items": 5}}


def render(source: str, name: str = "app.conf", **data: Any) -> str:
    file = TemplateFile(name, "templates/app.j2", file_span("organization.yaml"))
    return render_template(compile_template(file, source), data or DATA, has_withheld=True).decode()


def render_error(source: str, name: str = "app.conf", **data: Any) -> str:
    with pytest.raises(TemplateFileError) as caught:
        render(source, name, **data)
    return f"{caught.value.line}: {caught.value.message}"


def template_tree(template: str, *sections: str, organization: str = DECLARED, **options: Any) -> dict[str, str]:
    return {**layers(*sections, organization=organization, **options), "templates/app.j2": template}


def check_template(template: str, *sections: str, **options: Any) -> CheckResult:
    return check(template_tree(template, *sections, **options))


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("{{ config.n }} {{ config['n'] }} {{ config.list }}", "1 1 [1,2]"),
        (
            "{% for name, value in env_vars.items() %}\n{{ name }}={{ value }}\n{% endfor %}\nend\n",
            "A=x'y\nB=$z\nend\n",
        ),
        ("{% for name in env_vars %}{{ loop.index }}{{ name }}{{ '' if loop.last else ',' }}{% endfor %}", "1A,2B"),
        (
            "{% for x in config.list %}{{ loop.index0 ~ loop.revindex ~ loop.revindex0 ~ loop.length }},{% endfor %}",
            "0212,1102,",
        ),
        ("{% for x in config.list if x > 1 %}{{ x }}{% else %}none{% endfor %}", "2"),
        ("{% if config.n == 1 %}one{% elif true %}two{% endif %}", "one"),
        ("{% set host = env_vars.A | upper %}{{ host }}", "X'Y"),
        ("{{ env_vars.A | shell }} {{ env_vars.B | dotenv }} {{ config.list | tojson }}", "'x'\\''y' \"\\$z\" [1,2]"),
        ("{{ config.items }} {{ config.items + 1 }}", "5 6"),
        ("{{ true }} {{ none }} {{ 1.50 }} {{ 'a' ~ 1 }}", "true null 1.5 a1"),
        ("{% raw %}{{ x }}{% endraw %}{# a comment #}", "{{ x }}"),
        ("{{ nothing | default('else') }} {{ nothing is defined }}", "else false"),
        ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
        ("a\r\nb", "a\nb"),
    ],
)
def test_features_of_a_template(source: str, result: str) -> None:
    assert render(source) == result


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n{% include '/etc/passwd' %}", "2: 'include' is not allowed in a template"),
        ("{% import 'x' as y %}", "1: 'import' is not allowed in a template"),
        ("{% extends 'x' %}", "1: 'extends' is not allowed in a template"),
        ("{% macro m() %}{% endmacro %}", "1: 'macro' is not allowed in a template"),
        ("{% block b %}{% endblock %}", "1: 'block' is not allowed in a template"),
        ("{{ ''.__class__.__mro__ }}", "1: a name that begins with '_' is not allowed in a template"),
        ("{{ env_vars['__class__'] }}", "1: the template cannot be rendered: there is no '__class__'"),
        ("{{ env_vars.items }}", "1: the template cannot be rendered: there is no 'items'"),
        ("{{ config.list.append(1) }}", "1: a call is not allowed in a template"),
        ("{{ range(9) }}", "1: a call is not allowed in a template"),
        ("{{ lipsum() }}", "1: a call is not allowed in a template"),
        ("{{ cycler }}", "1: the template cannot be rendered: there is no 'cycler'"),
        ("{{ self }}", "1: the template cannot be rendered: its operands do not fit together"),
        ("{{ env_vars | attr('x') }}", "1: the template is malformed: No filter named 'attr'"),
        ("{{ config.list | random }}", "1: the template is malformed: No filter named 'random'"),
        ("{{ config.list | map('upper') }}", "1: the template is malformed: No filter named 'map'"),
        ("{{ env_vars.A | safe }}", "1: the template is malformed: No filter named 'safe'"),
        ("{{ config.list | _counted }}", "1: there is no filter '_counted'"),
        (
            "{% for x in config.list recursive %}{% endfor %}",
            "1: a loop that calls itself is not allowed in a template",
        ),
        ("{% for x in config.list %}{{ loop }}{% endfor %}", "1: the template cannot be rendered: its operands do not"),
        (
            "{% for x in env_vars.A %}{% endfor %}",
            "1: the template cannot be rendered: a loop goes over a list or a map",
        ),
        ("{{ env_vars.A.keys() }}", "1: the template cannot be rendered: only a map has keys"),
        ("{{ config.list[0:1] }}", "1: 'slice' is not allowed in a template"),
        ("{{ 2 ** 9 }}", "1: 'pow' is not allowed in a template"),
        ("a\nb\n{{ nothing }}", "3: the template cannot be rendered: there is no 'nothing'"),
        ("{{ 1 / 0 }}", "1: the template cannot be rendered: it divides by zero"),
        ("{{ env_vars.A * 9 }}", "1: the template cannot be rendered: '*' takes two numbers, found text and a number"),
        (
            "{{ true < 2 }}",
            "1: the template cannot be rendered: '<' compares two numbers or two texts",
        ),
        ("{{ (", "1: the template is malformed: unexpected 'end of template'"),
        ("\n\n{% if %}{% endif %}", "3: the template is malformed: Expected an expression"),
        ("{% do x %}", "1: the template is malformed: Encountered unknown tag 'do'"),
        ("{% for x in config.list %}", "1: the template is malformed: Unexpected end of template"),
        ("{{ " + "(" * 300 + ")" * 300 + " }}", "1: the template is"),
    ],
)
def test_restrictions_of_a_template(source: str, message: str) -> None:
    assert render_error(source).startswith(message)
    assert not render_error(source).endswith(".")


DOUBLING = "{% set a = a ~ a %}" * 40


@pytest.mark.parametrize(
    "source",
    [
        "{% set a = 'xxxxxxxxxxxxxxxx' %}" + DOUBLING,
        "{% set a = 'xxxxxxxxxxxxxxxx' %}" + DOUBLING.replace("~", "+"),
        "{% set a = [1] %}" + DOUBLING.replace("~", "+"),
        "{% set a = 9 %}" + DOUBLING.replace("~", "*"),
        "{% set a = [1] %}" + "{% set a = [a, a, a, a] %}" * 40 + "{{ a }}",
        "{% for a in l %}" * 4 + "x" + "{% endfor %}" * 4,
        "{% for a in l %}{% for b in l %}{{ long }}{% endfor %}{% endfor %}",
    ],
)
def test_a_small_template_makes_nothing_large(source: str) -> None:
    """The rendering ends early, with an error."""
    message = render_error(source, l=list(range(200)), long="x" * 1000)
    assert "longer than 65536 characters" in message or "more than 1" in message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for a in l %}{% endfor %}", "its loops take more than 100000 turns"),
        ("{% for a in k %}{{ v }}{% endfor %}", "it makes more than 1048576 characters"),
    ],
)
def test_limits_of_a_rendering(source: str, message: str) -> None:
    data: dict[str, Any] = {"l": [0] * 100_000, "k": [0] * 16, "v": "x" * 65536}
    assert len(render(source, **data)) in (0, 1048576)
    assert message in render_error(source + "x{% for a in one %}{% endfor %}", **data, one=[0])


def test_a_file_of_markup_escapes_what_is_put_in() -> None:
    for name, escaped in (("a.html", True), ("a.xml", True), ("a.svg", True), ("a.conf", False), ("a.html.txt", False)):
        assert render("<a>{{ v }}</a>", name, v="<b>&'\"") == (
            "<a>&lt;b&gt;&amp;&#39;&#34;</a>" if escaped else "<a><b>&'\"</a>"
        )
    assert render("{{ 'x' ~ v }}{{ v + v }}{{ [v] }}", "a.html", v="<") == "x&lt;&lt;&lt;[&#34;&lt;&#34;]"


def test_shell_and_dotenv_quote_for_the_real_readers(tmp_path: Path) -> None:
    texts = {f"V{n}": text for n, text in enumerate(hostile_values(3, 300))}
    loop = "{% for name, value in env_vars | items %}\n%{% endfor %}\n"
    sourced = render(loop.replace("%{", "export {{ name }}={{ value | shell }}\n{", 1), env_vars=texts)
    assert env_readers.bash(sourced.encode(), tmp_path).items() >= texts.items()
    dotenv = render(loop.replace("%{", "{{ name }}={{ value | dotenv }}\n{", 1), env_vars=texts)
    assert env_readers.compose(dotenv.encode(), tmp_path) == texts


def test_no_template_touches_the_world(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    before = dict(os.environ)
    for source in (
        f"{{{{ ''.join(['touch {canary}']) }}}}",
        "{{ [].__class__.__base__.__subclasses__() }}",
        "{{ namespace(a=1).a }}",
        "{{ ().__class__ }}",
        "{{ joiner()() }}",
        "{{ env_vars.A.format(1) }}",
        "{{ '%s' % config.n }}",
        "{{ '{0.__class__}' | replace('a', 'b') | default(config.list) }}{{ config.list.__class__ }}",
        "{% set config.n = 2 %}",
        "{{ caller() }}",
        "{{ super() }}",
        "{{ debug }}",
        "{% debug %}",
    ):
        assert render_error(source)
    assert not canary.exists()
    assert dict(os.environ) == before


# In a tree.


def test_a_template_sees_the_bundle_with_its_environment_as_it_is_written() -> None:
    organization = "output: {formats: [template], env: {config: CFG_}, templates: {app.conf: templates/app.j2}}"
    template = "{{ id }} {{ env_vars | tojson }} {{ config.num }} {{ team }} {{ sensitive }}"
    result = check_template(template, "{env_vars: {B: x}, config: {num: 1}}", organization=organization)
    assert result.codes == []


@pytest.mark.parametrize(
    ("template", "finding"),
    [
        (
            "x\n{{ env_vars.LOGLEVEL }}",
            "2:1 ET810 the template cannot be rendered: there is no 'LOGLEVEL'",
        ),
        ("{% include 'x' %}", "1:1 ET810 'include' is not allowed in a template"),
        ("{{", "1:1 ET810 the template is malformed: unexpected 'end of template'"),
    ],
)
def test_an_error_in_a_template_is_reported_at_its_line(template: str, finding: str) -> None:
    assert check_template(template).findings == [f"templates/app.j2:{finding}"]


def test_a_name_that_is_not_there_has_a_hint() -> None:
    assert check_template("{{ env_vars.LOGLEVEL }}").only_finding().hint == (
        "correct the name, set it in every bundle, or read it with … | default('')"
    )
    assert check_template("{{ env_vars.LOGLEVEL | default('') }}").codes == []


def test_a_template_that_is_not_there() -> None:
    files = layers(organization=DECLARED)
    (finding,) = check(files).findings
    assert finding.endswith("ET301 there is no file 'templates/app.j2' in the tree")
    assert finding.startswith("organization.yaml:2:53")
    # It is only read if it is rendered.
    assert check(layers(organization=DECLARED.replace("[template]", "[compose]"))).codes == []


def test_a_template_that_is_no_text() -> None:
    files = {name: text.encode() for name, text in layers(organization=DECLARED).items()}
    assert check({**files, "templates/app.j2": b"\xff"}).findings == [
        "templates/app.j2:1:1 ET112 the file is not UTF-8"
    ]


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("{formats: [template]}", "ET202"),
        ("{templates: {env.json: t.j2}}", "ET207"),
        ("{templates: {bundle.json: t.j2}}", "ET207"),
        ("{templates: {secrets.sops.json: t.j2}}", "ET207"),
        ("{templates: {.env: t.j2}}", "ET205"),
        ("{templates: {a/b: t.j2}}", "ET205"),
        ("{templates: {a: ../t.j2}}", "ET205"),
        ("{templates: {a: /t.j2}}", "ET205"),
        ("{templates: {a: .git/config}}", "ET205"),
    ],
)
def test_invalid_templates(output: str, code: str) -> None:
    assert run(organization=f"output: {output}").codes == [code]


def test_the_format_without_a_template(envtree: RunCommand, tree: Path) -> None:
    ran = envtree("compile", "--secrets", "ref", "--format", "template", "-o", str(tree / "out"))
    assert ran.code == 1
    assert "organization.yaml:1:1: error ET202: format 'template' needs a template\n" in ran.err


def test_a_template_that_is_a_link_out_of_the_tree(envtree: RunCommand, tree: Path) -> None:
    (tree / "organization.yaml").write_text(ORGANIZATION + DECLARED + "\n")
    (tree / "templates").mkdir()
    (tree.parent / "outside").write_text("secret of the machine\n{{ id }}")
    (tree / "templates/app.j2").symlink_to(tree.parent / "outside")
    ran = envtree("compile", "--secrets", "ref", "-o", str(tree / "out"))
    assert ran.code == 1
    assert "ET121" in ran.err
    assert "secret of the machine" not in ran.err
    (tree / "templates/app.j2").unlink()
    (tree / "templates").rmdir()
    (tree / "templates").symlink_to(tree.parent)
    assert "ET301" in envtree("compile", "--secrets", "ref", "-o", str(tree / "out")).err


READING = {
    "a variable": "{{ env_vars.token }}",
    "a section": "{{ config.url }}",
    "a section as a whole": "{{ config | tojson }}",
    "an element": "{{ config.list[1] }}",
}
HOLDING = "{secrets: [token], config: {url: 'x${{ secrets.token }}', list: [a, '${{ secrets.token }}']}}"


@pytest.mark.parametrize("template", READING.values(), ids=READING.keys())
def test_what_a_template_reads_of_a_secret_is_written_only_in_plain_output(template: str) -> None:
    keyless = check_template(template, HOLDING, secrets={0: SECRETS})
    assert (keyless.codes, keyless.not_checked) == ([], ["ET810 "])
    hidden = DECLARED.replace("formats", "secrets: ref, formats")
    refused = check_template(template, HOLDING, organization=hidden, secrets={0: SECRETS})
    assert (refused.codes, refused.not_checked) == (["ET810"], [])
    assert "canary" not in str(refused.findings)


def test_the_message_says_what_is_not_shown_and_why() -> None:
    hidden = DECLARED.replace("formats", "secrets: ref, formats")
    assert check_template("{{ config.url }}", HOLDING, organization=hidden, secrets={0: SECRETS}).findings == [
        "templates/app.j2:1:1 ET810 the template cannot be rendered: "
        "'config.url' is a secret, and '--secrets ref' shows no secret"
    ]


@pytest.mark.parametrize("mode", ["plain", "ref"])
def test_compile_writes_rendered_templates(mode: SecretsMode, envtree: RunCommand, tree: Path) -> None:
    (tree / "organization.yaml").write_text(ORGANIZATION + DECLARED + "\n")
    (tree / "templates").mkdir()
    (tree / "templates/app.j2").write_text("{{ env_vars | tojson }}\n")
    assert envtree("compile", "--secrets", mode, "-o", str(tree / "out")).code == 0
    written = json.loads((tree / "out/production/shop/cart/bot/app.conf").read_text())
    assert written == {"LOG_LEVEL": "info", "NAME": "bot"}
    assert not (tree / "out/production/shop/cart/bot/.env").exists()


def test_a_changed_template_reaches_all_bundles(envtree: RunCommand, tree: Path) -> None:
    (tree / "organization.yaml").write_text(ORGANIZATION + DECLARED + "\n")
    (tree / "templates").mkdir()
    (tree / "templates/app.j2").write_text("one\n")

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run([programs.program("git"), *identity, *arguments], cwd=tree, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    (tree / "templates/app.j2").write_text("two\n")
    ran = envtree("compile", "--secrets", "ref", "-o", str(tree / "out"), "--changed-since", "HEAD")
    assert ran.err == f"wrote 3 bundles to '{tree}/out'\n"


def test_a_withheld_value_has_a_default_but_cannot_be_read() -> None:
    assert render("{{ a is defined }}{{ a | default('none') }}", a=withheld_value("x")) == "falsenone"
    with pytest.raises(TemplateFileError, match=r"^the template cannot be rendered: 'a' is a secret$") as caught:
        render("{{ a }}", a=withheld_value("'a' is a secret"))
    assert caught.value.is_withheld
