"""A scan as its users run it: what it says, what it writes, and every way it can end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autopack.io.storage_reports import read_report
from tests.support.process import Finished
from tests.support.session import REPOSITORY, clean_environment
from tests.support.tidy import small_filesystem, without_root_rights

LONG_AGO = 1_500_000_000
MIB = 1 << 20
POLICY = """\
protected:
  code: ["src/**"]
categories:
  caches:
    match: ["**/.cache/**"]
    older_than_days: 30
    action: quarantine
"""
FILES = {
    "config/storage.yaml": POLICY,
    "a/.cache/blob": b"x" * MIB,
    "src/main.c": b"x" * 2 * MIB,
    "/".join("d" * 40) + "/deep": b"x" * 4 * MIB,
    "<script>alert(1)": b"x" * 8192,
    "line\nbreak": b"x" * 8192,
}


def age(root: Path, *names: str) -> None:
    """Make these files and folders look as if nobody had touched them for years."""
    for name in names:
        os.utime(root / name, (LONG_AGO, LONG_AGO))


@pytest.fixture
def root(make_workspace) -> Path:
    made = make_workspace(FILES)
    Path(os.fsdecode(os.fsencode(made) + b"/caf\xe9")).write_bytes(b"x" * 8192)
    age(made, "a/.cache/blob", "a/.cache")
    return made


@pytest.fixture
def scan(run_flow, root):
    """Return `scan(*words)`: scan the workspace without an engine; nothing ends in a traceback."""

    def run(*words, form="--json", **kwargs) -> Finished:
        flags = ("--workspace", root, "--engine", "direct", form)
        done = run_flow("storage_scan", *flags, *words, **kwargs)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def files_of(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def products(done: Finished) -> set[str]:
    return set(done.report["writes"]["files"])


def codes(done: Finished) -> list[str]:
    return [finding["code"] for finding in done.report["findings"]]


def test_a_scan_counts_finds_and_leaves_a_report_to_approve(scan, root) -> None:
    before = files_of(root)
    done = scan()
    assert done.returncode == 0, done.stderr
    counts = done.report["counts"]
    assert (counts["files"], counts["denied"], counts["candidates"]) == (7, 0, 1)
    assert counts["bytes_reclaimable"] >= MIB
    paper = read_report(str(root / done.report["report_path"]))
    assert [item.path for item in paper.items] == ["a/.cache"]
    assert done.report["report_id"] == paper.id
    (step,) = done.report["next_steps"]
    assert f"{root}/{done.report['report_path']}" in step["command"]
    assert files_of(root) - before == products(done)
    assert (root / "a/.cache/blob").exists()
    page = (root / scan("--html").report["html_path"]).read_text()
    assert paper.items[0].id in page
    assert f"storage_apply approve --workspace {root} {root}/.autonomous_runs/" in page


def test_a_file_forty_folders_deep_is_in_every_sum_above_it(scan) -> None:
    said = scan(form="--format=text").stdout
    assert "/".join("d" * 40) + "/deep" in said
    assert "4.2 MiB   4.2 MiB       41  d\n" not in said, "one folder stands for the chain"
    assert f"{'/'.join('d' * 40)}\n" in said


def test_names_that_a_terminal_or_a_page_would_act_on_are_spelled(scan, root) -> None:
    done = scan("--html")
    page = (root / done.report["html_path"]).read_text()
    assert "<script>alert" not in page
    assert r"line\nbreak" in page
    assert r"caf\xe9" in page
    said = scan(form="--format=text").stdout
    assert r"line\nbreak" in said
    assert r"caf\xe9" in said


def test_the_page_and_its_script_lie_beside_the_report(scan, root) -> None:
    done = scan("--html")
    page, report = (root / done.report[key] for key in ("html_path", "report_path"))
    (script,) = page.parent.glob("plotly-*.min.js")
    assert page.parent == report.parent
    assert f'src="{script.name}"' in page.read_text()
    assert products(done) == {
        done.report["html_path"],
        done.report["report_path"],
        str(script.relative_to(root)),
        done.report["roots"][0]["snapshot"],
    }
    assert str(script.relative_to(root)) not in products(scan("--html")), "it is written once"


def test_the_second_scan_says_what_grew(scan, root) -> None:
    scan()
    (root / "src/main.c").write_bytes(b"x" * 5 * MIB)
    (root / "a/.cache/blob").unlink()
    done = scan("--html")
    since = done.report["roots"][0]["since_last"]
    assert since["entries_gone"] == 1
    assert since["bytes_allocated"] >= 2 * MIB
    text = scan("--root", str(root / "src"), form="--format=text").stdout
    assert "Growth since the last scan" not in text, "another root has no earlier scan"
    assert "Growth since the last scan" in (root / done.report["html_path"]).read_text()


def test_a_fast_scan_never_leaves_a_report_and_says_why(scan, root) -> None:
    scan()
    done = scan("--mode", "fast", "--html")
    assert done.returncode == 0, done.stderr
    assert done.report["report_path"] is None
    assert "candidates" not in done.report["counts"]
    (step,) = done.report["next_steps"]
    assert "--mode exact" in step["command"]
    assert "fast scan" in step["why"]
    assert done.report["roots"][0]["label"].startswith("structural; sizes as of ")
    assert "structural; sizes as of " in (root / done.report["html_path"]).read_text()
    assert len(list((root / ".autonomous_runs/reports/storage").glob("*.json"))) == 1


def test_a_share_that_is_too_large_is_refused_and_the_page_is_there(scan, root) -> None:
    (root / "config/storage.yaml").write_text(POLICY + "refuse_share: 1\n")
    done = scan("--html")
    assert done.returncode == 6
    assert done.report["report_path"] is None
    assert done.report["next_steps"] == []
    page = (root / done.report["html_path"]).read_text()
    assert "Categories of the policy" in page
    assert '<span class="pill error">refused</span>' in page
    assert not list((root / ".autonomous_runs/reports/storage").glob("*.json"))


def test_denied_folders_are_a_warning_and_counted(root, scan) -> None:
    prefix = without_root_rights()
    (root / "shut/in").mkdir(parents=True)
    (root / "shut").chmod(0)
    command = [*prefix, sys.executable, "-m", "flows.storage_scan", "--workspace", str(root)]
    command += ["--engine", "direct", "--json"]
    try:
        run = subprocess.run(
            command, cwd=REPOSITORY, env=clean_environment(), capture_output=True, check=False
        )
        strict = subprocess.run(
            [*command, "--strict"], cwd=REPOSITORY, env=clean_environment(), capture_output=True,
            check=False,
        )  # fmt: skip
    finally:
        (root / "shut").chmod(0o755)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["counts"]["denied"] == 1
    assert [f["code"] for f in report["findings"]] == ["partial_scan"]
    assert report["roots"][0]["partial"]
    assert report["roots"][0]["not_seen"] == [["shut", "denied"]]
    assert strict.returncode == 1


def test_a_mount_is_named_and_not_entered(scan, root) -> None:
    with small_filesystem(root / "mnt"):
        (root / "mnt/inside").write_bytes(b"x" * MIB)
        done = scan()
    assert done.returncode == 0
    assert [why for _, why in done.report["roots"][0]["not_seen"]] in (["mount"], ["filesystem"])
    assert codes(done) == []


def test_two_names_of_a_file_and_a_sparse_one_are_counted_as_they_are(scan, tmp_path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "one").write_bytes(b"x" * MIB)
    for n in range(4):
        (tree / f"name{n}").hardlink_to(tree / "one")
    with (tree / "hole").open("wb") as file:
        file.truncate(1 << 30)
    counts = scan("--root", tree).report["counts"]
    assert (1 << 30) + MIB <= counts["bytes_apparent"] < (1 << 30) + 2 * MIB
    assert counts["bytes_allocated"] < 2 * MIB


def test_several_roots_are_one_report(scan, root, tmp_path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_bytes(b"x" * MIB)
    done = scan("--root", tmp_path / "one", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    assert [one["path"] for one in done.report["roots"]] == [
        str(tmp_path / name) for name in ("one", "two")
    ]
    assert done.report["counts"]["files"] == 2
    assert len(products(done)) == 3, "two snapshots, one report"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--root", "missing"), "missing"),
        (("--root", "docs/A.md"), "docs/A.md"),
        (("--root", "docs", "."), "in one another"),
        (("--root", "docs", "docs"), "in one another"),
        (("--policy", "missing.yaml"), "missing.yaml does not exist"),
        (("--mode", "quick"), "'quick'"),
        (("--execute",), "unknown flag --execute"),
        (("--max-seconds", "0"), "is not between"),
    ],
)
def test_a_bad_word_is_2_in_one_line_and_nothing_is_written(scan, root, words, said) -> None:
    (root / "docs/A.md").write_text("x")
    before = files_of(root)
    done = scan(*words, cwd=root, env={"PYTHONPATH": str(REPOSITORY)})
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Next: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert files_of(root) == before


def test_a_malformed_policy_is_2_with_its_line(scan, root) -> None:
    (root / "config/storage.yaml").write_text("execution: maybe\n")
    done = scan()
    assert done.returncode == 2
    assert "config/storage.yaml:1:" in done.stderr


def test_a_deadline_ends_with_3_and_nothing_half_written(scan, root) -> None:
    before = files_of(root)
    done = scan("--root", "/", "--mode", "full", "--max-seconds", "1")
    assert done.returncode == 3, done.stderr
    assert "ran out" in done.report["message"]
    assert files_of(root) == before


def test_an_interrupted_scan_ends_with_130_and_leaves_no_scrap(root) -> None:
    """The signal comes while the tree is walked: `/usr` takes longer than it takes to arrive."""
    import psutil

    command = [sys.executable, "-m", "flows.storage_scan", "--workspace", str(root)]
    child = subprocess.Popen(
        [*command, "--engine", "direct", "--json", "--root", "/usr", "--mode", "full"],
        cwd=REPOSITORY, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    watched = psutil.Process(child.pid)
    while child.poll() is None and not watched.children():
        time.sleep(0.005)
    workers = watched.children() if child.poll() is None else []
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert b"Traceback" not in err
    assert json.loads(out)["writes"]["files"] == []
    assert not (root / ".autonomous_runs").exists()
    assert psutil.wait_procs(workers, timeout=60)[1] == [], "no process is left"


def test_two_scans_at_once_leave_two_snapshots_and_one_script(root) -> None:
    command = [sys.executable, "-m", "flows.storage_scan", "--workspace", str(root)]
    runs = [
        subprocess.Popen(
            [*command, "--engine", "direct", "--json", "--html"], cwd=REPOSITORY,
            env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    ended = [(run.communicate(timeout=120), run.returncode) for run in runs]
    assert [code for _, code in ended] == [0, 0, 0], ended
    reports = [json.loads(out) for (out, _), _ in ended]
    named = {name for report in reports for name in report["writes"]["files"]}
    there = {name for name in files_of(root) if name.startswith(".autonomous_runs")}
    assert there == named
    assert len({report["html_path"] for report in reports}) == 3


def test_a_damaged_snapshot_is_told_and_not_believed(scan, root) -> None:
    (file,) = (root / name for name in products(scan()) if name.endswith(".parquet"))
    file.write_bytes(file.read_bytes()[:-100])
    done = scan()
    assert done.returncode == 0, done.stderr
    assert codes(done) == ["damaged_snapshot"]
    assert done.report["roots"][0]["since_last"] is None


def test_snapshots_and_pages_are_limited(scan, root) -> None:
    pages = root / ".autonomous_runs/reports/storage"
    pages.mkdir(parents=True)
    for n in range(40):
        (pages / f"scan-20200101T0000{n:02}.000000Z-0123456789ab.html").write_text("old")
    (pages / "mine.html").write_text("kept")
    scan("--html")
    left = sorted(path.name for path in pages.glob("*.html"))
    assert len(left) == 31
    assert "mine.html" in left


@pytest.mark.parametrize("why", ["full", "read-only"])
def test_a_disk_without_room_is_4_and_nothing_is_half_written(run_flow, tmp_path, why) -> None:
    disk = tmp_path / "disk"
    with small_filesystem(disk, "size=1m"):
        (disk / "docs").mkdir()
        if why == "full":
            free = os.statvfs(disk)
            with (disk / "ballast").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        before = files_of(disk)
        words = ("--workspace", disk, "--engine", "direct", "--json", "--html")
        done = run_flow("storage_scan", *words)
        assert done.returncode == 4, done.stderr
        assert "Traceback" not in done.stderr
        assert files_of(disk) == before


def test_a_run_on_a_server_leaves_its_report_and_its_tables_as_artifacts(
    run_flow, root, prefect_server
) -> None:
    env = {"PREFECT_API_URL": prefect_server.url, "PREFECT_HOME": str(prefect_server.home)}
    done = run_flow(
        "storage_scan", "--workspace", root, "--engine", "server", "--html", "--json", env=env
    )
    assert done.returncode == 0, done.stderr
    assert done.report["engine"] == "server"
    wanted = {"artifacts": {"flow_run_id": {"any_": [done.report["flow_run_id"]]}}}
    made = {one["key"]: one for one in prefect_server.post("/artifacts/filter", wanted)}
    assert "Largest files" in made["storage-scan"]["data"]
    rows = json.loads(made["storage-scan-largest-files"]["data"])
    assert rows[0]["allocated"] == "4.0 MiB"
