"""An OpenAI-compatible server that says what a script tells it to, over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Chunk = dict[str, Any]
Turn = Callable[["Handler"], None]


def piece(finish: str | None = None, **delta: Any) -> Chunk:
    """A chunk of a stream, as vLLM sends it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m",
            "choices": [choice]}  # fmt: skip


def call(index: int | None, id_: str | None, name: str | None, arguments: str | None) -> Chunk:
    """A piece of a tool call; what is None is left out."""
    function = {"name": name, "arguments": arguments}
    part = {"index": index, "id": id_, "type": "function",
            "function": {k: v for k, v in function.items() if v is not None}}  # fmt: skip
    return piece(tool_calls=[{k: v for k, v in part.items() if v is not None}])


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
END = {**piece(), "choices": [], "usage": USAGE}


def says(*texts: str, finish: str = "stop") -> Turn:
    """Answer with these pieces of text."""
    return streams([piece(content=text) for text in texts] + [piece(finish), END])


def calls(*made: tuple[str, str], before: Iterable[Chunk] = ()) -> Turn:
    """Call tools: name and arguments of each."""
    parts = [call(i, f"c{i}", name, arguments) for i, (name, arguments) in enumerate(made)]
    return streams([*before, *parts, piece("tool_calls"), END])


def streams(chunks: Iterable[Chunk], pause: float = 0, done: bool = True) -> Turn:
    """Stream these chunks, as many bytes as they are; without `done` the stream is cut off."""

    def turn(handler: Handler) -> None:
        handler.begin("text/event-stream")
        for chunk in chunks:
            handler.chunk(f"data: {json.dumps(chunk)}\n\n".encode())
            time.sleep(pause)
        if done:
            handler.chunk(b"data: [DONE]\n\n")
            handler.chunk(b"")
        else:
            handler.close_connection = True

    return turn


def refuses(status: int, message: str, **headers: str) -> Turn:
    """Answer with an error, as vLLM words them."""
    return lambda handler: handler.whole(
        status, json.dumps({"error": {"message": message, "code": status}}).encode(),
        "application/json", headers)  # fmt: skip


def sends(body: bytes, kind: str) -> Turn:
    """Answer with something that is no stream."""
    return lambda handler: handler.whole(200, body, kind, {})


class Scripted(ThreadingHTTPServer):
    """Takes the next turn of the script for each chat completion; `asked` are the requests."""

    daemon_threads = True

    def __init__(self, *script: Turn) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = list(script)
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> Scripted:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Says the next turn."""

    server: Scripted
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        models = {"object": "list", "data": [{"id": "m", "object": "model", "created": 0,
                                              "owned_by": "vllm"}]}  # fmt: skip
        self.whole(200, json.dumps(models).encode(), "application/json", {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        self.server.script.pop(0)(self)

    def whole(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self, kind: str) -> None:
        """Begin a streamed answer."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """Send a piece of it; an empty one ends it."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
