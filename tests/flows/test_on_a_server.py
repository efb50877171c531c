"""The flows say the same on a Prefect server as without one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.autopack.sot.counted import true_files
from tests.support.phase_runs import lay_out
from tests.support.phase_specs import spoiled

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
    messages = [[finding["message"] for finding in report["findings"]] for report in reports]
    assert messages[0] == messages[1]
    for same in ("exit_code", "counts"):
        assert server[same] == direct[same]
    for report in reports:  # each workspace has a cache of its own
        report["writes"]["files"] = [f for f in report["writes"]["files"] if not f.startswith("/")]
    assert server["writes"] == direct["writes"]
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


def test_a_phase_runs_on_a_server_from_begin_to_end(run_flow, tmp_path, prefect_server) -> None:
    """A violation is found and kept, mended, closed; then a command runs as a phase of its own."""
    paths = ["src/app/", "tests/test_app.py"]
    root = lay_out(tmp_path / "ws", spoiled(("validation.argv", ["python", "tests/test_app.py"])))
    policy = "commands: [{argv: [python, tests/test_app.py], paths: true}]\n"
    (root / "config/phase_policy.yaml").write_text(policy)
    env = {"PREFECT_API_URL": prefect_server.url, "PREFECT_HOME": str(prefect_server.home)}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def phase(what: str, *words: str, ends: int, then: tuple[str, ...] = ()) -> dict[str, Any]:
        where = ("--workspace", root, "--engine", "server", "--json")
        spec = root.parent / "plan.json"
        done = run_flow("phase_check", what, spec, *words, *where, *then, env=env)
        assert done.returncode == ends, done.stdout + done.stderr
        assert done.report["engine"] == "server"
        run = prefect_server.get(f"/flow_runs/{done.report['flow_run_id']}")
        assert run["state"]["type"] == "COMPLETED"
        assert run["state"]["name"] == ("Findings" if ends else "Completed")
        return done.report

    digest = phase("begin", ends=0)["phase"]["snapshot_sha256"]
    (root / "src/app/main.py").write_text("x = 2\n")
    (root / "docs/new.md").write_text("sly\n")
    found = phase("end", "--digest", digest, "--execute", ends=1)
    assert [(f["path"], f["code"]) for f in found["findings"]] == [("docs/new.md", "PS709")]
    assert any(name.endswith("/files/docs/new.md") for name in found["writes"]["files"])
    (root / "docs/new.md").unlink()
    assert phase("end", "--digest", digest, "--execute", ends=0)["counts"]["lines"] == 2

    command = ("--", sys.executable, "-c", "open('src/app/made.py', 'w').write('m = 1\\n')")
    done = phase("run", "--execute", ends=0, then=command)
    assert done["phase"]["changed"] == ["src/app/made.py"]
    assert done["sandbox"]["kind"] == "none" or done["sandbox"]["may_write"] == paths
    assert not list((root / ".autonomous_runs/phases").glob("*.json")), "the phase is closed"


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
