"""Pages of scans on disk: the script once, links refused, old pages gone."""

from __future__ import annotations

import plotly
import pytest

from autopack.errors import AutopackError
from autopack.io.storage_pages import KEPT, PAGES, keep_page, script_name


@pytest.fixture
def root(make_workspace):
    return make_workspace()


def test_the_script_is_that_of_plotly_and_named_by_its_version(root) -> None:
    made = keep_page(root, "scan-1.html", "<p>")
    assert made == [f"{PAGES}/{script_name()}", f"{PAGES}/scan-1.html"]
    assert plotly.__version__ in script_name()
    data = (root / made[0]).read_bytes()
    assert data.startswith(b"/**\n* plotly.js")
    assert b"MIT license" in data[:400]
    assert keep_page(root, "scan-2.html", "<p>") == [f"{PAGES}/scan-2.html"]


def test_a_damaged_script_is_written_again(root) -> None:
    keep_page(root, "scan-1.html", "<p>")
    (root / PAGES / script_name()).write_text("broken")
    assert len(keep_page(root, "scan-2.html", "<p>")) == 2
    assert (root / PAGES / script_name()).stat().st_size > 1_000_000


def test_only_the_oldest_pages_of_scans_go(root) -> None:
    (root / PAGES).mkdir(parents=True)
    (root / PAGES / "0123456789ab.json").write_text("{}")
    for n in range(KEPT + 5):
        (root / PAGES / f"scan-{n:03}.html").write_text("old")
    keep_page(root, "scan-999.html", "<p>")
    left = sorted(path.name for path in (root / PAGES).glob("scan-*"))
    assert (len(left), left[0], left[-1]) == (KEPT, "scan-006.html", "scan-999.html")
    assert (root / PAGES / "0123456789ab.json").exists()


def test_a_link_out_of_the_workspace_is_not_written_through(root, tmp_path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / PAGES).parent.mkdir(parents=True)
    (root / PAGES).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AutopackError):
        keep_page(root, "scan-1.html", "<p>")
    assert list((tmp_path / "elsewhere").iterdir()) == []
