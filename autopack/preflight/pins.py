"""Do pinned requirements keep to what pyproject.toml declares? Offline, in every environment.

A requirement counts where its marker holds (PEP 508), for each supported Python on Linux, macOS and
Windows. Options in requirement files (index addresses, hashes) are options, never requirements.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from posixpath import normpath
from typing import Any

from packaging.markers import (
    Marker,
    UndefinedComparison,
    UndefinedEnvironmentName,
    default_environment,
)
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from autopack.report import Finding

PROJECT = "pyproject.toml"
FILES = ("requirements*.txt", "requirements/*.txt")
"""Globs of the files that pin."""
FIX = "pin again from pyproject.toml"
_PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))
_SYSTEMS = (("linux", "posix", "Linux"), ("darwin", "posix", "Darwin"), ("win32", "nt", "Windows"))
_DIRECT = re.compile(
    r"(?:[\w+]+://|git\+|\.{0,2}/|file:|[A-Za-z]:\\|\.(?:\[|$))"
    r"|[^\s@]+\.(?:whl|zip|tar\.gz)(?:\s|$)"
)
"""What is installed from a place: an address, a folder, `.` itself, an archive."""

Environment = dict[str, str]


@dataclass(frozen=True)
class Line:
    """One requirement of a file, and the line it begins on."""

    requirement: Requirement
    number: int

    @cached_property
    def pin(self) -> Version | None:
        """The one version that it allows, None for a range."""
        exact = [s for s in self.requirement.specifier if s.operator in ("==", "===")]
        if len(exact) != 1 or "*" in exact[0].version:
            return None
        try:
            return Version(exact[0].version)
        except InvalidVersion:
            return None


@dataclass(frozen=True)
class RequirementFile:
    """A requirements file, read."""

    name: str
    lines: tuple[Line, ...]
    unreadable: tuple[Finding, ...] = ()

    @cached_property
    def is_lock(self) -> bool:
        """Whether every requirement is pinned, so that one which is not there is missing."""
        return bool(self.lines) and all(line.pin or line.requirement.url for line in self.lines)


def read_requirements(name: str, files: Mapping[str, str]) -> RequirementFile:
    """Return the requirements of a file, and of those that it names with `-r`."""
    reading = _Reading(files)
    reading.read(name)
    return RequirementFile(name, tuple(reading.lines), tuple(reading.bad))


def included(files: Mapping[str, str]) -> set[str]:
    """Return the paths that requirements files name with `-r`, and that are not among them."""
    reading = _Reading(files)
    for name in files:
        reading.read(name)
    return reading.absent


class _Reading:
    """Requirements files on their way: what they hold, and what they name that is not there."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.lines: list[Line] = []
        self.bad: list[Finding] = []
        self.absent: set[str] = set()
        self.seen: set[str] = set()

    def read(self, name: str) -> None:
        """Read a file once."""
        if name in self.seen:
            return
        self.seen.add(name)
        for number, text in _logical(self.files[name].removeprefix("\ufeff")):
            other = re.fullmatch(r"(?:-r|--requirement)[\s=]*(\S+)", text)
            if other:
                self._include(name, number, other[1])
            elif not text.startswith("-") and not _DIRECT.match(text):
                self._take(name, number, text)

    def _include(self, name: str, number: int, other: str) -> None:
        path = normpath(f"{name.rpartition('/')[0]}/{other}".lstrip("/"))
        if path in self.files:
            self.read(path)
        elif "://" not in other and not path.startswith("../"):  # elsewhere is pip's business
            self.absent.add(path)
            self.bad.append(Finding("unreadable", "error", name, number, f"{path} is not there"))

    def _take(self, name: str, number: int, text: str) -> None:
        try:
            self.lines.append(Line(_requirement(re.split(r"\s+--?[a-z]", text)[0]), number))
        except InvalidRequirement as error:
            words = f"no requirement: {str(error).splitlines()[0]}"
            self.bad.append(Finding("unreadable", "error", name, number, words))


