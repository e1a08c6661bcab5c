"""Requests to a server's HTTP API, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from evenkeel._version import __version__
from evenkeel.settings import server_address

_ROOT = "/api/v1"
# A busy server is asked again, as often as this, after the seconds that it names.
_ATTEMPTS = 6
_MAX_RETRY_AFTER = 30.0
_CHUNK_BYTES = 65_536
# Servers and proxies refuse longer addresses.
_MAX_QUERY_LENGTH = 8_000
_BROKEN = (http.client.HTTPException, OSError)

Query = Mapping[str, Any]


class ApiError(Exception):
    """A server could not be asked, or refused; the message says why and what to do."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """Of HTTP; None where there was no answer."""


class BrokenOffError(ApiError):
    """An answer ended before it was whole."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The access token is for one server: the one that a redirect names must not get it."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Client:
    """Asks one server."""

    def __init__(self, server: str | None, key: str | None, timeout: float) -> None:
        address = server_address(server).rstrip("/")
        self.server = f"http{address[2:]}" if address.startswith("ws") else address
        self._key = key or os.environ.get("EVENKEEL_ACCESS_TOKEN") or None
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirects)

    def read(self, path: str, query: Query | None = None) -> Any:
        """The answer of a route as JSON.

        Raises:
            ApiError: where there is none.
        """
        with self._open(path, query or {}) as response:
            try:
                return json.loads(response.read())
            except _BROKEN as error:
                raise BrokenOffError(f"the answer of {self.server} broke off ({error}): try again") from error
            except ValueError:
                raise ApiError(f"{self.server}{_ROOT}{path} answers no JSON: is it an Evenkeel server?") from None

    def pages(self, path: str, rows: str, query: Query) -> Iterator[Any]:
        """The rows of a list, page after page as they are needed."""
        cursor = None
        while True:
            page = self.read(path, query if cursor is None else {**query, "cursor": cursor})
            yield from page[rows]
            cursor = page["nextCursor"]
            if cursor is None:
                return

    def lines(self, path: str, query: Query) -> Iterator[bytes]:
        """The lines of an answer, as they arrive.

        Raises:
            BrokenOffError: where the answer is not whole; the lines before are.
        """
        with self._open(path, query) as response:
            rest = b""
            while True:
                # Not `for line in response`: that takes an answer which is cut between two chunks for a whole one.
                try:
                    chunk = response.read1(_CHUNK_BYTES)
                except _BROKEN as error:
                    raise BrokenOffError(f"the answer of {self.server} broke off ({error}): try again") from error
                if not chunk:
                    break
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
            if rest:
                raise BrokenOffError(f"the answer of {self.server} broke off within a line: try again")

    def _open(self, path: str, query: Query) -> http.client.HTTPResponse:
        for attempt in range(_ATTEMPTS):
            try:
                return self._request(path, query)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in (429, 503) or attempt == _ATTEMPTS - 1:
                        raise self._refusal(error) from None
                    delay = _retry_after(error)
            except _BROKEN as error:
                raise ApiError(
                    f'no answer from {self.server} ({getattr(error, "reason", error)}): start a server with "evenkeel '
                    'serve", or name another with server= or EVENKEEL_SERVER'
                ) from error
            time.sleep(delay)
        raise AssertionError("the last attempt returns or raises")

    def _request(self, path: str, query: Query) -> http.client.HTTPResponse:
        text = urllib.parse.urlencode(query, doseq=True)
        if len(text) > _MAX_QUERY_LENGTH:
            raise ValueError("keys: too many for one request: ask for fewer at once, or for all with keys=None")
        headers = {"Accept": "application/json, application/x-ndjson", "User-Agent": f"evenkeel-python/{__version__}"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self.server}{_ROOT}{path}?{text}", headers=headers)
        response: http.client.HTTPResponse = self._opener.open(request, timeout=self._timeout)
        return response

    def _refusal(self, error: urllib.error.HTTPError) -> ApiError:
        if error.code == 401:
            return ApiError(f"{self.server} requires its access token: set EVENKEEL_ACCESS_TOKEN, or give key=", 401)
        if 300 <= error.code < 400:
            target = error.headers.get("Location", "another address")
            return ApiError(f"{self.server} redirects to {target}: name the server's own address", error.code)
        return ApiError(_sentence(error) or f"{self.server} answered {error.code} {error.reason}", error.code)


def _sentence(error: urllib.error.HTTPError) -> str | None:
    try:
        sentence = json.loads(error.read())["error"]
    except (ValueError, KeyError, TypeError, *_BROKEN):
        return None
    return sentence if isinstance(sentence, str) else None


def _retry_after(error: urllib.error.HTTPError) -> float:
    try:
        return min(max(float(error.headers.get("Retry-After", "1")), 0.0), _MAX_RETRY_AFTER)
    except ValueError:
        return 1.0
