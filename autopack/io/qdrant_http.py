"""Bounds every request of a Qdrant client, whatever the peer does; imported with the client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from autopack.deadline import Deadline


def hooks(deadline: Deadline, seconds: float) -> dict[str, list[Callable[[Any], None]]]:
    """Return httpx event hooks that end a request after `seconds` or at the deadline.

    A time-out of httpx is one for each read: without these, a peer that sends a byte now and
    then holds a request up for ever.
    """

    def begin(request: httpx.Request) -> None:
        left = deadline.cap(seconds, "talking to Qdrant")
        request.extensions["timeout"] = httpx.Timeout(left).as_dict()
        request.extensions["until"] = time.monotonic() + left

    def watch(response: httpx.Response) -> None:
        until = response.request.extensions["until"]
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Watched(response.stream, until)

    return {"request": [begin], "response": [watch]}


class _Watched(httpx.SyncByteStream):
    """A body that must have arrived by a certain time."""

    def __init__(self, stream: httpx.SyncByteStream, until: float) -> None:
        self.stream = stream
        self.until = until

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.stream:
            if time.monotonic() > self.until:
                raise httpx.ReadTimeout("the answer took too long")
            yield chunk

    def close(self) -> None:
        self.stream.close()