def _requirement(words: str) -> Requirement:
    """Return a requirement whose marker can be asked.

    Raises:
        InvalidRequirement: It is none, or its marker compares what cannot be compared.
    """
    made = Requirement(words)
    try:
        _holds(made.marker, {"extra": ""})
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise InvalidRequirement(f"{words}: {str(error).rstrip('.')}") from None
    return made


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Yield each logical line with its number: continued lines joined, comments taken away."""
    start = 0
    parts: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        start = start if parts else number
        bare = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        parts.append(bare.removesuffix("\\"))
        if bare.endswith("\\"):
            continue
        if joined := " ".join(" ".join(parts).split()):
            yield start, joined
        parts = []
    if joined := " ".join(" ".join(parts).split()):
        yield start, joined


def check_pins(
    project: Mapping[str, Any],
    text: str,
    files: Mapping[str, str],
    parts: Collection[str] = (),
) -> list[Finding]:
    """Return what the requirement files have otherwise than pyproject.toml declares it.

    `parts` are those that count only where another file names them with `-r`.
    """
    table = project.get("project", {})
    try:
        base, extras = _declared(table)
        environments = _environments(str(table.get("requires-python", ">=3.8")))
    except (InvalidRequirement, InvalidSpecifier) as error:
        return [Finding("unreadable", "error", PROJECT, None, str(error).splitlines()[0])]
    found: list[Finding] = []
    for name in sorted(files.keys() - set(parts)):
        read = read_requirements(name, files)
        found += read.unreadable
        found += _compare(read, base, extras, environments)
    return [_with_line(finding, text) for finding in dict.fromkeys(found)]


def _with_line(finding: Finding, text: str) -> Finding:
    """Return a finding about pyproject.toml with the line that names the requirement."""
    if finding.path != PROJECT or finding.line or "'" not in finding.message:
        return finding
    name = re.escape(finding.message.split("'")[1].split("[")[0])
    at = re.search(rf"['\"]{name}\b", text, re.I)
    line = text.count("\n", 0, at.start()) + 1 if at else None
    return Finding(finding.code, finding.severity, PROJECT, line, finding.message, finding.fix)


def _declared(
    table: Mapping[str, Any],
) -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    base = [_requirement(word) for word in table.get("dependencies", ())]
    groups = table.get("optional-dependencies", {})
    return base, {name: [_requirement(w) for w in words] for name, words in groups.items()}


def _environments(requires_python: str) -> list[Environment]:
    wanted = SpecifierSet(requires_python)
    here: Environment = {k: str(v) for k, v in default_environment().items()} | {"extra": ""}
    return [
        here
        | {"python_version": python, "python_full_version": full}
        | {"sys_platform": system, "os_name": kind, "platform_system": title}
        for python in _PYTHONS
        if (full := next((f for f in _patches(python) if wanted.contains(f)), ""))
        for system, kind, title in _SYSTEMS
    ]


def _patches(python: str) -> list[str]:
    """Return the releases of a Python, a late one first."""
    return [f"{python}.{patch}" for patch in (20, *range(40))]


def _holds(marker: Marker | None, environment: Environment) -> bool:
    return marker is None or marker.evaluate(environment)


def _compare(
    file: RequirementFile,
    base: Sequence[Requirement],
    extras: Mapping[str, Sequence[Requirement]],
    environments: Sequence[Environment],
) -> Iterator[Finding]:
    stem = file.name.rpartition("/")[2].removesuffix(".txt")
    words = set(re.split(r"[-_.]", stem))
    named = [name for name in extras if name in words]
    wanted = [*base, *(wish for name in named for wish in extras[name])]
    by_name: dict[str, list[Line]] = {}
    for line in file.lines:
        by_name.setdefault(canonicalize_name(line.requirement.name), []).append(line)
    others = [wish for name, wishes in extras.items() if name not in named for wish in wishes]
    for environment in environments:
        for wish in (*wanted, *others):
            if _holds(wish.marker, environment):
                needed = file.is_lock and wish in wanted
                yield from _one(file, wish, by_name, environment, needed)


def _one(
    file: RequirementFile,
    wish: Requirement,
    by_name: Mapping[str, Iterable[Line]],
    environment: Environment,
    needed: bool,
) -> Iterator[Finding]:
    """Yield what is wrong with one declared requirement in one environment."""
    there = by_name.get(canonicalize_name(wish.name), ())
    lines = [line for line in there if _holds(line.requirement.marker, environment)]
    if not lines and needed:
        words = f"'{wish.name}' is declared, and {file.name} does not pin it"
        yield Finding("missing_pin", "error", PROJECT, None, words, FIX)
    for line in lines:
        if line.pin and not wish.specifier.contains(line.pin, prereleases=True):
            words = f"{wish.name}=={line.pin} does not keep to {wish.name}{wish.specifier}"
            yield Finding("pin_drift", "error", file.name, line.number, words, FIX)
