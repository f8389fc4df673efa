"""Requests for tiles: their pace, patience and headers, and a key that nobody sees."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from geo.tile_server import Clock, client, flat, noise, tile_server
from i2izoo_geo.tiles.pixels import decoded
from i2izoo_geo.tiles.polite import Client, Pace, Stopped
from i2izoo_geo.tiles.secret import Secret

from i2izoo.errors import ConfigError
from i2izoo.files.download import DownloadError

BODY = bytes


@pytest.fixture
def server():
    with tile_server() as found:
        yield found


def test_requests_keep_a_distance_from_all_threads_together() -> None:
    clock = Clock()
    pace = Pace(4.0, clock, clock.sleep)
    starts = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(5):
            with lock:  # one thread at a time sleeps on a clock that is shared
                pace.turn()
                starts.append(clock())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert starts == [1000 + i / 4 for i in range(15)]


def test_a_busy_server_gets_the_time_it_asks_for(server) -> None:
    server.faults["photo/1.png"] = [(429, {"Retry-After": "7"}), (503, {}), (503, {}), "cut"]
    polite, clock = client(rate=1000)
    found = polite.get(f"{server.address}/photo/1.png", BODY)
    assert found == noise("photo/1.png")
    # seven seconds as asked, then two, four and eight of its own for the second, third and fourth try
    assert [round(s) for s in clock.slept] == [7, 2, 4, 8]
    assert len(server.asked) == 5


def test_retry_after_may_be_a_date(server) -> None:
    server.faults["photo/1.png"] = [(503, {"Retry-After": "Thu, 01 Jan 1970 00:17:00 GMT"})]
    polite, clock = client(rate=1000)
    polite.get(f"{server.address}/photo/1.png", BODY)
    assert round(sum(clock.slept)) == 17 * 60 - 1000


def test_a_server_that_wants_an_hour_ends_the_run(server) -> None:
    server.faults["photo/1.png"] = [(429, {"Retry-After": "3600"})]
    polite, clock = client()
    with pytest.raises(DownloadError, match=r"429 .* wants 3600 s to pass; go on then"):
        polite.get(f"{server.address}/photo/1.png", BODY)
    assert clock.slept == []


def test_what_is_no_image_is_asked_for_again_and_then_named(server) -> None:
    server.faults["photo/1.png"] = ["html"]
    polite, _ = client(rate=1000)
    found = polite.get(f"{server.address}/photo/1.png", lambda body: decoded(body, None))
    assert found is not None
    assert found.array.shape == (64, 64, 3)
    server.faults["photo/1.png"] = ["html"] * 6
    with pytest.raises(DownloadError, match="no PNG, JPEG or WebP: '<html>the quota is used up</html>', 6 times"):
        polite.get(f"{server.address}/photo/1.png", lambda body: decoded(body, None))


def test_nothing_there_is_no_error_and_a_refusal_is_not_repeated(server) -> None:
    server.tiles["photo/1.png"] = None
    server.tiles["photo/2.png"] = b""
    server.faults["photo/3.png"] = [(403, {})]
    polite, _ = client(rate=1000)
    assert polite.get(f"{server.address}/photo/1.png", BODY) is None
    assert polite.get(f"{server.address}/photo/2.png", BODY) is None
    with pytest.raises(DownloadError, match="403"):
        polite.get(f"{server.address}/photo/3.png", BODY)
    assert len(server.asked) == 3


def test_it_says_who_asks(server) -> None:
    polite, _ = client(user_agent="atlas (me@example.org)", referer="https://example.org/")
    polite.get(f"{server.address}/photo/1.png", BODY)
    assert server.headers[0]["User-Agent"] == "atlas (me@example.org)"
    assert server.headers[0]["Referer"] == "https://example.org/"


@pytest.mark.parametrize("fault", [(403, {}), (503, {}), "cut", "html"])
def test_errors_show_the_place_of_the_key_and_not_the_key(fault, server, monkeypatch) -> None:
    monkeypatch.setenv("MAP_KEY", "s3cr3t/key")
    polite, _ = client("MAP_KEY", rate=1000)
    server.faults["photo/1.png"] = [fault] * 6
    with pytest.raises(DownloadError) as raised:
        polite.get(f"{server.address}/photo/1.png?key={{key}}", lambda body: decoded(body, None))
    assert server.asked[0] == "/photo/1.png?key=s3cr3t%2Fkey"
    error: BaseException | None = raised.value
    while error is not None:
        assert "s3cr3t" not in f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert "key={key}" in str(raised.value)


def test_a_key_is_asked_for_and_never_taken_from_an_address(monkeypatch) -> None:
    monkeypatch.delenv("MAP_KEY", raising=False)
    with pytest.raises(ConfigError, match="environment variable MAP_KEY"):
        Secret("MAP_KEY").fill("https://example.org/1.png?key={key}")
    for address in (
        "https://e.org/1.png?apikey=abc",
        "https://e.org/1.png?x=1&access_token=abc",
        "https://me:abc@e.org/",
    ):
        with pytest.raises(ConfigError, match="holds a secret") as raised:
            Secret("MAP_KEY").refuse_open(address)
        assert "abc" not in str(raised.value)
    Secret("MAP_KEY").refuse_open("https://e.org/1.png?key={key}&layer=monkey")


def test_who_waits_for_hours_stops_when_another_thread_has_failed(server) -> None:
    polite = Client(Secret(), rate=0.0001)  # the real clock: the second request would go out in three hours
    polite.get(f"{server.address}/photo/1.png", BODY)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(polite.get, f"{server.address}/photo/2.png", BODY)
        polite.stop()
        with pytest.raises(Stopped):
            waiting.result()
    assert len(server.asked) == 1


def test_a_key_that_an_answer_repeats_is_hidden_before_it_is_cut(server, monkeypatch) -> None:
    monkeypatch.setenv("MAP_KEY", "k" * 40)
    polite, _ = client("MAP_KEY", rate=1000)
    server.tiles["photo/1.png"] = b"the key of this account is wrong: it says " + b"k" * 40
    with pytest.raises(DownloadError, match=r"it says {key}") as raised:
        polite.get(f"{server.address}/photo/1.png?key={{key}}", lambda body: decoded(body, None))
    assert "kkk" not in str(raised.value)


@pytest.mark.parametrize("body", [b"", b"<xml/>", noise("a", "GIF"), noise("a")[:500], flat((0,) * 3, 4097)])
def test_what_is_no_tile_is_refused(body: bytes) -> None:
    from i2izoo.errors import ImageError

    with pytest.raises(ImageError):
        decoded(body, None)
