"""Serve a folder of models to `hf` and vLLM the way huggingface.co does.

`python hub.py FOLDER` prints the address to set as HF_ENDPOINT and serves FOLDER/org/name.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

# No name begins with a dot: neither ".." nor a half-made folder beside a model is one.
REPO = r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)"
API = re.compile(rf"/api/models/{REPO}(?:/(?P<call>revision|tree)/(?P<rev>[^/]+))?")
FILE = re.compile(rf"/{REPO}/(?P<call>resolve)/(?P<rev>[^/]+)/(?P<name>.+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Hub(ThreadingHTTPServer):
    """Serve the models below a folder on 127.0.0.1 for as long as a with block runs."""

    def __init__(
        self, folder: str | Path, gated: Collection[str] = (), token: str = "", port: int = 0
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.folder, self.gated, self.token = Path(folder).resolve(), frozenset(gated), token
        self.requests: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def sizes(self, repo: str) -> dict[str, int]:
        """Return the files of a repository, less the links that lead out of the folder."""
        root = self.folder / repo
        return {
            path.relative_to(root).as_posix(): path.stat().st_size
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.resolve().is_relative_to(self.folder)
        }


class Handler(BaseHTTPRequestHandler):
    """Answer the hub calls that a download makes."""

    server: Hub
    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes, and Nagle would hold the second back for an ACK.
    disable_nagle_algorithm = True

    def handle(self) -> None:
        # Tests end downloads half way, which is no error of the hub.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Stay silent, since Hub.requests is the log."""

    def do_GET(self) -> None:
        self.server.requests.append((self.command, self.path))
        path = unquote(urlsplit(self.path).path)
        if path == "/api/whoami-v2":
            return self.send(200 if self.authorized() else 401)
        if not (call := API.fullmatch(path) or FILE.fullmatch(path)):
            return self.send(404)
        repo, rev = call["repo"], call["rev"]
        sizes = self.server.sizes(repo)
        sha = digest(sizes)
        gated = repo in self.server.gated
        if not sizes:
            # Without a token the real one hides whether a repository is there.
            self.send(404 if self.authorized() else 401, {"X-Error-Code": "RepoNotFound"})
        elif rev not in (None, "main", sha):
            self.send(404, {"X-Error-Code": "RevisionNotFound"})
        elif call["call"] == "tree":
            deep = "recursive=true" in self.path.lower()
            names = [name for name in sizes if deep or "/" not in name]
            files = [{"path": name, "size": sizes[name]} for name in names]
            self.send_json([{"type": "file", "oid": digest(file), **file} for file in files])
        elif call["call"] != "resolve":
            info = {"id": repo, "sha": sha, "private": False, "gated": "manual" if gated else False}
            self.send_json({**info, "siblings": [{"rfilename": name} for name in sizes]})
        elif gated and not self.authorized():
            self.send(403, {"X-Error-Code": "GatedRepo"})
        elif (name := call["name"]) not in sizes:
            self.send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
        else:
            etag = digest({"path": name, "size": sizes[name]})
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": sha}
            self.send_file(self.server.folder / repo / name, sizes[name], headers)

    do_HEAD = do_GET

    def authorized(self) -> bool:
        """Tell whether the request carries the hub's token."""
        token = self.server.token
        return bool(token) and self.headers["Authorization"] == f"Bearer {token}"

    def send_file(self, file: Path, size: int, headers: dict[str, str]) -> None:
        """Send a file, or the part of it that the request asks for."""
        status, start, end = 200, 0, size
        if part := RANGE.fullmatch(self.headers["Range"] or ""):
            status, start = 206, int(part[1])
            end = min(int(part[2]) + 1, size) if part[2] else size
            if start >= end:
                return self.send(416, {"Content-Range": f"bytes */{size}"})
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self.send(status, headers, end - start)
        if self.command == "GET" and start < end:
            self.send_body(file, start, end)

    def send_body(self, file: Path, start: int, end: int) -> None:
        """Send a part of a file; what goes wrong in the middle is a test's to add."""
        with file.open("rb") as data:
            self.connection.sendfile(data, start, end - start)

    def send_json(self, value: object) -> None:
        """Send a value as JSON."""
        body = json.dumps(value).encode()
        self.send(200, {"Content-Type": "application/json"}, len(body))
        if self.command == "GET":
            self.wfile.write(body)

    def send(self, status: int, headers: dict[str, str] | None = None, length: int = 0) -> None:
        """Send the status line and the headers of an answer whose body has this length."""
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()


def digest(value: object) -> str:
    """Return 40 hex digits that stand for a value, like the hub's commit and blob ids."""
    return hashlib.sha1(json.dumps(value).encode()).hexdigest()


def main() -> None:
    """Serve a folder until interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--gated", nargs="*", default=[], metavar="ORG/NAME")
    parser.add_argument("--token", default="")
    args = parser.parse_args()
    hub = Hub(args.folder, args.gated, args.token, args.port)
    print(hub.url, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        hub.serve_forever()


if __name__ == "__main__":
    main()
