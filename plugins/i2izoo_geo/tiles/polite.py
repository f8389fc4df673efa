"""Requests that a server of tiles can live with: paced, repeated with patience, and saying who asks."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from i2izoo.errors import ConfigError, I2IZooError, printable
from i2izoo.files.download import DownloadError, Refused, ask_web
from i2izoo.files.waiting import Ask, answer, time_limit
from i2izoo_geo.tiles.secret import Secret

T = TypeVar("T")

ABSENT = (404, 410)
"""Where there is no tile."""
BUSY = (408, 425, 429, 500, 502, 503, 504)
"""What a later try may change."""
LARGEST = 32 << 20
"""Bytes of an answer; no tile and no capabilities come near."""


class Stopped(Exception):
    """Another thread has failed: nothing more is asked."""


class Pace:
    """At most `rate` requests a second, from all threads together.

    Args:
        rate: requests a second.
        clock: seconds, never backwards.
        sleep: waits for so many seconds; says True where all is to end.
    """

    def __init__(self, rate: float, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._gap, self._clock, self._sleep = 1 / rate, clock, sleep
        self._free = clock()
        self._lock = threading.Lock()

    def turn(self) -> None:
        """Wait until a request may go out."""
        while True:
            with self._lock:
                wait = self._free - self._clock()
                if wait <= 0:
                    self._free = self._clock() + self._gap
                    return
            if self._sleep(wait) is True:
                raise Stopped

    def hold(self, seconds: float) -> None:
        """No request of any thread goes out for so long."""
        with self._lock:
            self._free = max(self._free, self._clock() + seconds)


class Client:
    """Asks a server for tiles.

    A server that is busy (429, 503 and their like), cuts the connection or sends something else than was wanted is
    asked again: after the seconds that its Retry-After says, otherwise after 1, 2, 4, ... seconds, during which no
    other request goes out either.

    Args:
        secret: the key.
        rate: requests a second, of all threads together.
        user_agent, referer: headers of each request.
        attempts: for each address.
        patience: seconds; a server that wants a longer wait ends the run, which can be taken up later.
        timeout: seconds without an answer; the environment variable I2IZOO_TIMEOUT goes before it.
        ask: sends a request.
        clock, sleep, now: of the pace, and the time of day in seconds.
    """

    def __init__(
        self,
        secret: Secret,
        *,
        rate: float = 2.0,
        user_agent: str = "i2izoo",
        referer: str | None = None,
        attempts: int = 6,
        patience: float = 300.0,
        timeout: float = 30.0,
        ask: Ask = ask_web,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not 0 < rate <= 1000:
            raise ConfigError(f"the rate is above 0 to 1000 requests a second; found {rate}.")
        self.secret, self.requests = secret, 0
        self._known: dict[str, bytes | None] = {}
        self._headers = {"User-Agent": user_agent} | ({"Referer": referer} if referer else {})
        self._attempts, self._patience, self._ask, self._now = attempts, patience, ask, now
        self._limit = time_limit(timeout)
        self._stopped = threading.Event()
        self._pace = Pace(rate, clock, sleep or self._stopped.wait)

    def stop(self) -> None:
        """Nothing more is asked: whoever waits stops waiting."""
        self._stopped.set()

    def get(self, address: str, read: Callable[[bytes], T]) -> T | None:
        """What `read` makes of the answer; None: the server has nothing there (404, 410, an empty answer).

        Args:
            address: with `{key}` in the place of the key.
            read: raises an I2IZooError for what is not wanted, which counts as a failed try.

        Raises:
            DownloadError: the server refuses, or all tries failed; the address stands in it without the key.
        """
        url, said = self.secret.fill(address), ""
        for attempt in range(self._attempts):
            wait = 2.0**attempt
            try:
                if (body := self._body(url)) is None:
                    return None
                return self._understood(body, read)
            except Refused as refused:
                code, asked = _refusal(refused, self._now)
                if code in ABSENT:
                    return None
                said = str(refused)
                if code not in BUSY:
                    raise self._failed(address, said, "see what it wants, and call again to go on") from None
                wait = wait if asked is None else asked
            except (OSError, http.client.HTTPException, ValueError) as error:
                said = str(getattr(error, "reason", "") or error) or type(error).__name__
            if wait > self._patience:
                raise self._failed(address, f"{said}, and wants {wait:.0f} s to pass", "go on then") from None
            if attempt + 1 < self._attempts:
                self._pace.hold(wait)
        raise self._failed(address, f"{said}, {self._attempts} times", "call again to go on from here") from None

    def get_once(self, address: str) -> bytes | None:
        """The bytes that are there, which are not asked for again; None: nothing is there."""
        if address not in self._known:
            self._known[address] = self.get(address, bytes)
        return self._known[address]

    def _understood(self, body: bytes, read: Callable[[bytes], T]) -> T:
        try:
            return read(body)
        except I2IZooError as error:
            begin = self.secret.hide(body[:2000].decode("ascii", "replace"))  # as a whole, before it is cut
            raise ValueError(f"{str(error).rstrip('.')}: {printable(begin, 60)!r}") from None

    def _body(self, url: str) -> bytes | None:
        self._pace.turn()
        if self._stopped.is_set():
            raise Stopped
        self.requests += 1
        body = bytearray()
        with answer(self._ask, url, self._headers, self._limit) as (head, chunks):
            for chunk in chunks:
                body += chunk
                if len(body) > LARGEST:
                    raise ValueError(f"the answer is longer than {LARGEST >> 20} MiB")
            length = head.headers.get("content-length", "")
            if length.isdecimal() and int(length) != len(body):
                raise ValueError(f"the connection was cut after {len(body)} of {length} bytes")
        return bytes(body) or None

    def _failed(self, address: str, said: str, advice: str) -> DownloadError:
        reason = printable(self.secret.hide(said)).rstrip(".")
        return DownloadError(f"{self.secret.hide(address)} cannot be fetched: {reason}; {advice}.", reason)


def _refusal(refused: Refused, now: Callable[[], float]) -> tuple[int, float | None]:
    """The status of a refusal, and the seconds to wait that it names."""
    error = refused.__cause__
    if not isinstance(error, urllib.error.HTTPError):
        return 0, None
    return error.code, retry_after(dict(error.headers), now())


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that a Retry-After header (RFC 9110, 10.2.3) asks to wait, of which it says the number or the end.

    >>> retry_after({"Retry-After": "7"}, now=0.0)
    7.0
    >>> retry_after({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=10.0)
    50.0
    """
    text = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    if text.isdecimal():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except (ValueError, TypeError):
        return None
