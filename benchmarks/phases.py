"""How fast specs are validated, paths are judged, and a phase's violations are found.

`python -m benchmarks.phases [--phases N] [--rounds N] [--files N]`: a made plan, read and held
against every rule, against the model alone and against its JSON Schema; paths against compiling and
matching the same globs; the command against a bare interpreter; the end of a phase in a made
repository against `git status`, which sees less.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.io.phase_store import load
from autopack.io.phase_walk import take_census
from autopack.phases.document import read
from autopack.phases.examine import Examined, examine
from autopack.phases.model import PlanSpec
from autopack.phases.policy import packaged
from autopack.phases.rules import world_of
from autopack.phases.schema import schema_text
from autopack.phases.scope import Scope, compiled
from autopack.phases.violations import judge
from benchmarks.measure import Row, interleaved, show

REPOSITORY = Path(__file__).resolve().parents[1]


def phase(number: int) -> dict[str, Any]:
    """Return one good phase."""
    area = f"src/area{number}"
    return {
        "phase_id": f"area-{number}",
        "description": "words " * 30,
        "acceptance_criteria": ["it works " * 8] * 4,
        "scope": {
            "paths": [f"{area}/", f"tests/area{number}/**/test_*.py", f"docs/area{number}.md"],
            "read_only_context": ["README.md", {"path": "docs/shared/", "reason": "the rules"}],
        },
        "validation": {"argv": ["pytest", "-q", f"tests/area{number}/"], "timeout_seconds": 600},
        "budget": {"tokens": 50000, "seconds": 1800, "files": 20, "lines": 900},
    }


def spoiled(plan: dict[str, Any]) -> dict[str, Any]:
    """Return the plan with four things wrong in every phase."""
    made = json.loads(json.dumps(plan))
    for item in made["phases"]:
        item["scope"]["paths"] += ["../x", "README.md"]
        item["validation"]["argv"] = ["true"]
        del item["budget"]
    return made  # type: ignore[no-any-return]


def process(*words: str) -> Callable[[], object]:
    """Return a call that runs Python with these words as a process of its own."""
    command = [sys.executable, *words]
    return lambda: subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)


def repository(root: Path, files: int) -> dict[str, Any]:
    """Make a repository of so many files, a tenth of them ignored; return a spec for it."""
    for number in range(files):
        kind = "build" if number % 10 == 0 else "src"
        path = root / f"{kind}/area{number % 97}/part{number % 7}/module_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"number = {number}\n" * (20 + number % 300))
    (root / "docs").mkdir()
    (root / "docs/INDEX.md").write_text("# Index\n")
    (root / ".gitignore").write_text("build/\n.autonomous_runs/\n")
    for words in (("init", "-q"), ("add", "-A"), ("-c", "user.name=a", "-c", "user.email=a@b.c",
                  "commit", "-qm", "first")):  # fmt: skip
        subprocess.run(["git", "-C", str(root), *words], check=True)
    spec = phase(1)
    spec["scope"] = {"paths": ["src/area1/"], "read_only_context": ["docs/"]}
    spec["validation"] = {"argv": ["pytest", "src/area1/"], "timeout_seconds": 60}
    return spec


def plant(root: Path) -> None:
    """Do what a phase may not: twelve kinds of it."""
    some = root / "src/area2/part2"
    files = sorted(some.iterdir())
    files[0].write_text("changed\n")
    (root / "new.txt").write_text("untracked\n")
    (root / "build/new.o").write_text("ignored\n")
    files[1].unlink()
    files[2].chmod(0o755)
    files[3].rename(some / "renamed.py")
    (root / "src/area1/link").symlink_to("/etc")
    (root / "src/area1/second.py").hardlink_to(files[4])
    (root / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    (root / "docs/INDEX.md").write_text("# other\n")
    (root / "hollow").mkdir()
    hidden = files[5].relative_to(root).as_posix()
    subprocess.run(
        ["git", "-C", str(root), "update-index", "--assume-unchanged", hidden], check=True
    )
    files[5].write_text("hidden\n")


def run_time(root: Path, files: int) -> list[Row]:
    """Return how long the beginning and the end of a phase take."""
    deadline, spec = Deadline.after(600), root.parent / "plan.json"
    spec.write_text(json.dumps(repository(root, files)))
    words = ("--workspace", str(root), "--engine", "direct", "--json")
    flow = (sys.executable, "-m", "flows.phase_check")
    time.sleep(2.5)  # what was written just now would be read again, as by git
    began = subprocess.run(
        [*flow, "begin", str(spec), "--execute", *words], cwd=REPOSITORY, check=True,
        capture_output=True,
    )  # fmt: skip
    run = json.loads(began.stdout)["phase"]["run"]
    plant(root)
    names = len(load(root, run, "").snapshot.census.items)

    def end() -> list[Any]:
        then = load(root, run, "").snapshot
        now = take_census(root, deadline, then.census)
        return judge(then.census, now, then.scope, then.scratch).violations

    status = ["git", "-C", str(root), "status", "--porcelain=v2", "--untracked-files=all",
              "--ignored"]  # fmt: skip

    def git_status() -> object:
        return subprocess.run(status, capture_output=True, check=True)

    found = end()
    print(f"violations: {', '.join(sorted({v.code for v in found}))}")
    whole, git = interleaved(9, end, git_status)
    looked, _ = interleaved(5, lambda: take_census(root, deadline), git_status)
    command, bare = interleaved(
        5, process("-m", "flows.phase_check", "end", str(spec), *words), git_status
    )
    name = f"{files:,} files, {names:,} names"
    base = "git status, untracked and ignored"
    return [
        Row(f"{name}: end, {len(found)} violations found", whole, base, git),
        Row(f"{name}: the census of begin, every file read", looked, base, git),
        Row(f"{name}: end, as a process", command, base, bare),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phases", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--files", type=int, default=5000)
    given = parser.parse_args()
    policy = packaged(files("autopack.phases").joinpath("default_policy.yaml").read_bytes())
    plan = {"phases": [phase(n) for n in range(given.phases)]}
    good = json.dumps(plan, indent=2).encode()
    bad = json.dumps(spoiled(plan), indent=2).encode()
    world = world_of(["README.md", "docs/shared/x.md"])

    def core(data: bytes) -> Examined:
        return examine(read("plan.json", data), policy, world)

    assert not core(good).findings
    rows = []
    name = f"{given.phases} phases, {len(good):,} bytes"
    whole, model = interleaved(
        given.rounds, lambda: core(good), lambda: PlanSpec.model_validate(json.loads(good))
    )
    rows.append(Row(f"{name}: read, model, every rule", whole, "json + the model alone", model))
    import jsonschema

    validator = jsonschema.Draft202012Validator(json.loads(schema_text("spec")))
    whole, schema = interleaved(
        given.rounds, lambda: core(good), lambda: validator.is_valid(json.loads(good))
    )
    rows.append(Row(f"{name}: the same", whole, "json + its JSON Schema (jsonschema)", schema))
    whole, model = interleaved(given.rounds, lambda: core(bad), lambda: core(good))
    found = len(core(bad).findings)
    rows.append(Row(f"{name}: {found} findings, located", whole, "the good plan", model))
    scope = Scope("p", ("docs/", "src/**/*.py"), ("docs/a/",), tuple(policy.guarded))
    paths = [f"src/area{n % 7}/module_{n}.py" for n in range(10_000)]
    matcher = compiled(["docs/", "src/**/*.py"])
    judged, matched = interleaved(
        5, lambda: [*map(scope.judge, paths)], lambda: [*map(matcher.match_file, paths)]
    )
    rows.append(Row("10,000 paths judged", judged, "pathspec, the allow globs alone", matched))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "plan.json")
        file.write_bytes(good)
        words = ("-m", "flows.phase_check", "validate", str(file), "--engine", "direct")
        whole, bare = interleaved(7, process(*words), process("-c", "import pydantic"))
    rows.append(Row("validate, as a process", whole, "import pydantic", bare))
    with tempfile.TemporaryDirectory() as folder:
        rows += run_time(Path(folder).resolve() / "repository", given.files)
    show(rows, {"rounds": given.rounds})


if __name__ == "__main__":
    main()
