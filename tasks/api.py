"""The few calls to a Prefect API that must not wait for Prefect to be imported."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from io import BytesIO
from typing import Any
from urllib.parse import SplitResult, urlsplit

PAGE = 200
"""What one question for a list is answered with; a server gives no more."""
_LARGEST = 8 << 20


class NoAnswer(Exception):
    """The API did not answer in time, or not as HTTP."""

    @property
    def away(self) -> bool:
        """Whether nobody listens there, so that nothing was sent."""
        return isinstance(self.__cause__, ConnectionRefusedError)


def call(
    url: str,
    path: str,
    until: float,
    body: dict[str, Any] | None = None,
    method: str | None = None,
) -> tuple[int, Any]:
    """Return status and JSON of one request that ends by `until` on the monotonic clock.

    Without a method it is POST where there is a body, else GET.

    Raises:
        NoAnswer: There is no HTTP answer by then.
    """
    try:
        at = urlsplit(url)
        with socket.create_connection(_address(at), _left(until)) as plain:
            peer = _secured(plain, at.hostname or "") if at.scheme == "https" else plain
            peer.settimeout(_left(until))
            how = method or ("GET" if body is None else "POST")
            line = f"{how} {at.path.rstrip('/')}{path}"
            peer.sendall(_request(line, at.netloc.rpartition("@")[2], body))
            return _parse(_read_all(peer, until))
    except (OSError, ValueError) as error:
        raise NoAnswer(str(error)) from error


def ask(
    url: str,
    path: str,
    until: float,
    body: dict[str, Any] | None = None,
    method: str | None = None,
) -> Any:
    """Return the JSON of one request that the server grants; while its SQLite is locked, ask again.

    Raises:
        NoAnswer: It was not granted by `until`, on the monotonic clock in seconds.
    """
    status, answer = call(url, path, until, body, method)
    while status == 503 and time.monotonic() < until:
        time.sleep(0.1)
        status, answer = call(url, path, until, body, method)
    if status >= 300:
        raise NoAnswer(f"{path} answered {status}")
    return answer


def _address(at: SplitResult) -> tuple[str, int]:
    if at.scheme not in ("http", "https") or not at.hostname:
        raise ValueError("no http(s) address")
    return at.hostname, at.port or (443 if at.scheme == "https" else 80)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("out of time")
    return left


def _secured(plain: socket.socket, host: str) -> socket.socket:
    import ssl

    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _request(line: str, host: str, body: dict[str, Any] | None) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = [
        f"{line} HTTP/1.1",
        f"Host: {host}",
        "Connection: close",
        "Accept: application/json",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
        *_authorization(),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + data


def _authorization() -> list[str]:
    if key := os.environ.get("PREFECT_API_KEY"):
        return [f"Authorization: Bearer {key}"]
    if pair := os.environ.get("PREFECT_API_AUTH_STRING"):
        return [f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"]
    return []


def _read_all(peer: socket.socket, until: float) -> bytes:
    got = b""
    while len(got) < _LARGEST:
        peer.settimeout(_left(until))
        chunk = peer.recv(65536)
        if not chunk:
            return got
        got += chunk
    raise ValueError("the answer is too large")


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self.data)


def _parse(data: bytes) -> tuple[int, Any]:
    from http.client import HTTPException, HTTPResponse

    response = HTTPResponse(_Bytes(data))  # type: ignore[arg-type]
    try:
        response.begin()
        content = response.read()
    except HTTPException as error:
        raise ValueError(f"no HTTP: {error!r}") from error
    return response.status, json.loads(content) if content else None
