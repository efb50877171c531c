"""Routing: what belongs at the root and in docs/, what goes where, and what nobody may move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.io.tidy_config import SCHEMA, SHIPPED, shipped
from autopack.sot.ledgers import LEDGERS
from autopack.tidy.config import read_config
from autopack.tidy.routing import Decision, Item, Place, beside, free_place, route_docs, route_root

CONFIG = read_config(shipped(SHIPPED), shipped(SCHEMA), None)
NAMES = frozenset(ledger.path.removeprefix("docs/") for ledger in LEDGERS)
HERE = Place("", NAMES)


def root(name: str, kind: str = "file") -> Decision:
    return route_root(Item(name, kind), CONFIG, HERE)


def docs(name: str, *, reduce: bool = False) -> Decision:
    return route_docs(Item(f"docs/{name}", "file"), CONFIG, HERE, reduce=reduce)


@pytest.mark.parametrize(
    "name",
    [
        "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "package-lock.json", "Makefile",
        "docker-compose.dev.yml", "Dockerfile.frontend", "tsconfig.node.json", "vite.config.ts",
        "index.html", "nginx.conf", "pytest.ini", "requirements-dev.txt", ".gitignore", ".env",
        ".eslintrc.cjs", "poetry.lock", "yarn.lock", "CLAUDE.md", "AGENTS.md", "setup.py",
        "autopack.db", "autopack.db-wal", "telemetry_seed.db", "prefect.yaml", "preflight.toml",
        "ARCHITECTURE.md",
    ],
)  # fmt: skip
def test_what_tools_and_people_look_for_stays_at_the_root(name: str) -> None:
    assert root(name).kind == "keep"


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("executor.log", "archive/diagnostics/logs/executor.log"),
        ("run.log.1", "archive/diagnostics/logs/run.log.1"),
        ("FIX_PLAN.md", "archive/plans/FIX_PLAN.md"),
        ("autopack_phase_plan.json", "archive/plans/autopack_phase_plan.json"),
        ("BUILD-158_LEASES.md", "archive/reports/BUILD-158_LEASES.md"),
        ("PHASE2_COMPLETION.md", "archive/reports/PHASE2_COMPLETION.md"),
        ("DBG-007_TOKENS.md", "archive/diagnostics/DBG-007_TOKENS.md"),
        ("PROMPT_FOR_AGENT.md", "archive/prompts/PROMPT_FOR_AGENT.md"),
        ("MARKET_RESEARCH.md", "archive/research/MARKET_RESEARCH.md"),
        ("fix.patch", "archive/patches/fix.patch"),
        ("thoughts.md", "archive/unsorted/thoughts.md"),
        ("README.md.bak", None),
    ],
)
def test_inbox_files_of_the_root_are_routed(name: str, to: str | None) -> None:
    decision = root(name)
    assert decision.destination == (to or "")
    assert decision.kind == ("route" if to else "keep")
    assert bool(decision.rule and decision.reason) is bool(to)


@pytest.mark.parametrize("name", ["EXPLANATION.md", "PREVIEW.md", "AUTOCOMPLETE.md", "airplane.md"])
def test_a_word_inside_another_decides_nothing(name: str) -> None:
    assert root(name).rule == "pages"


@pytest.mark.parametrize("name", ["main.py", "data.json", "prices.csv", "run.sh", "noending"])
def test_code_and_data_are_for_a_person(name: str) -> None:
    assert root(name).kind == "undecided"


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_folders_and_links_of_the_root_stay(kind: str) -> None:
    assert root("debug.log", kind).kind == "keep"


@pytest.mark.parametrize("name", ["BUILD_HISTORY.md", "build_history.md", "PROJECT_INDEX.json"])
def test_a_ledger_at_the_root_is_never_routed(name: str) -> None:
    assert root(name).kind == "ledger"


@given(st.sampled_from(sorted(NAMES)), st.booleans())
def test_a_ledger_in_docs_never_moves(name: str, reduce: bool) -> None:
    assert docs(name, reduce=reduce).kind == "keep"


def test_pages_of_docs_wait_for_an_explicit_wish() -> None:
    held = docs("STORAGE_PHASE4_PLAN.md")
    assert (held.kind, held.destination) == ("held", "archive/plans/STORAGE_PHASE4_PLAN.md")
    assert docs("STORAGE_PHASE4_PLAN.md", reduce=True).kind == "route"


def test_a_log_in_docs_goes_in_every_run() -> None:
    assert docs("server.log").destination == "archive/diagnostics/logs/server.log"
    assert docs("server.log").kind == "route"


@pytest.mark.parametrize("name", ["INDEX.md", "CONFIG_GUIDE.md", "RUNBOOK_X.md", "logo.svg"])
def test_allowed_pages_of_docs_stay(name: str) -> None:
    assert docs(name, reduce=True).kind == "keep"


def test_a_project_has_its_own_archive() -> None:
    place = Place(".autonomous_runs/app", NAMES)
    item = Item(".autonomous_runs/app/x.log", "file")
    to = ".autonomous_runs/app/archive/diagnostics/logs/x.log"
    assert route_root(item, CONFIG, place).destination == to


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("a/run.log", "a/run.12345678.log"),
        ("a/run.tar.gz", "a/run.12345678.tar.gz"),
        ("run", "run.12345678"),
        ("a/.env", "a/.env.12345678"),
    ],
)
def test_a_taken_name_gets_a_part_of_the_digest(path: str, other: str) -> None:
    assert beside(path, "1234567890") == other


def test_the_first_free_name_is_taken_however_often_the_same_comes() -> None:
    taken: set[str] = set()
    for wanted in ("a/x.log", "a/x.12345678.log", "a/x.12345678-2.log", "a/x.12345678-3.log"):
        assert free_place("a/x.log", "1234567890", taken.__contains__) == wanted
        taken.add(wanted)
