"""How fast specs are validated and paths are judged.

`python -m benchmarks.phases [--phases N] [--rounds N]`: a made plan, read and held against every
rule, against the model alone and against its JSON Schema; paths against compiling and matching the
same globs; the command against a bare interpreter.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from autopack.phases.document import read
from autopack.phases.examine import Examined, examine
from autopack.phases.model import PlanSpec
from autopack.phases.policy import packaged
from autopack.phases.rules import world_of
from autopack.phases.schema import schema_text
from autopack.phases.scope import Scope, compiled
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phases", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=30)
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
    show(rows, {"rounds": given.rounds})


if __name__ == "__main__":
    main()
