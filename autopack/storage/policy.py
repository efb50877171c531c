"""What a workspace lets the storage flows do: nothing, until its policy says otherwise.

Every key may be left out; what is left out protects more, not less. Globs are those of
`autopack.storage.matcher`, relative to the root that is scanned.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, field_validator

from autopack.canonical import digest
from autopack.papers import LONGEST, Line, Strict
from autopack.storage.matcher import glob_fault

OWN = "config/storage.yaml"
"""Where a workspace keeps its policy."""
GIB = 1 << 30
Verdict = Literal["deny", "allow"]


def _readable(glob: str) -> str:
    if fault := glob_fault(glob):
        raise ValueError(f"the glob {glob[:80]!r} is refused: {fault}")
    return glob


Glob = Annotated[str, AfterValidator(_readable)]
Whole = Annotated[int, Field(strict=True, ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Traversal(Strict):
    """What a scan may enter besides plain folders. What lies behind is never acted on."""

    symlink: Verdict = Field(default="deny", description="Symbolic links to folders.")
    junction: Verdict = Field(
        default="deny", description="Mount points of Windows inside a volume."
    )
    other_reparse: Verdict = Field(
        default="deny", description="Any other reparse point of Windows."
    )
    mount: Verdict = Field(default="deny", description="Other filesystems, and bind mounts.")

    def allows(self, what: Literal["symlink", "junction", "other_reparse", "mount"]) -> bool:
        """Return whether a scan may enter it."""
        return cast(Verdict, getattr(self, what)) == "allow"


class Caps(Strict):
    """What one run may put away of a category, the item at hand included."""

    max_bytes: Whole = Field(
        default=50 * GIB, description="Bytes: of each item the larger of its size and its disk use."
    )
    max_items: Whole = Field(
        default=1000, description="Items; a folder that goes as a whole is one."
    )


class Category(Strict):
    """Files and folders of one sort, and when they may go."""

    match: list[Glob] = Field(
        min_length=1, description="`x/**` names the folder x as one item, `x/*` each thing in it."
    )
    older_than_days: Whole | None = Field(
        default=None,
        description="Days since the newest change in an item; 0 asks for no age. Left out: never.",
    )
    keep_newest: Whole = Field(
        default=0, description="So many items of each parent folder stay, the newest ones."
    )
    action: Literal["quarantine", "report"] = Field(
        default="report", description="`report` counts what is there and proposes nothing."
    )
    caps: Caps = Field(default=Caps(), description="What one run may put away.")


class Key(Strict):
    """A key whose signature under an approval counts."""

    name: Line = Field(description="Whose it is.")
    public: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="The Ed25519 public key (RFC 8032), 32 bytes in hex."
    )


class ApprovalRules(Strict):
    """What an approval has to be."""

    max_hours: Annotated[int, Field(strict=True, ge=1, le=LONGEST.days * 24)] = Field(
        default=24, description="An approval holds at most so many hours."
    )
    keys: list[Key] = Field(
        default=[], description="As soon as a key is listed, an approval has to be signed by one."
    )


class Policy(Strict):
    """What is protected, what may go and when, and what an approval has to be."""

    execution: Literal["disabled", "enabled"] = Field(
        default="disabled", description="`disabled`: scans and reports only; nothing is ever moved."
    )
    traversal: Traversal = Field(default=Traversal(), description="What a scan may enter.")
    case: Literal["sensitive", "insensitive"] = Field(
        default="sensitive",
        description="How categories read names. What is protected is so in every case spelling; "
        "`insensitive` also protects names that Windows would read as another one.",
    )
    protected: dict[Name, list[Glob]] = Field(
        default={},
        description="What never goes, in groups. `x/**` protects x itself; a folder that holds "
        "something protected does not go as a whole.",
    )
    pinned: list[Glob] = Field(
        default=[], description="What someone wants to keep; protected like the rest."
    )
    categories: dict[Name, Category] = Field(
        default={}, description="What may go; the first one that matches a path counts."
    )
    refuse_share: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        default=50, description="Above this percentage of a root's disk use, no report is made."
    )
    min_keep: Annotated[int, Field(strict=True, ge=1)] = Field(
        default=1, description="If fewer files than this would stay in a root, no report is made."
    )
    grace_days: Whole = Field(
        default=7, description="Days in quarantine before a purge is allowed."
    )
    retries: Annotated[int, Field(strict=True, ge=0, le=10)] = Field(
        default=3, description="More tries at an item that another program holds open."
    )
    approval: ApprovalRules = Field(
        default=ApprovalRules(), description="What an approval has to be."
    )

    @field_validator("categories")
    @classmethod
    def _no_report_all(cls, categories: dict[str, Category]) -> dict[str, Category]:
        for name, category in categories.items():
            if category.action == "quarantine" and _everything(category.match):
                raise ValueError(f"{name}: a glob for everything may only have action: report")
        return categories

    @cached_property
    def sha256(self) -> str:
        """Return the digest that names its content; the order of categories is content too."""
        return digest([self.plain(), list(self.categories)])


def _everything(globs: list[str]) -> bool:
    return any(not glob.strip("*/") for glob in globs)


def schema_text() -> str:
    """Return the JSON Schema of policies, as it stands in `storage_policy.schema.json`."""
    made: dict[str, Any] = Policy.model_json_schema(by_alias=True)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, **made, "title": "Autopack storage"}, indent=2) + "\n"
