"""A stand-in engine that starts at once, for what is about our side only.

tests/engine runs the real one. This one speaks as much of vLLM's HTTP interface as `ready` needs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def install(root: Path, name: str = "stub", version: str = "9.9.0") -> None:
    """Put the stand-in where setup would have put an engine."""
    venv = root / "engines" / f"{name}-{version}"
    (venv / "bin").mkdir(parents=True)
    for program in ("vllm", "hf"):
        path = venv / "bin" / program
        path.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{__file__}' {program} \"$@\"\n")
        path.chmod(0o755)
    (venv / "bin" / "python").symlink_to(sys.executable)
    (venv / "podfab-engine").write_text(version + "\n")
    (venv.parent / name).symlink_to(venv.name)


def piece(**delta: str) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


WORDS = {"role": "assistant", "content": "I am a stand-in."}
WHOLE = json.dumps({"choices": [{"index": 0, "message": WORDS, "finish_reason": "stop"}]}).encode()
ANSWER = piece(content="I am ") + piece(content="a stand-in.") + piece() + b"data: [DONE]\n\n"


METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
vllm:num_requests_running{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.4125
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    busy = False

    def log_message(self, *arguments: object) -> None:
        """The log is for what a test prints."""

    def do_GET(self) -> None:
        metrics = self.path == "/metrics" and self.busy
        body = METRICS.encode() if metrics else b""
        self.send_response(200 if metrics or self.path == "/health" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = os.environ["VLLM_API_KEY"]
        allowed = self.headers.get("Authorization") == f"Bearer {key}"
        body = b"{}" if allowed else b'{"error":"Unauthorized"}'
        if allowed and self.path == "/v1/chat/completions":
            body = ANSWER if asked.get("stream") else WHOLE
        self.send_response(200 if allowed else 401)
        if body is ANSWER:
            self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(words: list[str]) -> None:
    """Serve as `vllm serve` would; the model's name says what goes wrong."""
    print(json.dumps({"args": words, "visible": os.environ.get("CUDA_VISIBLE_DEVICES")}))
    if "--crash" in words:
        sys.exit("ValueError: No available memory for the cache blocks. Try more.")
    if "--never-ready" in words:
        print("Starting to load model", flush=True)
        time.sleep(600)
    if "--deaf" in words:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--busy" in words:
        Handler.busy = True
        now = f"{datetime.now():%m-%d %H:%M:%S}"
        print(
            f"(APIServer pid=1) INFO {now} [loggers.py:273] Engine 000: Avg prompt throughput: "
            "3.6 tokens/s, Avg generation throughput: 48.2 tokens/s, Running: 2 reqs",
            flush=True,
        )
    if "--child" in words:
        subprocess.Popen(["sleep", "600"])
    if "--leave-behind" in words:  # a process that hides, but for its use of the GPU
        hidden = subprocess.Popen(["sleep", "600"], env={}, start_new_session=True)
        (Path.home() / "computes").write_text(f"{hidden.pid}\n")
    port = int(words[words.index("--port") + 1])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def fetch(folder: str) -> None:
    """Bring a megabyte, and the rest once somebody has made the file `gate`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / "part").write_bytes(bytes(1_000_000))
    while not (Path.home() / "gate").exists():
        time.sleep(0.05)
    (Path(folder) / "rest").write_bytes(bytes(1_000_000))


if __name__ == "__main__":
    if sys.argv[1] == "vllm":
        serve(sys.argv[2:])
    elif "missing" in sys.argv[3]:
        sys.exit(f"Error: Model '{sys.argv[3]}' not found.")
    elif "stumbling" in sys.argv[3] and not Path("stumbled").exists():
        Path("stumbled").touch()
        sys.exit("Error: Server error '503 Service Unavailable' for url 'http://hub/x'")
    elif "slow" in sys.argv[3]:
        fetch(Path("weights").read_text().strip())
