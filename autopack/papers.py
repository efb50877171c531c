"""The parts of papers that people decide on: who, when, for how long, and what digests name."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
)

from autopack.errors import UsageError

LONGEST = timedelta(days=7)
"""An approval never holds longer."""
SKEW = timedelta(minutes=2)
"""How far two clocks of one workspace may be apart."""
_NOBODY = re.compile(
    r"(?:n/?a|none|null|nobody|someone|anyone|unknown|anonymous|name|your[ _-]?name|reviewer"
    r"|approver|user(?:name)?|admin(?:istrator)?|root|me|you|myself|test(?:er)?|todo|tbd|fixme"
    r"|x+|foo|bar|baz|placeholder|changeme|ci|.*\bbot|dependabot|renovate|github-actions|autopack.*|prefect|agent|ai|llm|assistant"
    r"|robot|system|automation|human|operator|owner|john doe|jane doe|example)",
    re.I,
)
_NAME = re.compile(r"[^\W\d_][\w.@+' -]*", re.U)
_SPAN = re.compile(r"(\d{1,4})([mhd])")


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


Moment = Annotated[
    AwareDatetime,
    AfterValidator(_second),
    PlainSerializer(lambda moment: moment.isoformat(), return_type=str),
]
Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Strict(BaseModel):
    """A model that takes no unknown key and no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """Return the value as JSON has it; what is not said is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Stamp(Strict):
    """Who did something, and when."""

    by: Line
    at: Moment


def person(name: str) -> str:
    """Return a person's name as it was typed, without spaces around it.

    Raises:
        UsageError: It stands for nobody.
    """
    typed = " ".join(name.split())
    letters = sum(character.isalpha() for character in typed)
    if letters < 2 or len(typed) > 100 or not _NAME.fullmatch(typed) or _NOBODY.fullmatch(typed):
        raise UsageError(
            f"{typed[:60]!r} names no person who could answer for it",
            next_step="pass --by with your own name",
        )
    return typed


def span(text: str) -> timedelta:
    """Return a length of time such as 30m, 24h or 3d, at most `LONGEST`.

    Raises:
        UsageError: It is none, or too long.
    """
    match = _SPAN.fullmatch(text.strip())
    made = timedelta()
    if match:
        unit = {"m": "minutes", "h": "hours", "d": "days"}[match[2]]
        made = timedelta(**{unit: int(match[1])})
    if not timedelta() < made <= LONGEST:
        raise UsageError(
            f"--expires {text[:20]!r} is no time between 1m and {LONGEST.days}d",
            next_step="say for instance --expires 24h",
        )
    return made
