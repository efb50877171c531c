"""Run syncs in forked children that the test kills: the imports are paid once.

`python -m tests.support.crash_worker WORKSPACE DATABASE_URL`: a line on stdin starts one run and
prints its pid, the next one waits for its end and prints its exit code. Until then it keeps its
pid.
"""

from __future__ import annotations

import os
import sys

from flows.sot_sync import sot_sync
from tasks.engine import plain


def main() -> None:
    """Fork one child per pair of lines."""
    workspace, url = sys.argv[1:]
    # What the children would each import on their own.
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql  # noqa: F401

    import autopack.io.feed
    import autopack.io.publish  # noqa: F401

    while sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            report = plain(sot_sync)(
                workspace=workspace, mode="full", execute=True, database_url=url,
                qdrant_host="embedded", max_seconds=60.0,
            )  # fmt: skip
            os._exit(report.exit_code)
        print(pid, flush=True)
        sys.stdin.readline()
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
