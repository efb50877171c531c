"""Does CI run what a developer runs, and a developer what CI runs? By one command: preflight."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autopack.preflight.checks import Check
from autopack.report import Finding

WORKFLOWS = (".github/workflows/*.yml", ".github/workflows/*.yaml")
SCRIPTS = (".ci/run", "Makefile")
_FLOW = "flows.preflight"
_CHECKERS = frozenset({
    "pytest", "ruff", "mypy", "black", "flake8", "pylint", "pyright", "isort", "bandit", "tox",
    "nox", "pre-commit", "prek", "lint-imports", "deptry", "pip-audit", "vulture", "codespell",
    "unittest",
})  # fmt: skip
"""Words of a command that checks something, whatever the manifest holds."""
_OPERATORS = re.compile(r"\s*(&&|\|\||;|\|)\s*")
_RUNNERS = ("uv", "poetry", "pdm", "rye", "hatch", "pipenv", "coverage")
"""Programs whose `run` runs what follows."""


@dataclass(frozen=True)
class Leaf:
    """One command that runs in the end, and where it is written."""

    words: tuple[str, ...]
    path: str
    line: int
    forgiven: bool = False
    """Whether what follows it takes its failure away: `|| true`, a pipe."""

    @property
    def tier(self) -> str | None:
        """The tier that preflight is called with, None for any other command."""
        if _FLOW not in self.words or self.words[0] in _SILENT:
            return None
        given = [word.partition("=")[2] for word in self.words if word.startswith("--tier=")]
        at = self.words.index("--tier") + 1 if "--tier" in self.words else 0
        return given[0] if given else (self.words[at : at + 1] or ("quick",))[0] if at else "quick"

    @property
    def narrowed(self) -> bool:
        """Whether preflight is told to leave checks out, or its verdict does not count."""
        left_out = {"--only", "--changed", "--list"}
        return self.forgiven or bool(left_out & {word.partition("=")[0] for word in self.words})


def check_parity(
    workflows: Mapping[str, str], read: Callable[[str], str | None], checks: Sequence[Check]
) -> list[Finding]:
    """Return the checks that run in one place only: in CI, or in the manifest.

    `workflows` are GitHub's, by path; `read` gives the text of a script or Makefile, None for none.
    """
    found: list[Finding] = []
    for path, text in sorted(workflows.items()):
        value = _read(text)
        if isinstance(value, str):
            found.append(Finding("unreadable", "error", path, None, value, "correct the workflow"))
            continue
        leaves = [
            replace(leaf, forgiven=leaf.forgiven or forgiven)
            for line, run, forgiven in _runs(value, text)
            for leaf in expand(run, path, line, read)
        ]
        found += [_stray(leaf) for leaf in leaves if _strays(leaf, checks)]
        gates = {leaf.tier for leaf in leaves if leaf.tier and not leaf.narrowed}
        if _guards(value) and "ci" not in gates:
            words = "it runs on pushes or pull requests, and never preflight --tier ci"
            fix = "run: python -m flows.preflight --tier ci"
            found.append(Finding("local_only", "error", path, 1, words, fix))
    return found


def _read(text: str) -> dict[Any, Any] | str:
    """Return a workflow, or why it is none."""
    import yaml

    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return f"no YAML: {' '.join(str(error).split())[:200]}"
    return value if isinstance(value, dict) else "no workflow: it has no keys"


def _guards(value: Mapping[Any, Any]) -> bool:
    """Return whether a workflow runs for a push to a branch or a pull request."""
    on = value.get("on", value.get(True))
    several = on if isinstance(on, (list, dict)) else ()
    names = {name for name in (on, *several) if isinstance(name, str)}
    push = on.get("push") if isinstance(on, dict) else None
    tags_only = isinstance(push, dict) and "tags" in push and "branches" not in push
    return "pull_request" in names or ("push" in names and not tags_only)


def _runs(value: Mapping[Any, Any], text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield every `run:` of a workflow, the line it stands on, and whether it may fail."""
    for job in _tables(value.get("jobs")):
        for step in _tables(job.get("steps")):
            run = step.get("run")
            if isinstance(run, str) and run.strip():
                at = text.find(run.strip().splitlines()[0])
                line = text.count("\n", 0, max(at, 0)) + 1
                yield line, run, _may_fail(job) or _may_fail(step)


