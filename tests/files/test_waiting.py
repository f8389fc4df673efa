"""A bound on waiting: silence, and answers that come byte by byte. The clock is a false one, or the bound tiny."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping

import pytest

from i2izoo.errors import ConfigError
from i2izoo.files import waiting
from i2izoo.files.download import DownloadError, download
from i2izoo.files.waiting import PACE, Ask, Head, TooSlow, answer, time_limit


def sends(pieces: Iterator[bytes], closed: threading.Event | None = None) -> Ask:
    def ask(url: str, headers: Mapping[str, str], timeout: float) -> Generator[Head | bytes, None, None]:
        try:
            yield Head(200)
            yield from pieces
        finally:
            if closed:
                closed.set()

    return ask


@pytest.fixture
def each_takes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the next waits take; the last one stays. The clock is asked before and after each."""
    seconds, now, asked = [0.0], [0.0], [0]

    def clock() -> float:
        asked[0] += 1
        if asked[0] % 2 == 0:
            now[0] += seconds.pop(0) if len(seconds) > 1 else seconds[0]
        return now[0]

    monkeypatch.setattr(waiting, "clock", clock)
    return seconds


def test_an_answer_that_goes_forward_is_given_whole(each_takes: list[float]) -> None:
    each_takes[:] = [9]
    pieces = [bytes([n]) * PACE * 10 for n in range(50)]  # 1 KiB a second and a little, for eight minutes
    with answer(sends(iter(pieces)), "", {}, limit=10) as (head, body):
        assert head.status == 200
        assert list(body) == pieces


def test_one_byte_each_quarter_of_a_second_is_given_up(each_takes: list[float]) -> None:
    each_takes[:] = [0.25]
    came: list[bytes] = []
    message = "less than 30 KiB in 30 s; I2IZOO_TIMEOUT=SECONDS waits longer"
    answering = answer(sends(b"x" for _ in range(10**9)), "", {}, limit=30)
    with answering as (_, body), pytest.raises(TooSlow, match=message):
        came.extend(body)
    assert len(came) == 119  # 120 waits of 0.25 s, of which the head was one


def test_a_pause_after_a_good_beginning_has_the_same_bound(each_takes: list[float]) -> None:
    each_takes[:] = [0, 0, 0, 31, 0]
    with answer(sends(iter([b"x" * PACE * 40] * 5)), "", {}, limit=30) as (_, body):
        assert len(list(body)) == 5  # it came, if late
    each_takes[:] = [0, 0, 0, 31]
    with pytest.raises(TooSlow), answer(sends(iter([b"x" * PACE * 40, *[b"x"] * 5])), "", {}, limit=30) as (_, body):
        list(body)


def test_silence_is_given_up_and_the_connection_closed() -> None:
    release, closed = threading.Event(), threading.Event()

    def silent() -> Iterator[bytes]:
        release.wait(60)
        yield b"late"

    with pytest.raises(TooSlow), answer(sends(silent(), closed), "", {}, limit=0.01) as (_, body):
        next(body)
    release.set()
    assert closed.wait(60)


def test_what_is_not_read_is_closed() -> None:
    closed = threading.Event()
    with answer(sends((b"x" for _ in range(10**9)), closed), "", {}, limit=60) as (_, body):
        next(body)
    assert closed.wait(60)


def test_an_error_of_the_reader_is_raised_where_the_answer_is_wanted() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise ZeroDivisionError("odd")

    with pytest.raises(ZeroDivisionError, match="odd"), answer(sends(broken()), "", {}, limit=60) as (_, body):
        list(body)


def test_a_slow_server_is_not_asked_again(each_takes: list[float], tmp_path) -> None:
    each_takes[:] = [0.25]
    asked = []

    def ask(url: str, headers: Mapping[str, str], timeout: float) -> Generator[Head | bytes, None, None]:
        asked.append(headers)
        yield Head(200, {"content-length": "1000000"})
        yield from (b"x" for _ in range(10**6))

    with pytest.raises(DownloadError, match=r"less than 30 KiB in 30 s.* 119 bytes are kept"):
        download("http://somewhere/", tmp_path / "file", ask=ask)
    assert len(asked) == 1


def test_a_server_that_cuts_after_each_byte_is_given_up(tmp_path) -> None:
    asked = []

    def ask(url: str, headers: Mapping[str, str], timeout: float) -> Generator[Head | bytes, None, None]:
        asked.append(headers)
        have = int(headers.get("Range", "bytes=0-")[6:-1])
        extent = {"content-range": f"bytes {have}-999/1000"} if have else {}
        yield Head(206 if have else 200, {"content-length": str(1000 - have), **extent})
        yield b"x"

    with pytest.raises(DownloadError, match="the connection was cut"):
        download("http://somewhere/", tmp_path / "file", ask=ask)
    assert len(asked) == 50


def test_no_more_is_taken_than_is_wanted(tmp_path) -> None:
    def ask(url: str, headers: Mapping[str, str], timeout: float) -> Generator[Head | bytes, None, None]:
        yield Head(200)
        while True:
            yield b"x" * 1000

    with pytest.raises(DownloadError, match="sent more than 2500 bytes, wanted are 2500"):
        download("http://somewhere/", tmp_path / "file", size=2500, ask=ask)
    assert list(tmp_path.iterdir()) == []


def test_the_bound_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("I2IZOO_TIMEOUT", raising=False)
    assert time_limit(10) == 10
    monkeypatch.setenv("I2IZOO_TIMEOUT", "2.5")
    assert time_limit(10) == 2.5
    for wrong in ("0", "-1", "soon", "nan", "inf"):
        monkeypatch.setenv("I2IZOO_TIMEOUT", wrong)
        with pytest.raises(ConfigError, match=f"I2IZOO_TIMEOUT .* found '{wrong}'"):
            time_limit(10)
