"""The Hub's HTTP API on loopback, as far as the real client asks for it: repositories in memory, faults on demand.

with HubServer() as hub:
    hub.url, hub.tokens["hf_writer"]      # address; token -> user
    hub.faults["model.safetensors"] = Cut(after=1000)
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hub_faults import Cut, Fail, Fault, Hang, Headers, Reply, Truncate, hang_up


@dataclass
class File:
    content: bytes
    lfs: bool

    @property
    def blob_id(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.blob_id


Tree = dict[str, File]


@dataclass
class Repo:
    owner: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Tree] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, tree: Tree, message: str, ref: str = "main") -> str:
        parent = self.refs.get(ref, "")
        listing = sorted((path, file.etag) for path, file in tree.items())
        sha = hashlib.sha1(json.dumps([parent, message, listing, len(self.commits)]).encode()).hexdigest()
        self.commits[sha], self.refs[ref] = tree, sha
        self.messages.append(message)
        return sha

    def resolve(self, revision: str) -> str | None:
        if revision in self.commits:
            return revision
        return self.refs.get(revision)


class HubServer:
    """A Hub with one user, `alice`, who may write with `hf_alice`; `hf_bob` is another's."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.tokens = {"hf_alice": "alice", "hf_bob": "bob"}
        self.lfs: dict[str, bytes] = {}
        self.faults: dict[str, Fault] = {}
        """File name, or part of the path of an API call -> what goes wrong there."""
        self.requests: list[tuple[str, str]] = []
        self.sent: list[Message] = []
        """Headers of the requests."""
        hub = self

        class Bound(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for fault in self.faults.values():
            if isinstance(fault, Hang):
                fault.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, repo_id: str, files: dict[str, bytes], **options: Any) -> Repo:
        """Put a repository there without a client."""
        repo = self.repos.setdefault(repo_id, Repo(owner=repo_id.split("/")[0], **options))
        tree = {name: File(content, name.endswith(".safetensors")) for name, content in files.items()}
        repo.commit(tree, "add")
        return repo


