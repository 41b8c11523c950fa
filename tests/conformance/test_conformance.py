"""Every difference to a third-party suite or program has a reason, and every reason a difference."""

import pytest

from tests.conformance.__main__ import SUITES, problems
from tests.conformance.case import run_suite

pytestmark = pytest.mark.foreign


@pytest.mark.parametrize("name", SUITES)
def test_differences_have_a_reason(name: str) -> None:
    verdict = run_suite(name, SUITES[name])
    assert verdict.equal > 0
    assert list(problems(name, verdict)) == []
