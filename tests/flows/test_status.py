"""The health page: every capability asked, nothing changed, each bad line with its command."""

from __future__ import annotations

import json
import os
import re
import socket

import pytest

from autopack.io.storage_snapshots import STORE
from autopack.state_files import AUDIT, HEALTH, PHASES
from flows.status import status as flow
from tasks.engine import plain
from tests.autopack.sot.counted import true_files
from tests.support.link_checks import everything
from tests.support.phase_runs import lay_out

PARTS = [
    "counts", "index", "navigation", "links", "locks", "tidy", "rules", "rule file", "audit",
    "disk", "storage",
]  # fmt: skip


@pytest.fixture
def status(run_flow):
    def run(root, *flags, form="--json"):
        return run_flow("status", "--workspace", root, "--engine", "direct", *flags, form)

    return run


def states(done) -> dict[str, str]:
    return {part["name"]: part["state"] for part in done.report["parts"]}


def test_every_capability_has_a_line_and_nothing_is_changed(make_workspace, status) -> None:
    root = make_workspace(true_files())
    before = everything(root)
    done = status(root)
    assert set(PARTS) <= states(done).keys()
    assert states(done)["counts"] == "good"
    assert everything(root) == before


def test_a_bad_line_has_its_command_and_makes_the_exit_code_1(make_workspace, status) -> None:
    files = true_files()
    files["README.md"] += b"\nSee [it](docs/NOWHERE.md).\n"
    done = status(make_workspace(files))
    assert done.returncode == 1
    assert states(done)["navigation"] == "bad"
    bad = next(part for part in done.report["parts"] if part["name"] == "navigation")
    assert "docs/NOWHERE.md" in bad["words"]
    assert bad["command"].startswith("python -m flows.")


def test_a_capability_that_fails_does_not_hide_the_others(make_workspace, status) -> None:
    root = make_workspace(true_files())
    (root / "config").mkdir(exist_ok=True)
    (root / "config/tidy.yaml").write_text("nonsense: [")
    done = status(root)
    assert states(done)["tidy"] == "unknown"
    assert states(done)["counts"] == "good"
    assert done.returncode == 1


def test_every_command_of_the_page_is_about_this_workspace(make_workspace, status) -> None:
    root = make_workspace(true_files())
    done = status(root)
    commands = [part["command"] for part in done.report["parts"] if part["state"] != "good"]
    ours = [command for command in commands if "flows." in command]
    assert ours
    assert all(f"--workspace {root}" in command for command in ours)
    lines = status(root, form="--format=text").stdout.splitlines()
    told = [line for line in lines if line.strip().startswith("-> python -m flows.")]
    assert told
    assert all(f"--workspace {root}" in line for line in told)


def test_a_workspace_that_takes_no_history_is_described_all_the_same(
    make_workspace, status
) -> None:
    root = make_workspace(true_files())
    (root / ".autonomous_runs").mkdir(exist_ok=True)
    (root / HEALTH).parent.write_text("no folder")
    done = status(root, "--execute")
    assert done.returncode == 4
    assert set(PARTS) <= states(done).keys()


def test_names_with_markup_stay_names(make_workspace, status) -> None:
    files = true_files()
    files["README.md"] += b"\nSee [it](docs/&lt;img&gt;.md).\n"
    page = status(make_workspace(files), form="--html").stdout
    assert "<img" not in page
    assert "docs/&lt;img&gt;.md" in page


def test_the_workspace_s_growth_is_that_of_its_last_two_scans(
    make_workspace, status, run_flow
) -> None:
    root = make_workspace(true_files())
    assert part(status(root), "storage")["words"] == "the workspace was never scanned"
    scan = ("storage_scan", "--workspace", root, "--engine", "direct")
    run_flow(*scan)
    (root / "large").write_bytes(os.urandom(30_000_000))
    run_flow(*scan)
    line = part(status(root), "storage")
    assert line["state"] == "good"
    assert ", +0.03 GB since " in line["words"]
    assert line["numbers"]["kept_gb"] >= 0.03
    (newest, *_) = sorted((root / STORE).rglob("*.parquet"), reverse=True)
    newest.write_bytes(b"PAR1")
    assert (part(status(root), "storage")["state"]) == "look"


def test_a_chain_that_was_tampered_with_is_bad(make_workspace, status, run_flow) -> None:
    root = make_workspace(true_files())
    assert part(status(root), "audit")["state"] == "good", "there is no record yet"
    for _ in range(2):
        status(root, "--execute")
    chain = root / AUDIT
    chain.write_bytes(chain.read_bytes().replace(b'"status"', b'"statvs"', 1))
    done = status(root)
    assert part(done, "audit")["state"] == "bad"
    assert done.returncode == 1


def test_a_phase_that_has_not_ended_has_a_line(make_workspace, status, run_flow) -> None:
    root = lay_out(make_workspace(true_files()))
    assert "phase" not in states(status(root))
    spec = root.parent / "plan.json"
    where = ("--workspace", root, "--engine", "direct")
    assert run_flow("phase_check", "begin", spec, *where).returncode == 0
    line = part(status(root), "phase")
    assert line["state"] == "look"
    assert f"flows.phase_check end --workspace {root} {spec} --phase " in line["command"]
    (snapshot,) = (root / PHASES).glob("*.json")
    snapshot.write_bytes(snapshot.read_bytes()[:-9])
    assert part(status(root), "phase")["state"] == "bad"


def part(done, name: str) -> dict:
    return next(part for part in done.report["parts"] if part["name"] == name)


def test_looks_that_are_kept_are_drawn(make_workspace, status) -> None:
    root = make_workspace(true_files())
    for _ in range(2):
        assert status(root, "--execute").report["writes"]["files"] == [HEALTH]
    assert len((root / HEALTH).read_text().splitlines()) == 2
    page = status(root, form="--html")
    assert "Claims that are not true" in page.stdout
    assert not re.search(r"""(?:src|href)=["']https?:""", page.stdout)
    lines = [json.loads(line) for line in (root / HEALTH).read_text().splitlines()]
    assert lines[0]["numbers"]["drifts"] == 0


@pytest.mark.parametrize("step", [
    "status_disk.look", "status_kept.storage", "status_kept.phase", "status_prefect.ask_prefect",
    "status.recall",
])  # fmt: skip
def test_a_step_with_a_bug_does_not_hide_the_others(step, make_workspace, monkeypatch) -> None:
    def broken(_looking) -> None:
        raise OverflowError("timestamp out of range")

    monkeypatch.setattr(f"tasks.{step}", broken)
    report = plain(flow)(str(make_workspace(true_files())))
    assert report.exit_code == 1
    (line,) = [part for part in report.extra["parts"] if "out of range" in part["words"]]
    assert line["state"] == "unknown"
    assert len(report.extra["parts"]) > len(PARTS) - 1


def test_a_look_that_is_cut_short_shows_what_it_knows(make_workspace, status) -> None:
    root = make_workspace(true_files())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u:pw@127.0.0.1:{silent.getsockname()[1]}/x"
        done = status(root, "--execute", "--max-seconds", "12", "--database-url", url)
    assert done.returncode == 3
    assert states(done)["counts"] == "good"
    assert states(done).get("index", "unknown") == "unknown"
    assert not (root / HEALTH).exists()
