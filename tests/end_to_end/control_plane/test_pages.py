"""The pages of the codes that need a control plane: the wrong example reports only that code, the right one none."""

from pathlib import Path

import pytest

from envtree.diagnostics.pages import read_page
from tests.end_to_end.control_plane.keys import key_for
from tests.end_to_end.control_plane.server import ControlPlane
from tests.unit.diagnostics import test_pages as pages

pytestmark = pytest.mark.control_plane


@pytest.mark.parametrize("code", sorted(pages.ELSEWHERE))
@pytest.mark.parametrize("which", ["wrong", "right"])
def test_page(code: str, which: str, plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, wrong, right = pages.split(read_page(code))
    organization = f"{code.lower()}-{which}"
    monkeypatch.setitem(pages.HEAD, "name", organization)
    (tmp_path / "tree").mkdir()
    reported = pages.codes(
        code,
        wrong if which == "wrong" else right,
        tmp_path / "tree",
        KUBIYA_API_KEY=key_for(organization),
        KUBIYA_CONTROL_PLANE_BASE_URL=plane.url,
        KUBIYA_BASE_URL=plane.services.url,
    )
    assert reported == ({code} if which == "wrong" else set())
