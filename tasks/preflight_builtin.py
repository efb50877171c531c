"""The checks that are built in: each looks at a workspace and returns its findings."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.io.check_files import matching, texts
from autopack.io.check_process import Running
from autopack.preflight.checks import Check
from autopack.report import Finding, Report

PROJECT = "pyproject.toml"


@dataclass(frozen=True)
class Ground:
    """What a built-in check may look at, and until when."""

    check: Check
    root: Path
    files: frozenset[str]
    checks: tuple[Check, ...]
    deadline: Deadline
    running: Running

    def inputs(self) -> list[str]:
        """Return the files that the check is about."""
        return matching(self.files, self.check.inputs)

    def project(self) -> tuple[dict[str, Any], str]:
        """Return pyproject.toml and its text, both empty where there is none.

        Raises:
            UsageError: It is no TOML, or of another shape than its standards say.
        """
        from autopack.preflight.project import misshapen

        text = texts(self.root, [PROJECT]).get(PROJECT, "")
        try:
            project = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # also a number of thousands of digits
            raise UsageError(f"{PROJECT}: {error}", next_step=f"correct {PROJECT}") from None
        if why := misshapen(project):
            raise UsageError(f"{PROJECT}: {why}", next_step=f"correct {PROJECT}")
        return project, text


Found = list[Finding] | str
"""What is wrong, or why there is nothing to check."""


def nav_links(ground: Ground) -> Found:
    """Follow the links of the navigation pages; a missing heading is an error under `anchors`."""
    from tasks import links
    from tasks.links_report import describe
    from tasks.links_session import Checking, Wish

    wish = Wish("nav", (), "anchors" in ground.check.args, None, False)
    checking = Checking(str(ground.root), wish, ground.deadline)
    links.walk(checking)
    links.read(checking)
    links.judge(checking)
    report = Report("doc-links")
    describe(report, checking)
    return report.findings


def counts(ground: Ground) -> Found:
    """Compare every stated count with the ledgers; before a push, drift is an error."""
    found = _ledgers(ground, structure=False)
    if isinstance(found, str):
        return found
    return [replace(f, severity="error") if f.severity == "warning" else f for f in found]


def ledgers(ground: Ground) -> Found:
    """Look at the ledgers themselves: conflicts, encoding, ids and their prefixes, DEC-###."""
    return _ledgers(ground, structure=True)


def _ledgers(ground: Ground, *, structure: bool) -> Found:
    from tasks.counts import STRUCTURE, check, read
    from tasks.counts_session import Counting

    counting = Counting(str(ground.root), ground.deadline)
    read(counting)
    if structure and not counting.pages.ledgers:
        return "no ledgers"
    of_structure = STRUCTURE | {"decision_prefix", "conflict_markers", "invalid_utf8"}
    found = [f for f in check(counting, False) if (f.code in of_structure) == structure]
    if structure:
        others = (file for file in counting.pages.ledgers if not file.ledger.prefix)
        found += [finding for file in others for finding in file.findings]
    return found


def pins(ground: Ground) -> Found:
    """Hold pinned requirements against what pyproject.toml declares, offline."""
    from autopack.preflight.pins import FILES, check_pins, included

    files = matching(ground.files, FILES)
    project, text = ground.project()
    if not files or not project.get("project"):
        return "no [project] in pyproject.toml" if files else "no requirements files"
    read = texts(ground.root, files)
    while more := texts(ground.root, (included(read) & ground.files) - read.keys()):
        read |= more
    return check_pins(project, text, read, read.keys() - set(files))


def versions(ground: Ground) -> Found:
    """Hold every stated version against pyproject.toml's."""
    from autopack.preflight.modules import modules_of
    from autopack.preflight.versions import CHANGELOGS, README, check_versions

    project, _ = ground.project()
    modules = modules_of(project, ground.files)
    stating = [
        module.path
        for module in modules
        if module.path.endswith(("/__init__.py", "__version__.py", "_version.py"))
    ]
    pages = [name for name in (*README, *CHANGELOGS) if name in ground.files]
    found = check_versions(project, texts(ground.root, [*stating, *pages]))
    return "no version in pyproject.toml" if found is None else found


