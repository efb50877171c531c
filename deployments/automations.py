"""python -m deployments.automations: what a Prefect server does by itself, beyond starting runs.

Runs that follow an event (drift or new entries → sync, a lock that is stuck → status of the locks)
are the `triggers:` of their deployment in `prefect.yaml`, which owns them. Here is what needs no
deployment: a run whose machine is gone is closed, and a run that failed tells people through the
notification block that `AUTOPACK_NOTIFICATION_BLOCK` names as `type-slug/name`, for instance
`slack-webhook/operators`.

Safe to run again: an automation that is as it should be is kept, another one is mended, and without
the variable the one that is there stays.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from autopack.errors import ExitCode, Unreachable, UsageError
from deployments import server

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.events import AutomationCore

VARIABLE = "AUTOPACK_NOTIFICATION_BLOCK"
FAILED = "autopack: tell people about failed runs"
SILENT = "autopack: a run without a sign of life is crashed"
MISSED_BEATS = 3
"""A run is given up after so many heartbeats (`PREFECT_FLOWS_HEARTBEAT_FREQUENCY`, 180 s)."""
_SUBJECT = "{{ flow.name }} failed: {{ flow_run.name }}"
_BODY = "{{ flow_run.state.name }}: {{ flow_run.state.message }}\n{{ flow_run|ui_url }}"


def create() -> dict[str, str]:
    """Make the automations exist as they should be; return what was done to each.

    Raises:
        UsageError: The variable names no block as `type-slug/name`.
        Unreachable: There is no such block.
    """
    from prefect.client.orchestration import get_client

    named = os.environ.get(VARIABLE, "")
    with get_client(sync_client=True) as client:
        done = {SILENT: _ensure(client, silent_runs())}
        if named:
            done[FAILED] = _ensure(client, failed_runs(block_id(client, named)))
        else:
            there = client.read_automations_by_name(FAILED)
            done[FAILED] = "kept" if there else f"left out ({VARIABLE} is unset)"
        return done


def _ensure(client: Any, wanted: AutomationCore) -> str:
    """Make one automation as it should be, and the only one of its name."""
    found = client.read_automations_by_name(wanted.name)
    if not found:
        client.create_automation(wanted)
        return "created"
    for extra in found[1:]:
        client.delete_automation(extra.id)
    if _same(found[0], wanted):
        return "mended" if found[1:] else "kept"
    client.update_automation(found[0].id, wanted)
    return "mended"


def block_id(client: Any, named: str) -> UUID:
    """Return the id of the block that is named as `type-slug/name`."""
    from prefect.exceptions import ObjectNotFound

    kind, slash, name = named.partition("/")
    if not (kind and slash and name):
        raise UsageError(
            f"{VARIABLE}={named!r} names no block", next_step="use slack-webhook/operators"
        )
    try:
        return client.read_block_document_by_name(name, kind, include_secrets=False).id  # type: ignore[no-any-return]
    except ObjectNotFound:
        raise Unreachable(
            f"there is no block {named}, so failed runs would tell nobody",
            next_step=f"create it in the UI under Blocks, or unset {VARIABLE}",
        ) from None


def failed_runs(block: UUID) -> AutomationCore:
    """Return the automation: a run that could not do its job, crashed ones included, is told."""
    from prefect.events import AutomationCore, EventTrigger, Posture
    from prefect.events.actions import SendNotification

    states: Any = {
        "prefect.resource.id": "prefect.flow-run.*",
        "prefect.state-type": ["FAILED", "CRASHED"],
    }
    return AutomationCore(
        name=FAILED,
        enabled=True,  # said, because an update leaves out what is a default
        description="Made by `python -m deployments.automations`; findings are no failure.",
        trigger=EventTrigger(
            match=states, expect={"prefect.flow-run.*"}, posture=Posture.Reactive, threshold=1
        ),
        actions=[SendNotification(block_document_id=block, subject=_SUBJECT, body=_BODY)],
    )


def silent_runs() -> AutomationCore:
    """Return the automation: the run of a machine that is gone does not stay Running for ever."""
    from prefect.client.schemas.objects import StateType
    from prefect.events import AutomationCore, EventTrigger, Posture
    from prefect.events.actions import ChangeFlowRunState
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY

    within_s = MISSED_BEATS * (PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() or 180)
    return AutomationCore(
        name=SILENT,
        enabled=True,
        description="Made by `python -m deployments.automations`; a late write is fenced anyway.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            after={  # it was claimed by a worker, or it runs
                "prefect.flow-run.Pending",
                "prefect.flow-run.Submitting",
                "prefect.flow-run.heartbeat",
            },
            expect={"prefect.flow-run.*"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=within_s),
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                message=f"no sign of life for {within_s} s: its machine is gone",
                force=False,
            )
        ],
    )


def _same(found: AutomationCore, wanted: AutomationCore) -> bool:
    def told(automation: AutomationCore) -> dict[str, Any]:
        shown = automation.model_dump(  # of Python's kinds: as JSON, a set has a random order
            include={"name", "description", "enabled", "trigger", "actions"}
        )
        shown["trigger"].pop("id", None)
        return shown

    return told(found) == told(wanted)


def main() -> int:
    """Create the automations on the server at `PREFECT_API_URL`; return the exit code."""

    def work() -> int:
        os.environ["PREFECT_API_URL"] = server.answering()
        for name, what in create().items():
            sys.stdout.write(f"{name}: {what}\n")
        return int(ExitCode.CLEAN)

    return server.reported(work)


if __name__ == "__main__":
    sys.exit(main())