def _tables(value: object) -> list[dict[Any, Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in inner if isinstance(one, dict)]


def _may_fail(table: Mapping[Any, Any]) -> bool:
    """Return whether a job or step does not count, or never runs."""
    never = table.get("if") is False or str(table.get("if")).strip("${} ") == "false"
    return never or table.get("continue-on-error") is True


def expand(
    script: str, path: str, line: int, read: Callable[[str], str | None], depth: int = 8
) -> Iterator[Leaf]:
    """Yield the commands of a script; scripts and make targets that it calls are looked into."""
    joined = re.sub(r"\\\n\s*", " ", script)
    for row in joined.splitlines():
        parts = _OPERATORS.split(row)
        for n in range(0, len(parts), 2):
            words = _words(parts[n])
            forgiven = _forgiven(parts[n + 1 : n + 3], script)
            inner = _called(words, read, path) if depth else None
            if inner:
                at = line if inner[0] == path else 1
                called = expand(inner[1], inner[0], at, read, depth - 1)
                yield from (replace(leaf, forgiven=leaf.forgiven or forgiven) for leaf in called)
            elif words:
                yield Leaf(words, path, line, forgiven)


def _forgiven(following: Sequence[str], script: str) -> bool:
    """Return whether the operator and command behind a command take its failure away."""
    if not following or following[0] in ("&&", ";"):
        return False
    if following[0] == "|":
        return "pipefail" not in script
    return not re.match(r"exit\b|false\b|return\b|\{", following[1])


def _words(command: str) -> tuple[str, ...]:
    """Return a command's words without comments, assignments before it, and make's marks."""
    try:
        words = shlex.split(command.strip().lstrip("@-+"), comments=True)
    except ValueError:
        words = [word.strip("'\"") for word in command.split()]  # cut at an operator in quotes
    while words and _BEFORE.fullmatch(words[0]):
        timed = words.pop(0) == "timeout"
        while timed and words and re.match(r"-|\d", words[0]):
            words.pop(0)
    return tuple(words)


_BEFORE = re.compile(
    r"\w+=.*|env|exec|time|command|sudo|nice|nohup|timeout|xvfb-run|if|while|then|else|do|!|[({]"
)
"""What may stand before a command, in the shell and as a program that runs another."""
_SCRIPT_IN_WORDS = re.compile(r"-[a-z]*c")


def _called(
    words: tuple[str, ...], read: Callable[[str], str | None], path: str
) -> tuple[str, str] | None:
    """Return the path and text of what a command runs: a script of the workspace, a make target.

    Of the words of `bash -c` the path is the one that they stand in.
    """
    if not words:
        return None
    if words[0] in ("bash", "sh") and _SCRIPT_IN_WORDS.fullmatch(words[1] if words[1:] else ""):
        return path, " ".join(words[2:])
    if words[0] in ("make", "$(MAKE)", "gmake"):
        text = read("Makefile")
        targets = [word for word in words[1:] if re.fullmatch(r"[\w.-]+", word) and word[0] != "-"]
        recipes = "\n".join(_recipe(text or "", target) for target in targets)
        return ("Makefile", recipes) if recipes.strip() else None
    script = words[1] if words[0] in ("bash", "sh") and len(words) > 1 else words[0]
    name = script.removeprefix("./")
    text = read(name) if "/" in script and not script.startswith(("/", "$", "-")) else None
    return (name, text) if text is not None else None


def _recipe(makefile: str, target: str, seen: tuple[str, ...] = ()) -> str:
    """Return the recipe of a make target, its own prerequisites' before it."""
    rule = re.search(rf"^{re.escape(target)}:([^\n]*)\n((?:\t[^\n]*\n?)*)", makefile, re.M)
    if rule is None:
        return ""
    seen = (*seen, target)
    before = [w for w in rule[1].partition("#")[0].split() if re.fullmatch(r"[\w.-]+", w)]
    own = [_recipe(makefile, word, seen) for word in before if word not in seen]
    return "\n".join([*own, rule[2]])


def _strays(leaf: Leaf, checks: Sequence[Check]) -> bool:
    """Return whether a command checks something that preflight does not check."""
    if leaf.tier or not leaf.words or leaf.words[0] in _SILENT:
        return False
    bare = _bare(leaf.words)
    if any(_bare(check.command)[: len(bare)] == bare for check in checks if check.command and bare):
        return False
    return any(_is_checker(word) for word in bare[:1])


_SILENT = ("echo", "printf", "pip", "git")


def _is_checker(word: str) -> bool:
    return word in _CHECKERS or word.startswith("flows.") or bool(_SCRIPT.search(word))


_SCRIPT = re.compile(r"(?:^|/)(?:check|lint|verify|validate|test)[\w-]*\.(?:py|sh)$")


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """Return a command without its interpreter: `python -m ruff check` is `ruff check`."""
    rest = list(words)
    if rest and rest[0] in _RUNNERS and rest[1:2] == ["run"]:
        rest = [word for n, word in enumerate(rest[2:]) if n or word != "-m"]
    if rest and re.fullmatch(r"(?:.*/)?python[\d.]*|\$\(?\{?PY(?:THON)?\}?\)?", rest[0]):
        rest.pop(0)
        while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c"):
            rest.pop(0)
        if rest and rest[0] == "-m":
            rest.pop(0)
    return tuple(rest)


def _stray(leaf: Leaf) -> Finding:
    words = f"runs in CI and in no check of preflight.toml: {shlex.join(leaf.words)[:120]}"
    return Finding("ci_only", "error", leaf.path, leaf.line, words, "make it a [[check]]")