class _Refused(Exception):
    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    server_hub: HubServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each call costs 40 ms

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._route()

    do_HEAD = do_POST = do_PUT = do_GET

    # ------------------------------------------------------------------------------------------------- plumbing

    def _route(self) -> None:
        split = urlsplit(self.path)
        self.query = parse_qs(split.query)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server_hub.sent.append(self.headers)
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            self.body = self._read_chunks()
        self.server_hub.requests.append((self.command, unquote(split.path)))
        try:
            for part, fault in self.server_hub.faults.items():
                if part not in unquote(split.path):
                    continue
                if isinstance(fault, Fail):
                    raise _Refused(fault.status, "a fault was asked for", fault.code)
                if isinstance(fault, Reply):
                    fault.send(self)
                    return
                if isinstance(fault, Hang) and fault.head:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n"[: fault.after])
                    fault.wait()
                    hang_up(self)
                    return
            for method, pattern, handler in ROUTES:
                match = re.fullmatch(pattern, split.path)
                if match and self.command in method:
                    handler(self, *map(unquote, match.groups()))
                    return
            raise _Refused(404, f"no such call: {self.command} {split.path}")
        except _Refused as refused:
            headers = {"X-Error-Message": str(refused)} | ({"X-Error-Code": refused.code} if refused.code else {})
            self._json({"error": str(refused)}, refused.status, headers)

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(data).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    # ---------------------------------------------------------------------------------------------- permission

    def _user(self) -> str | None:
        authorization = self.headers.get("Authorization")
        if authorization is None:
            return None
        user = self.server_hub.tokens.get(authorization.removeprefix("Bearer "))
        if user is None:
            raise _Refused(401, "Invalid credentials in Authorization header")
        return user

    def _repo(self, repo_id: str, write: bool = False) -> Repo:
        user = self._user()
        repo = self.server_hub.repos.get(repo_id)
        if repo is None or (repo.private and user != repo.owner):
            # as the Hub does: who is not logged in does not learn whether it exists
            raise _Refused(404 if user else 401, "Repository not found", "RepoNotFound")
        if repo.gated and user != repo.owner:
            raise _Refused(403, f"Access to model {repo_id} is restricted", "GatedRepo")
        if write and user != repo.owner:
            raise _Refused(403 if user else 401, f"You don't have the rights to write to {repo_id}")
        return repo

    def _tree(self, repo: Repo, revision: str) -> tuple[str, Tree]:
        sha = repo.resolve(revision)
        if sha is None:
            raise _Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha, repo.commits[sha]

    # --------------------------------------------------------------------------------------------------- calls

    def whoami(self) -> None:
        user = self._user()
        if user is None:
            raise _Refused(401, "Invalid username or password.")
        token = {"type": "access_token", "accessToken": {"displayName": "t", "role": "write"}}
        self._json({"name": user, "type": "user", "orgs": [], "auth": token})

    def create_repo(self) -> None:
        user, asked = self._user(), json.loads(self.body)
        owner = asked.get("organization") or user
        repo_id = f"{'spaces/' * (asked.get('type') == 'space')}{owner}/{asked['name']}"
        url = f"{self.server_hub.url}/{repo_id}"
        if user is None:
            raise _Refused(401, "Invalid username or password.")
        if owner != user:
            raise _Refused(403, f"You don't have the rights to create a model under the namespace {owner!r}")
        if repo_id in self.server_hub.repos:
            self._json({"error": "You already created this model repo", "url": url}, 409)
            return
        repo = self.server_hub.repos[repo_id] = Repo(owner, private=asked.get("visibility") == "private")
        repo.commit({}, "initial commit")
        self._json({"url": url})

    def create_branch(self, repo_id: str, branch: str) -> None:
        repo = self._repo(repo_id, write=True)
        if branch in repo.refs:
            raise _Refused(409, "Reference already exists")
        repo.refs[branch] = repo.refs["main"]
        self._json({})

    def validate_yaml(self) -> None:
        self._json({"warnings": [], "errors": []})

    def preupload(self, repo_id: str, revision: str) -> None:
        repo = self._repo(repo_id, write="create_pr" not in self.query)
        _, tree = self._tree(repo, revision)
        answers = []
        for file in json.loads(self.body)["files"]:
            lfs = file["path"].endswith(".safetensors") or file["size"] > 10_000_000
            known = tree.get(file["path"])
            answers.append(
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if lfs else "regular",
                    "shouldIgnore": False,
                    "oid": known.etag if known else None,
                }
            )
        self._json({"files": answers})

    def lfs_batch(self, repo_id: str) -> None:
        self._repo(repo_id)
        base = f"{self.server_hub.url}/lfs"
        objects: list[dict[str, Any]] = []
        for wanted in json.loads(self.body)["objects"]:
            answer = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.server_hub.lfs:
                links = {"upload": f"{base}/{wanted['oid']}", "verify": f"{base}/verify"}
                answer["actions"] = {name: {"href": href} for name, href in links.items()}
            objects.append(answer)
        self._json({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise _Refused(400, "the content does not have the hash that was announced")
        self.server_hub.lfs[oid] = self.body
        self._send(b"")

    def lfs_verify(self) -> None:
        asked = json.loads(self.body)
        content = self.server_hub.lfs.get(asked["oid"])
        if content is None or len(content) != asked["size"]:
            raise _Refused(404, "the object was not uploaded")
        self._json({})

    def commit(self, repo_id: str, revision: str) -> None:
        as_pr = "create_pr" in self.query
        repo = self._repo(repo_id, write=not as_pr)
        _, tree = self._tree(repo, revision)
        tree, message = dict(tree), ""
        for line in self.body.splitlines():
            item = json.loads(line)
            key, value = item["key"], item["value"]
            if key == "header":
                message = value["summary"]
            elif key == "file":
                tree[value["path"]] = File(base64.b64decode(value["content"]), lfs=False)
            elif key == "lfsFile":
                tree[value["path"]] = File(self.server_hub.lfs[value["oid"]], lfs=True)
            elif key == "deletedFile":
                tree.pop(value["path"])
            elif key == "deletedFolder":
                tree = {p: f for p, f in tree.items() if not p.startswith(value["path"].rstrip("/") + "/")}
        number = 1 + sum(ref.startswith("refs/pr/") for ref in repo.refs)
        sha = repo.commit(tree, message, f"refs/pr/{number}" if as_pr else revision)
        address = f"{self.server_hub.url}/{repo_id}"
        answer = {"success": True, "commitOid": sha, "commitUrl": f"{address}/commit/{sha}"}
        self._json(answer | ({"pullRequestUrl": f"{address}/discussions/{number}"} if as_pr else {}))

    def info(self, repo_id: str, revision: str = "main") -> None:
        repo = self._repo(repo_id)
        sha, tree = self._tree(repo, revision)
        siblings: list[dict[str, Any]] = []
        for path, file in tree.items():
            entry: dict[str, Any] = {"rfilename": path}
            if "blobs" in self.query:
                entry |= {"size": len(file.content), "blobId": file.blob_id}
                if file.lfs:
                    entry["lfs"] = {"sha256": file.sha256, "size": len(file.content), "pointerSize": 134}
            siblings.append(entry)
        self._json({"id": repo_id, "modelId": repo_id, "sha": sha, "private": repo.private, "siblings": siblings})

    def tree(self, repo_id: str, revision: str) -> None:
        _, tree = self._tree(self._repo(repo_id), revision)
        entries: list[dict[str, Any]] = []
        for path, file in tree.items():
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(file.content), "oid": file.blob_id}
            if file.lfs:
                entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": 134}
            entries.append(entry)
        self._json(entries)

    def resolve(self, repo_id: str, revision: str, path: str) -> None:
        sha, tree = self._tree(self._repo(repo_id), revision)
        if path not in tree:
            raise _Refused(404, f"{path} does not exist on {revision}", "EntryNotFound")
        file, fault = tree[path], self.server_hub.faults.get(path)
        body = file.content
        announced = fault.size if isinstance(fault, Truncate) and fault.lie_in_head else len(body)
        headers = {"X-Repo-Commit": sha, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
        if file.lfs:
            headers |= {"X-Linked-ETag": f'"{file.etag}"', "X-Linked-Size": str(announced)}
        if isinstance(fault, Headers):
            headers |= fault.headers
        if self.command == "HEAD":
            self._send(b"", 200, {**headers, "Content-Length": str(announced)})
            return
        if isinstance(fault, Truncate):
            body = body[: fault.size]
        status, start = 200, 0
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            status, start = 206, int(match[1])
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body = body[start:]
        if isinstance(fault, Cut) and fault.times > 0:
            fault.times -= 1
            self._cut(body, max(0, fault.after - start), status, headers)
            return
        if isinstance(fault, Hang):
            self._cut(body, max(0, fault.after - start), status, headers, fault)
            return
        self._send(body, status, headers)

    def _cut(self, body: bytes, after: int, status: int, headers: dict[str, str], hang: Hang | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:after])
        if hang:
            self.wfile.flush()
            hang.wait()
        hang_up(self)


REPO, REST = r"([^/]+/[^/]+)", r"([^/]+)"
ROUTES: list[tuple[tuple[str, ...], str, Callable[..., None]]] = [
    (("GET",), "/api/whoami-v2", _Handler.whoami),
    (("POST",), "/api/repos/create", _Handler.create_repo),
    (("POST",), "/api/validate-yaml", _Handler.validate_yaml),
    (("POST",), f"/api/models/{REPO}/branch/{REST}", _Handler.create_branch),
    (("POST",), f"/api/models/{REPO}/preupload/{REST}", _Handler.preupload),
    (("POST",), f"/api/models/{REPO}/commit/{REST}", _Handler.commit),
    (("GET",), f"/api/models/{REPO}", _Handler.info),
    (("GET",), f"/api/models/{REPO}/revision/{REST}", _Handler.info),
    (("GET",), f"/api/models/{REPO}/tree/{REST}", _Handler.tree),
    (("POST",), rf"/{REPO}\.git/info/lfs/objects/batch", _Handler.lfs_batch),
    (("PUT",), "/lfs/([0-9a-f]{64})", _Handler.lfs_put),
    (("POST",), "/lfs/verify", _Handler.lfs_verify),
    (("GET", "HEAD"), f"/{REPO}/resolve/{REST}/(.+)", _Handler.resolve),
]
SPACE = r"(spaces/[^/]+/[^/]+)"
ROUTES += [
    (
        methods,
        pattern.replace(f"/api/models/{REPO}", f"/api/{SPACE}").replace(rf"/{REPO}\.git", rf"/{SPACE}\.git"),
        call,
    )
    for methods, pattern, call in ROUTES
    if "/api/models" in pattern or ".git" in pattern
]


@contextmanager
def connected(monkeypatch: Any) -> Iterator[HubServer]:
    """A server that the real client talks to, without waiting between its retries; their number stays its own."""
    import huggingface_hub
    from huggingface_hub import constants

    with HubServer() as server:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        no_wait = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
        monkeypatch.setattr("huggingface_hub.file_download.time", no_wait)
        monkeypatch.setattr("huggingface_hub.utils._http.time", no_wait)
        yield server
    huggingface_hub.close_session()


@contextmanager
def never_slept(monkeypatch: Any) -> Iterator[HubServer]:
    """A connected server, asked with a token by who never sleeps."""
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"slept {seconds} s"))
    with connected(monkeypatch) as server:
        monkeypatch.setenv("HF_TOKEN", "hf_alice")
        yield server


@contextmanager
def nothing_beside(folder: Path) -> Iterator[Path]:
    """A cache deep in an empty folder, to which nothing else is written."""
    cache = folder / "a" / "b" / "c" / "cache"
    yield cache
    assert [p for p in folder.rglob("*") if cache not in (p, *p.parents) and p not in cache.parents] == []
