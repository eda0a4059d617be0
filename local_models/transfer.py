"""One address into one partial file: Range resume, validators, honest sizes, no endless waiting.

The standard library's client is used on purpose: it honours http_proxy, https_proxy and no_proxy, and hands out bytes
with one copy, which is what lets download and hash in one pass keep up with curl.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path

from local_models.fetch_events import Progress, Started
from local_models.partial import Partial

__all__ = ["FetchSettings", "SourceProblem", "Wanted", "transfer"]

BLOCK = 1 << 19
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
USER_AGENT = "lancelot-fetch/1"


class SourceProblem(Exception):
    """Why one source did not deliver.

    `again`: asking the same source once more may help; `retry_after`: seconds it asked us to wait.
    """

    def __init__(self, reason: str, *, again: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.retry_after = retry_after


@dataclass(frozen=True)
class FetchSettings:
    """Time limits and seams. `timeout_s`: silence on the wire; `slow_window_s`: a window in which at least `slow_bytes`
    must arrive; `attempts`: tries in a row without gain; `wait_cap_s`: the longest Retry-After that is honoured."""

    timeout_s: float = 20.0
    slow_window_s: float = 60.0
    slow_bytes: int = 64 << 10
    attempts: int = 4
    wait_first_s: float = 0.5
    wait_cap_s: float = 30.0
    progress_every_s: float = 0.1
    reserve_bytes: int = 64 << 20
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    free_bytes: Callable[[Path], int] = field(default=lambda folder: _free_bytes(folder))
    pip: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What one address should give. `bytes` None where only the server knows (a wheel); `room_for` more bytes are
    needed on the disk afterwards."""

    url: str
    label: str
    bytes: int | None
    room_for: int = 0

    @property
    def key(self) -> str:
        """Names the address in notes without spelling it (it may carry a token)."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]


def transfer(
    wanted: Wanted,
    partial: Partial,
    settings: FetchSettings,
    check_room: Callable[[int], None],
) -> Iterator[Started | Progress]:
    """Fill `partial` from where it stands, one request.

    Raises:
        SourceProblem: the source failed; what arrived stays in the partial.
        NoSpace: from `check_room(bytes needed)`.
        OSError: the disk refuses to write.
    """
    with closing(_open(wanted, partial, settings)) as response:
        total = _accept(response, wanted, partial)
        if total is not None:
            check_room(total - partial.size + wanted.room_for)
        partial.url_key, partial.validator = wanted.key, _validator(response)
        yield Started(total=total, source=wanted.label, resumed_from=partial.size)
        yield from _pump(response, partial, total, settings)
    if total is not None and partial.size != total:
        raise SourceProblem(f"stopped after {partial.size} of {total} bytes", again=True)


def _pump(
    response: http.client.HTTPResponse, partial: Partial, total: int | None, settings: FetchSettings
) -> Iterator[Progress]:
    clock, start_size = settings.clock, partial.size
    start = told = window_start = clock()
    window_size = partial.size
    while True:
        try:
            block = response.read1(BLOCK)
        except TimeoutError as problem:
            raise SourceProblem(f"silent for {settings.timeout_s:g} s", again=True) from problem
        except (http.client.HTTPException, OSError) as problem:
            raise SourceProblem(f"connection lost ({type(problem).__name__})", again=True) from problem
        if not block:
            return
        if total is not None and partial.size + len(block) > total:
            partial.restart()
            raise SourceProblem("sends more bytes than it should")
        partial.append(block)
        now = clock()
        if now - told >= settings.progress_every_s or partial.size == total:
            rate = (partial.size - start_size) / max(now - start, 1e-6)
            eta = None if total is None else (total - partial.size) / max(rate, 1.0)
            yield Progress(partial.size, total, rate, eta)
            told = now
        if now - window_start >= settings.slow_window_s:
            if partial.size - window_size < settings.slow_bytes:
                raise SourceProblem("is too slow", again=False)
            window_start, window_size = now, partial.size


def _open(wanted: Wanted, partial: Partial, settings: FetchSettings) -> http.client.HTTPResponse:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
        if partial.url_key == wanted.key and partial.validator:
            headers["If-Range"] = partial.validator
    request = urllib.request.Request(wanted.url, headers=headers)  # noqa: S310 - http or https, checked by the lock
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_tls()))
    try:
        response: http.client.HTTPResponse = opener.open(request, timeout=settings.timeout_s)
    except urllib.error.HTTPError as problem:
        with problem:
            raise _refused(problem, partial, settings) from problem
    except urllib.error.URLError as problem:
        raise SourceProblem(_network_reason(problem.reason, settings), again=False) from problem
    except TimeoutError as problem:
        raise SourceProblem(f"silent for {settings.timeout_s:g} s", again=True) from problem
    except (http.client.HTTPException, OSError, ValueError) as problem:
        raise SourceProblem(f"no valid answer ({type(problem).__name__})", again=True) from problem
    return response


def _refused(problem: urllib.error.HTTPError, partial: Partial, settings: FetchSettings) -> SourceProblem:
    if problem.code == 416:
        partial.restart()
        return SourceProblem("refuses to continue (416); starting over", again=True)
    if problem.code in (408, 425, 429, 500, 502, 503, 504):
        wait = _retry_after(problem.headers.get("Retry-After"))
        too_long = wait is not None and wait > settings.wait_cap_s
        reason = f"answers {problem.code}" + (f" and asks to wait {wait:g} s" if wait is not None else "")
        return SourceProblem(reason, again=not too_long, retry_after=wait)
    return SourceProblem(f"answers {problem.code}")


def _accept(response: http.client.HTTPResponse, wanted: Wanted, partial: Partial) -> int | None:
    """Check the answer's head against what we hold; returns the size of the whole file, None when it is not told."""
    if (response.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise SourceProblem("sends the file compressed, which was not asked for")
    length = response.length  # None for chunked answers
    if response.status == 206:
        start, total = _content_range(response.headers.get("Content-Range"))
        changed = partial.url_key == wanted.key and partial.validator not in (None, _validator(response))
        if start != partial.size or changed:
            partial.restart()
            why = "the file changed since the last attempt" if changed else "sends another range than asked for"
            raise SourceProblem(f"{why}; starting over", again=True)
    else:
        if partial.size:
            partial.restart()  # 200: Range ignored, or If-Range says that the file has changed
        total = length
    if wanted.bytes is not None and total is not None and total != wanted.bytes:
        raise SourceProblem(f"offers {total} bytes instead of {wanted.bytes}")
    return wanted.bytes if total is None else total


def _content_range(value: str | None) -> tuple[int, int | None]:
    """(first byte, whole size) of `bytes 100-199/1000`; (-1, None) when it cannot be read."""
    unit, _, rest = (value or "").partition(" ")
    span, _, whole = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdigit():
        return -1, None
    return int(first), int(whole) if whole.isdigit() else None


def _validator(response: http.client.HTTPResponse) -> str | None:
    """A strong ETag, else Last-Modified: what If-Range may carry."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from either form of the header."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _network_reason(reason: object, settings: FetchSettings) -> str:
    if isinstance(reason, TimeoutError):
        return f"silent for {settings.timeout_s:g} s"
    if isinstance(reason, ssl.SSLError):
        return "the secure connection was refused (certificate or proxy)"
    return f"cannot be reached ({getattr(reason, 'strerror', None) or type(reason).__name__})"


def _tls() -> ssl.SSLContext:
    """The system's certificates plus those of the operator's own variables (a company proxy)."""
    context = ssl.create_default_context()
    for name in CA_VARIABLES:
        named = os.environ.get(name)
        if named and Path(named).is_file():
            context.load_verify_locations(named)
    return context


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
