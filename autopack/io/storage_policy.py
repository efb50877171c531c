"""Read the storage policy: the workspace's own, one of an older format, or the packaged one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from autopack.errors import UsageError
from autopack.io.rule_files import plain_bytes
from autopack.phases.document import Document, Malformed
from autopack.phases.document import read as read_document
from autopack.phases.errors import words_of
from autopack.report import Finding
from autopack.storage.names import spell
from autopack.storage.policy import OWN, Policy
from autopack.storage.policy_import import imported
from autopack.storage.policy_old import OLD_NAMES, Old, is_old
from autopack.storage.protection import Protection

PACKAGED = "default_policy.yaml"
_ADVICE = f"correct it; the schema is storage_policy.schema.json, an example {OWN}"


@dataclass(frozen=True)
class Read:
    """The policy that holds, where it is from, and what has to be said about it."""

    policy: Policy
    path: str
    findings: tuple[Finding, ...] = ()


def read_policy(root: Path, name: str | None = None) -> Read:
    """Return a workspace's policy: the named file, its own, those of older formats, the packaged.

    What a file of today's format leaves out is as the packaged policy has it, and what that
    protects stays protected. Under an older format nothing is ever executed.

    Raises:
        UsageError: The file is missing, or no policy; the message says in which line.
        Refused: It is no plain file.
        Unreachable: It cannot be read.
    """
    if name is not None:
        return _of(name, _named(Path(name), name))
    data = plain_bytes(root / OWN, OWN)
    if data is not None:
        return _of(OWN, data)
    found = [(old, plain_bytes(root / old, old)) for old in OLD_NAMES]
    olds = [_old(_document(old, data)) for old, data in found if data is not None]
    return _imported(olds) if olds else Read(packaged(), "the packaged policy")


def packaged() -> Policy:
    """Return the policy that holds where a workspace has none."""
    data = (files("autopack.storage") / PACKAGED).read_bytes()
    return _validated(_document(PACKAGED, data))


def protection_of(policy: Policy, workspace: Path, root: Path) -> Protection:
    """Return what a policy of a workspace protects in a root, wherever one lies in the other."""
    home, top = (os.fsencode(os.path.realpath(path)) for path in (workspace, root))
    inside, holds = _within(top, home), _within(home, top)
    apart = top != home and not inside and not holds
    at = spell(top.strip(b"/")) if apart else ""
    return Protection(policy, inside=inside, holds=holds, at=at)


def _within(inner: bytes, outer: bytes) -> str:
    start = outer.rstrip(b"/") + b"/"
    return spell(inner.removeprefix(start)) if inner.startswith(start) else ""


def import_policies(names: list[str]) -> Read:
    """Return the policy that files of older formats come to; raises what `read_policy` raises."""
    documents = [_document(name, _named(Path(name), name)) for name in names]
    for document in documents:
        if not is_old(document.value):
            raise UsageError(f"{document.name} is no policy of an older format", _ADVICE)
    return _imported([_old(document) for document in documents])


def _named(path: Path, shown: str) -> bytes:
    data = plain_bytes(Path(os.path.realpath(path)), shown)
    if data is None:
        raise UsageError(f"{shown} does not exist", next_step=f"write one, as {OWN}")
    return data


def _of(name: str, data: bytes) -> Read:
    document = _document(name, data)
    if is_old(document.value):
        return _imported([_old(document)])
    return Read(_laid_over(packaged(), _validated(document)), name)


def _laid_over(base: Policy, own: Policy) -> Policy:
    """Return a policy with what the base protects, and its categories where it has none."""
    names = [*base.protected, *(name for name in own.protected if name not in base.protected)]
    protected = {
        name: list(dict.fromkeys([*base.protected.get(name, []), *own.protected.get(name, [])]))
        for name in names
    }
    categories = own.categories if "categories" in own.model_fields_set else base.categories
    return own.model_copy(update={"protected": protected, "categories": categories})


def _document(name: str, data: bytes) -> Document:
    as_yaml = name if name.lower().endswith((".json", ".yml", ".yaml")) else f"{name}.yaml"
    try:
        document = read_document(as_yaml, data)
    except Malformed as fault:
        place = f"{name}:{fault.place.line}:{fault.place.column}"
        raise UsageError(f"{place}: {fault.message}", _ADVICE) from None
    return Document(name, document.value, document.text, document.mark)


def _validated(document: Document) -> Policy:
    try:
        return Policy.model_validate(document.value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        loc = faults[0]["loc"]
        place = document.place(loc, key=faults[0]["type"] in ("extra_forbidden", "missing"))
        words = words_of(faults[0]).replace("Value error, ", "")
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        where = f"{document.name}:{place.line}:{place.column}"
        raise UsageError(f"{where}: {words}{more}", _ADVICE) from None


def _old(document: Document) -> Old:
    return Old(document.name, document.value, lambda loc: document.place(loc).line)


def _imported(olds: list[Old]) -> Read:
    try:
        made = imported(olds)
    except ValueError as error:
        raise UsageError(str(error), f"correct it, or write {OWN}") from None
    names = " and ".join(old.name for old in olds)
    return Read(_laid_over(packaged(), made.policy), names, made.findings)