def rules(ground: Ground) -> Found:
    """Lint the learned rules."""
    from autopack.state_files import LEARNED_RULES
    from tasks.rules_lint import check
    from tasks.rules_ruling import Ruling

    if LEARNED_RULES not in ground.files:
        return f"no {LEARNED_RULES}"
    return check(Ruling(str(ground.root), ground.deadline))[1]


def phase_specs(ground: Ground) -> Found:
    """Validate the phase specs that are found."""
    from autopack.phases.policy import OWN
    from tasks import phases
    from tasks.phases_session import Validating

    specs = [n for n in ground.inputs() if n != OWN and not n.endswith(".schema.json")]
    if not specs:
        return "no phase specs"
    paths = [str(ground.root / name) for name in specs]
    validating = Validating(str(ground.root), paths, ground.deadline)
    phases.read(validating, None)
    phases.examine(validating)
    return list(validating.findings)


def backlog(ground: Ground) -> Found:
    """Check that backlog items say everything."""
    from autopack.preflight.backlog import check_backlog

    pages = texts(ground.root, ground.inputs())
    if not pages:
        return "no backlog pages"
    return [finding for name, text in pages.items() for finding in check_backlog(name, text)[1]]


def parity(ground: Ground) -> Found:
    """Check that CI runs preflight, and no check besides."""
    from autopack.preflight.parity import WORKFLOWS, check_parity

    def script(name: str) -> str | None:
        return texts(ground.root, [name]).get(name) if name in ground.files else None

    workflows = texts(ground.root, matching(ground.files, WORKFLOWS))
    if not workflows:
        return "no workflows"
    return check_parity(workflows, script, ground.checks)


def syntax(ground: Ground) -> Found:
    """Compile every Python file, and keep nothing."""
    from tasks.preflight_python import syntax as run

    return run(ground)


def imports(ground: Ground) -> Found:
    """Import every module in a fresh interpreter; `apart`, each in a process of its own."""
    from tasks.preflight_python import imports as run

    return run(ground)


def resolver(ground: Ground) -> Found:
    """Resolve the requirements again, and compare with what is pinned."""
    from tasks.preflight_python import resolver as run

    return run(ground)


BUILTINS: dict[str, Callable[[Ground], Found]] = {
    "syntax": syntax,
    "imports": imports,
    "nav-links": nav_links,
    "counts": counts,
    "ledgers": ledgers,
    "pins": pins,
    "versions": versions,
    "rules": rules,
    "phase-specs": phase_specs,
    "backlog": backlog,
    "ci-parity": parity,
    "resolver": resolver,
}
"""By the name that a manifest gives them."""
READS: dict[str, tuple[str, ...]] = {
    "imports": (PROJECT, "**/*.py"),
    "nav-links": ("**/*.md", "config/*"),
    "counts": ("README.md", "docs/*", "config/*"),
    "ledgers": ("docs/*",),
    "pins": (PROJECT, "**/*.txt", "**/*.in"),
    "versions": (PROJECT, "**/__init__.py", "**/*version*.py", "**/README.md", "**/CHANGELOG.md"),
    "rules": ("docs/LEARNED_RULES.json",),
    "phase-specs": ("config/*",),
    "ci-parity": ("**",),  # whatever script a workflow calls
    "resolver": (PROJECT, "**/*.txt"),
}
"""What a rule reads besides its inputs: a pass holds for that too."""
_TAKES: dict[str, frozenset[str] | None] = {
    "imports": frozenset({"apart"}),
    "nav-links": frozenset({"anchors"}),
    "resolver": None,
}
ARGS = {name: _TAKES.get(name, frozenset()) for name in BUILTINS}
"""The args that each takes; None for any."""
