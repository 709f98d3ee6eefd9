"""Stand in for vLLM: /health, /metrics, a completion and a streamed chat on each of some ports.

python standin.py [--after SECONDS] PORT...
"""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
)


class Handler(BaseHTTPRequestHandler):
    """Answer what podfab asks of a server."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes, and Nagle would hold the second back for an ACK.
    disable_nagle_algorithm = True

    def handle(self) -> None:
        # The health check reads one line and hangs up.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Stay silent, for nobody reads it."""

    def do_GET(self) -> None:
        self.send(METRICS.encode() if self.path == "/metrics" else b"")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked.get("stream"):
            self.stream()
        else:
            choice = {"index": 0, "text": "1", "finish_reason": "length"}
            self.send(json.dumps({"choices": [choice]}).encode())

    def send(self, body: bytes) -> None:
        """Send one whole answer."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        """Send a chat answer token by token."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(TOKENS):
            choice = {"index": 0, "delta": {"content": f"{number} "}, "finish_reason": None}
            event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
            self.chunk(f"data: {json.dumps({**event, 'choices': [choice]})}\n\n")
        self.chunk("data: [DONE]\n\n")
        self.chunk("")

    def chunk(self, text: str) -> None:
        """Send one chunk; the empty one ends the answer."""
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())


class Server(ThreadingHTTPServer):
    """Listens on a port of loopback."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until ended; print since when answers can be had."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--after", type=float, default=0, metavar="SECONDS")
    parser.add_argument("ports", type=int, nargs="+", metavar="PORT")
    args = parser.parse_args()
    time.sleep(args.after)
    servers = [Server(port) for port in args.ports]
    print(f"answers since {time.time()}", flush=True)
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
