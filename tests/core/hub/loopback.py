"""A hub on this machine that speaks as much of the protocol as a download needs, and misbehaves when told to."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
REPOSITORY = "someone/tagger-v3"


def git_digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Request(BaseHTTPRequestHandler):
    """One request; `hub` is the hub it was sent to."""

    hub: "Hub"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hub.asked.append((self.command, self.path, dict(self.headers)))
        path = unquote(urlsplit(self.path).path)
        if self.hub.trouble and self.hub.trouble(self, path):
            return
        if path.startswith(f"/api/models/{REPOSITORY}"):
            self.say(200, json.dumps(self.hub.listing()).encode(), {"Content-Type": "application/json"})
        elif found := re.fullmatch(rf"/{REPOSITORY}/resolve/(?:{COMMIT}|main)/(.+)", path):
            self.give(found[1])
        else:
            self.refuse(404, "RepoNotFound")

    do_HEAD = do_GET  # noqa: N815

    def give(self, name: str) -> None:
        """A file of the repository, from the byte that was asked for."""
        content = self.hub.files[name]
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.hub.ranges else 0
        headers = {"ETag": f'"{self.hub.digest(name)}"', "X-Repo-Commit": COMMIT, "Content-Type": self.hub.kind}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.say(206 if start else 200, content[start:], headers)

    def say(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        for at in range(0, len(content), self.hub.piece):
            if self.hub.cut_after is not None and self.hub.sent >= self.hub.cut_after and len(content) > self.hub.piece:
                self.hub.cut_after = None if self.hub.cuts <= 1 else self.hub.sent + self.hub.cut_every
                self.hub.cuts -= 1
                self.close_connection = True
                return
            self.wfile.write(content[at : at + self.hub.piece])
            if len(content) > self.hub.piece:
                self.hub.sent += len(content[at : at + self.hub.piece])
                time.sleep(self.hub.pause)

    def refuse(self, status: int, code: str = "", message: str = "") -> None:
        self.say(status, b"{}", {"X-Error-Code": code, "X-Error-Message": message})

    def log_message(self, *_arguments: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            super().handle()


Trouble = Callable[[Request, str], bool | None]


class Hub:
    """What it holds, how it behaves, and what it was asked."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.large = {name for name, content in files.items() if len(content) > 1000}
        self.says: dict[str, object] = {}
        self.only_names = False
        self.ranges = True
        self.kind = "application/octet-stream"
        self.trouble: Trouble | None = None
        self.piece, self.pause = 1 << 16, 0.0
        self.cut_after: int | None = None
        self.cut_every, self.cuts = 0, 1
        self.sent = 0
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        handler = type("Handler", (Request,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def digest(self, name: str) -> str:
        content = self.files[name]
        return hashlib.sha256(content).hexdigest() if name in self.large else git_digest(content)

    def listing(self) -> dict[str, object]:
        siblings = []
        for name, content in self.files.items():
            entry: dict[str, object] = {"rfilename": name}
            if not self.only_names:
                entry |= {"size": len(content), "blobId": git_digest(content)}
                if name in self.large:
                    entry["lfs"] = {"sha256": self.digest(name), "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        return {"id": REPOSITORY, "modelId": REPOSITORY, "sha": COMMIT, "siblings": siblings, **self.says}

    def gets(self, name: str) -> list[dict[str, str]]:
        """The headers of every request for a file's content."""
        return [headers for method, path, headers in self.asked if method == "GET" and path.endswith(f"/{name}")]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
