"""Whether a validation command is allowed, and whether it checks anything at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from autopack.phases.codes import Code
from autopack.phases.paths import fault
from autopack.phases.policy import CommandRule, Policy

Said = tuple[int | None, Code, str]
"""Which word (None: the command as a whole), the code, the sentence."""

_IDLE = frozenset(
    {"true", "false", ":", "echo", "printf", "exit", "cd", "pwd", "sleep", "test", "["}
)
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish", "cmd", "powershell", "pwsh"})
_OPERATOR = re.compile(r"\|\|?|&&?|;|[0-9]?>>?.*|<.*|`.*|\$\(.*")
_HELP = frozenset({"--help", "-h", "--version", "-V", "-?", "/?", "help", "version"})
_LONG: dict[str, frozenset[str]] = {
    "pytest": frozenset({
        "--collect-only", "--co", "--setup-plan", "--setup-only", "--fixtures", "--funcargs",
        "--fixtures-per-test", "--markers", "--cache-show", "--override-ini", "--config-file",
        "--rootdir", "--confcutdir", "--pdb", "--trace", "--debug", "--pastebin", "--noconftest",
    }),
    "unittest": frozenset(),
    "ruff": frozenset({
        "--exit-zero", "--fix", "--unsafe-fixes", "--fix-only", "--add-noqa", "--show-files",
        "--show-settings", "--watch", "--config", "--diff", "--statistics",
    }),
    "mypy": frozenset({"--config-file", "--install-types", "--ignore-errors", "--follow-imports"}),
    "flow": frozenset({"--execute", "--fix", "--new", "--baseline", "--base"}),
    "make": frozenset({
        "--dry-run", "--just-print", "--recon", "--question", "--touch", "--ignore-errors",
        "--old-file", "--assume-old", "--file", "--makefile", "--directory", "--eval",
    }),
    "npm": frozenset({
        "--dry-run", "--if-present", "--ignore-scripts", "--prefix", "--script-shell",
    }),
    "go": frozenset({"-c", "-n", "-list", "--list", "-exec", "--exec", "-toolexec", "--toolexec"}),
    "cargo": frozenset({"--no-run", "--list", "--config", "--manifest-path"}),
    "tox": frozenset({"--notest", "--showconfig", "--listenvs", "--listenvs-all", "--conf"}),
    "nox": frozenset({"--list", "--list-sessions", "--noxfile", "--install-only"}),
    "other": frozenset({"--dry-run", "--list"}),
}  # fmt: skip
"""Options with which a tool checks less than it seems to, runs something else or changes files."""
_SHORT: dict[str, str] = {
    "pytest": "hVocp", "unittest": "h", "ruff": "hVe", "mypy": "hV", "flow": "h",
    "make": "hvnqtifCo", "npm": "hv", "go": "", "cargo": "hV", "tox": "hlnc", "nox": "hlf",
    "other": "hV",
}  # fmt: skip
"""The same as single letters, which may stand in one word: `-qh`."""
_TAKES = {"pytest": "kmrWn", "unittest": "k", "make": "jlIOW", "tox": "e", "nox": "skte"}
"""Letters whose value is the rest of the word."""


def judge(argv: Sequence[str], policy: Policy, known: Callable[[str], bool]) -> Iterator[Said]:
    """Yield what is wrong with a validation command; `known` says which paths are in the project.

    A path is known that is there, or that the phase may write.
    """
    odd = next((n for n, word in enumerate(argv) if _unsafe(word)), None)
    if odd is not None:
        yield odd, "PS403", f"{argv[odd]!r} means something to a shell only; there is none here"
        return
    rule = _rule(argv, policy)
    if rule is None:
        yield None, *_refusal(argv)
        return
    rest = list(enumerate(argv))[len(rule.argv) :]
    idle = next(((n, word) for n, word in rest if _checks_nothing(word, rule)), None)
    if idle:
        yield idle[0], "PS402", f"with {idle[1]!r} it would check less than it seems to"
    if rule.paths:
        for n, word in rest:
            yield from _path(n, word, known)


def _unsafe(word: str) -> bool:
    return _OPERATOR.fullmatch(word) is not None or not word.isprintable()


def _rule(argv: Sequence[str], policy: Policy) -> CommandRule | None:
    return next((r for r in policy.commands if list(argv[: len(r.argv)]) == r.argv), None)


def _refusal(argv: Sequence[str]) -> tuple[Code, str]:
    """Return why a command that begins as none may is refused."""
    name = PurePosixPath(argv[0]).name
    if not argv[0] or re.search(r"\s", argv[0]) or "=" in argv[0]:
        return "PS403", f"{argv[0]!r} is no program's name; one word of the command an entry"
    if name in _IDLE or (len(argv) > 1 and set(argv[1:]) <= _HELP):
        return "PS402", f"'{' '.join(argv)}' checks nothing"
    if name in _SHELLS or "-c" in argv:
        return "PS402", f"'{argv[0]} -c' proves nothing that can be read here"
    return "PS401", f"'{' '.join(argv[:3])}' is not among the policy's commands"


def _checks_nothing(word: str, rule: CommandRule) -> bool:
    name = word.partition("=")[0]
    if name in _HELP or word.startswith("@") or name in rule.refuse:
        return True
    if name in _LONG[rule.family]:
        return True
    if word.startswith("--") or not word.startswith("-"):
        return rule.family == "make" and "=" in word  # SHELL=true
    return any(letter in _SHORT[rule.family] for letter in _letters(word[1:], rule.family))


def _letters(cluster: str, family: str) -> Iterator[str]:
    """Yield the options in a word such as `-qx`, up to one that takes the rest as its value."""
    for letter in cluster:
        yield letter
        if letter in _TAKES.get(family, ""):
            return


def _path(n: int, word: str, known: Callable[[str], bool]) -> Iterator[Said]:
    """Yield what is wrong with a word that names a file."""
    name = word.partition("::")[0]
    if word.startswith("-") or not ("/" in name or name.endswith(".py") or name == ".."):
        return
    if fault(name.removesuffix("/")) or not known(name):
        yield n, "PS405", f"{name!r} is not in the project, and the phase may not write it"
