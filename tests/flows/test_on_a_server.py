"""The flows say the same on a Prefect server as without one."""

from __future__ import annotations

import json

import pytest

from tests.autopack.sot.counted import true_files

BROKEN = b"# I\n\n[gone](GONE.md) [here](BUILD_HISTORY.md) [wrong base](docs/DEBUG_LOG.md)\n"


@pytest.mark.parametrize(
    "words",
    [
        ("sot_counts", "--check"),
        ("sot_counts", "--execute"),
        ("doc_links", "--nav"),
        ("doc_links", "--deep", "--fix", "certain"),
        ("doc_links", "--nav", "--fix", "certain", "--execute"),
        ("tidy", "--quick", "--execute", "--max-seconds", "60"),
        ("tidy", "--full", "--execute"),
    ],
    ids=" ".join,
)
def test_a_run_on_a_server_finds_and_writes_what_a_direct_one_does(
    words, run_flow, make_workspace, prefect_server
) -> None:
    files = {**true_files(), "docs/INDEX.md": BROKEN}
    files["run.log"] = b"x\n"
    files["archive/reports/CART_COMPLETION.md"] = b"# The cart\n"
    files["README.md"] = files["README.md"].replace(b"entries**: 3", b"entries**: 4")
    env = {"PREFECT_API_URL": prefect_server.url, "PREFECT_HOME": str(prefect_server.home)}
    reports, roots = [], []
    for engine in ("direct", "server"):
        root = make_workspace(files)
        done = run_flow(*words, "--engine", engine, "--json", "--workspace", root, env=env)
        assert done.returncode in (0, 1), done.stderr
        reports.append(done.report)
        roots.append(root)
    direct, server = reports
    assert server["engine"] == "server"
    assert server["flow_run_id"]
    for same in ("exit_code", "counts"):
        assert server[same] == direct[same]
    for report in reports:  # each workspace has a cache of its own
        report["writes"]["files"] = [f for f in report["writes"]["files"] if not f.startswith("/")]
    assert server["writes"] == direct["writes"]
    assert [f["message"] for f in server["findings"]] == [f["message"] for f in direct["findings"]]
    index = [(root / "docs/INDEX.md").read_bytes() for root in roots]
    assert index[0] == index[1]


def test_a_deep_scan_leaves_its_report_and_its_tables_as_artifacts(
    run_flow, make_workspace, prefect_server
) -> None:
    root = make_workspace({**true_files(), "docs/INDEX.md": BROKEN})
    env = {"PREFECT_API_URL": prefect_server.url, "PREFECT_HOME": str(prefect_server.home)}
    done = run_flow("doc_links", "--deep", "--json", "--workspace", root, env=env)
    wanted = {"artifacts": {"flow_run_id": {"any_": [done.report["flow_run_id"]]}}}
    made = {a["key"]: a for a in prefect_server.post("/artifacts/filter", wanted)}
    assert made["doc-links"]["type"] == "markdown"
    assert "Mend first" in made["doc-links"]["data"]
    rows = json.loads(made["doc-links-mend-first"]["data"])
    assert rows == [{"page": "docs/INDEX.md", "broken": 2, "fragments": 0, "certain": 1}]


def test_a_long_step_draws_a_bar(prefect_server) -> None:
    """One artifact, which ends at its end."""
    import prefect

    from tasks.publish import Progress

    @prefect.flow
    def reading() -> None:
        bar = Progress("test-reading", "reading pages", every_s=0)
        for done in (10, 20, 40):
            bar(done, 40)

    reading()
    wanted = {"artifacts": {"key": {"any_": ["test-reading"]}}}
    (made,) = prefect_server.post("/artifacts/filter", wanted)
    assert (made["type"], made["data"]) == ("progress", 100)
    assert made["description"] == "reading pages"


def test_a_bar_outside_prefect_is_nothing() -> None:
    from tasks.publish import Progress

    Progress("test-nothing", "reading pages", every_s=0)(1, 2)
