"""Downloads against a server on loopback that cuts connections, lacks Range, refuses or sends the wrong bytes."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from i2izoo_facades.facades import COUNTS, fetch_facades

from i2izoo.errors import DataError
from i2izoo.files.download import cache_folder, download, extract_tar

BODY = bytes(range(256)) * 40
SHA = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Sends `body`; of the n-th answer only `cuts[n]` bytes, if there is such an entry."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.ranges, self.cuts, self.asked, self.status = BODY, True, [], [], None
        self.url = f"http://127.0.0.1:{self.server_port}/file.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args):
        return None

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        body, first = self.server.body, 0
        if self.server.status:
            self.send_error(self.server.status)
            return
        if asked and self.server.ranges:
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            if first >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else None
        self.wfile.write(body[first:][:cut])


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_whole_file(server, tmp_path):
    place = tmp_path / "new" / "file"
    assert download(server.url, place, sha256=SHA, size=len(BODY)) == SHA
    assert place.read_bytes() == BODY
    assert [p.name for p in place.parent.iterdir()] == ["file"]


def test_a_cut_connection_is_taken_up_where_it_broke(server, tmp_path):
    server.cuts = [1000, 2500]
    assert download(server.url, tmp_path / "file") == SHA
    assert server.asked == [None, "bytes=1000-", "bytes=3500-"]
    assert (tmp_path / "file").read_bytes() == BODY


def test_the_next_call_goes_on_from_what_was_kept(server, tmp_path):
    server.cuts = [700] + [0] * 5
    with pytest.raises(DataError, match=r"the connection was cut\. 700 bytes are kept"):
        download(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert download(server.url, tmp_path / "file", sha256=SHA) == SHA
    assert server.asked[-1] == "bytes=700-"


def test_a_server_without_range_sends_all_anew(server, tmp_path):
    server.ranges, server.cuts = False, [5000]
    assert download(server.url, tmp_path / "file") == SHA
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_file_that_was_complete_already_is_only_checked(server, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY)
    assert download(server.url, tmp_path / "file", sha256=SHA) == SHA


def test_leftovers_longer_than_the_file_are_thrown_away(server, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY + b"more")
    assert download(server.url, tmp_path / "file", sha256=SHA) == SHA


def test_a_file_that_the_user_put_there_is_not_fetched(server, tmp_path):
    (tmp_path / "file").write_bytes(BODY)
    assert download(server.url, tmp_path / "file", sha256=SHA) == SHA
    assert server.asked == []


@pytest.mark.parametrize("wanted", [{"sha256": "0" * 64}, {"size": 5}])
def test_wrong_bytes_are_removed(server, tmp_path, wanted):
    with pytest.raises(DataError, match=r"wanted (is 0000|are 5)"):
        download(server.url, tmp_path / "file", **wanted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_refusal_is_one_clear_error(server, tmp_path, status):
    server.status = status
    with pytest.raises(DataError, match=f"the server says {status}"):
        download(server.url, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_server(tmp_path):
    with Server() as gone:
        url = gone.url
    with pytest.raises(DataError, match=r"cannot be downloaded: .*refused"):
        download(url, tmp_path / "file")


def archive(counts: dict[str, int], extra: dict[str, bytes] | None = None) -> bytes:
    out = io.BytesIO()
    names = {f"facades/{s}/{i}.jpg": b"x" for s, n in counts.items() for i in range(n)}
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in {**names, **(extra or {})}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_facades_are_fetched_once_and_put_in_place_whole(server, tmp_path, monkeypatch):
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path / "cache"))
    server.body = archive(COUNTS)
    server.cuts = [300]
    place = fetch_facades(url=server.url, size=len(server.body))
    assert place == cache_folder() / "facades" == tmp_path / "cache" / "facades"
    assert {s: len(list((place / s).iterdir())) for s in COUNTS} == {"train": 400, "val": 100, "test": 106}
    recorded = (place.parent / "facades.tar.gz.sha256").read_text()
    assert recorded == f"{hashlib.sha256(server.body).hexdigest()}  facades.tar.gz\n"
    asked = len(server.asked)
    assert fetch_facades(url=server.url) == place
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    "body", [archive({"train": 3}), archive(COUNTS)[:-500], b"no archive"], ids=["few", "cut", "junk"]
)
def test_an_archive_that_is_not_the_facades_leaves_no_folder(server, tmp_path, body):
    server.body = body
    with pytest.raises(DataError, match=r"images, not|cannot be unpacked"):
        fetch_facades(tmp_path, url=server.url, size=None)
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]


def test_a_path_that_leads_outside_is_refused(tmp_path):
    (tmp_path / "bad.tar.gz").write_bytes(archive({"train": 1}, {"../../evil.txt": b"!"}))
    with pytest.raises(DataError, match="cannot be unpacked"):
        extract_tar(tmp_path / "bad.tar.gz", tmp_path / "a" / "b", member="facades")
    assert not list(tmp_path.rglob("evil.txt"))
