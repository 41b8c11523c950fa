"""T68: values in plain files that look like credentials are reported and never shown. No token in this file is real."""

import pytest

from tests.support.trees import check, layers, quote_yaml

A36, A24 = "a1B2" * 9, "q7Xw" * 6
FORMS = {
    "an AWS access key": "AKIA" + "Q7XW" * 4,
    "a GitHub token": "ghp_" + A36,
    "a GitLab token": "glpat-" + A24,
    "a Slack token": "xoxb-" + A24,
    "a Slack webhook": "https://hooks.slack.com/services/" + A24,
    "a Google API key": "AIza" + A36[:35],
    "an Anthropic key": "sk-ant-" + A24,
    "an OpenAI key": "sk-proj-" + A36,
    "a Stripe key": "sk_live_" + A24,
    "a SendGrid key": f"SG.{A24}.{A36}",
    "an npm token": "npm_" + A36,
    "a PyPI token": "pypi-AgE" + A36 + A24,
    "a Hugging Face token": "hf_" + "aBcD" * 9,
    "an age secret key": "AGE-SECRET-KEY-1" + "Q7XW" * 14,
    "a private key": "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\n",
    "a JSON web token": f"eyJ{A24}.eyJ{A24}.{A24}",
    "an Azure account key": "DefaultEndpointsProtocol=https;AccountKey=" + A36 + A24,
    "a URL with a password": "postgres://app:hunter2@db.internal/app",
}


def findings(section: str) -> list[tuple[str, str]]:
    diagnostics = [finding.diagnostic for finding in check(layers("", "", "", section)).outcome.findings]
    return [(diagnostic.code, diagnostic.message) for diagnostic in diagnostics]


@pytest.mark.parametrize(("kind", "token"), FORMS.items(), ids=FORMS.keys())
def test_t68_a_token_format_is_recognised_anywhere(kind: str, token: str) -> None:
    for text in (token, f"prefix {token} suffix"):
        for section in (f"config: {{a: [{{b: {quote_yaml(text)}}}]}}", f"env_vars: {{A: {quote_yaml(text)}}}"):
            ((code, message),) = findings(f"{{{section}}}")
            assert code == "ET251"
            assert message.endswith(f"looks like {kind}, in plain text")
            assert token not in message


@pytest.mark.parametrize("name", ["DB_PASSWORD", "TOKEN", "apikey", "STRIPE_API_KEY", "AWS_SECRET", "ssh_private_key"])
def test_t68_the_name_of_a_variable_is_recognised(name: str) -> None:
    assert [code for code, _ in findings(f"{{env_vars: {{{name}: hunter2}}}}")] == ["ET251"]


COMPUTED = [
    "Bearer ${{ secrets.TOKEN }}",
    "Bearer ${{secrets.TOKEN}}",
    "Bearer ${{ secrets['TOKEN'] }}",
    " ${{ secrets.TOKEN }}",
    "Basic ${{ ('app:' ~ secrets.TOKEN) | b64encode }}",
    "Bearer ${{ secrets.TOKEN if true else '' }}",
    "Bearer ${{ env_vars.OTHER }}",
    "${{ agent.name }}:${{ secrets.TOKEN }}",
    "sk-${{ secrets.TOKEN }}-end",
]


@pytest.mark.parametrize("text", COMPUTED)
def test_t68_a_value_computed_from_a_secret_is_not_plain_text(text: str) -> None:
    section = f"{{secrets: {{OTHER: TOKEN}}, env_vars: {{API_TOKEN: {quote_yaml(text)}}}}}"
    assert check(layers(section, secrets={0: {"TOKEN": "abc"}})).codes == []


@pytest.mark.parametrize("text", ["hunter2-${{ environment.name }}", "Bearer $${{ secrets.TOKEN }}"])
def test_t68_a_text_with_an_expression_that_reads_no_secret_is_plain_text(text: str) -> None:
    assert [code for code, _ in findings(f"{{env_vars: {{API_TOKEN: {quote_yaml(text)}}}}}")] == ["ET251"]


@pytest.mark.parametrize(
    "section",
    [
        "{env_vars: {TOKEN_TTL: 30m, MAX_TOKENS: 4096, PASSWORD_FILE: /run/x, TOKEN_URL: 'https://x.io'}}",
        "{env_vars: {PASSWORD: '${{ agent.name }}', TOKEN: /run/secrets/x, SECRET: changeme, API_KEY: '<yours>'}}",
        "{env_vars: {PASSWORD: '', TOKEN: true, SECRET: 12}}",
        "{config: {tokens: many, password: optional}}",
        "{config: {url: 'https://db.internal/a@b', at: 'postgres://app@db/x', port: 'http://db:80/@x'}}",
        "{config: {model: anthropic/claude-sonnet-4-5, dsn: 'postgres://a:${{ 1 }}@b'}}",
        "{config: {key: age1u49zj7tlajgzrjy23pttwdstce7jft5x88pa3dy388pe5684893s6e5msv}}",
        "{config: {sha: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}}",
        "{config: {words: this-is-a-long-name-of-a-service-with-9-words-in-it}}",
    ],
)
def test_t68_values_that_only_resemble_credentials_are_not_reported(section: str) -> None:
    assert [code for code, _ in findings(section) if code in ("ET251", "ET252")] == []


def test_high_entropy_alone_is_an_info() -> None:
    ((code, message),) = findings("{config: {id: aG9w3Kd82jsKQpz0Xv71LmNbTyUe}}")
    assert (code, message) == ("ET252", "'config.id' is as random as a key, in plain text")
