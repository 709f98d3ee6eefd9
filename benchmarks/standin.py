"""Stand in for vLLM: /health, /metrics, a completion and a streamed chat on a port.

python standin.py [--after SECONDS] PORT
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from socketserver import StreamRequestHandler, ThreadingTCPServer

TOKENS = 20
# As many lines as vLLM 0.32.0 has, most of them of histograms.
METRICS = "".join(
    [
        *(
            f'vllm:histogram_{n % 12}_bucket{{engine="0",le="{n}.0",model_name="m"}} {n}.0\n'
            for n in range(620)
        ),
        'vllm:num_requests_running{engine="0",model_name="m"} 1.0\n',
        'vllm:num_requests_waiting{engine="0",model_name="m"} 0.0\n',
        'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25\n',
    ]
).encode()


class Handler(StreamRequestHandler):
    """Answer what podfab asks of a server, at little cost: here it shares the pod's cores."""

    # Head and body leave in two writes, and Nagle would hold the second back for an ACK.
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := self.rfile.readline():
                method, path, version = line.decode().split()
                self.answer(method, path)
                if version == "HTTP/1.0":
                    return

    def answer(self, method: str, path: str) -> None:
        """Answer one request of a connection."""
        length = 0
        while (header := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if method == "GET":
            self.send(METRICS if path == "/metrics" else b"")
        else:
            self.complete(json.loads(self.rfile.read(length)))

    def complete(self, asked: dict[str, object]) -> None:
        """Answer a completion, whole or streamed."""
        if asked.get("stream"):
            self.stream()
        else:
            choice = {"index": 0, "text": "1", "finish_reason": "length"}
            self.send(json.dumps({"choices": [choice]}).encode())

    def send(self, body: bytes) -> None:
        """Send one whole answer."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def stream(self) -> None:
        """Send a chat answer token by token."""
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for number in range(TOKENS):
            finish = "stop" if number == TOKENS - 1 else None
            choice = {"index": 0, "delta": {"content": f"{number} "}, "finish_reason": finish}
            event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
            self.chunk(f"data: {json.dumps({**event, 'choices': [choice]})}\n\n")
        self.chunk("data: [DONE]\n\n")
        self.chunk("")

    def chunk(self, text: str) -> None:
        """Send one chunk; the empty one ends the answer."""
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())


class Server(ThreadingTCPServer):
    """Listens on a port of loopback."""

    daemon_threads = allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until ended; print since when answers can be had."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--after", type=float, default=0, metavar="SECONDS")
    parser.add_argument("port", type=int, metavar="PORT")
    args = parser.parse_args()
    time.sleep(args.after)
    server = Server(args.port)
    print(f"answers since {time.time()}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
