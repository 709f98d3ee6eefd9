"""Wait beside a starting server until it gives one real answer, then write the file `ready`.

Runs on the pod, with the engine's Python and the run's environment. /health alone is no proof: a
server was seen to answer 200 there and die on its first request.
"""

import http.client
import json
import os
import sys
import time

RUN, PORT, NAME, TASK = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
SMALLEST: dict[str, tuple[str, dict[str, object]]] = {
    "generate": ("/v1/completions", dict(prompt="1", max_tokens=1)),
    "embed": ("/v1/embeddings", dict(input="1")),
    "rerank": ("/rerank", dict(query="1", documents=["1"])),
}


def answer(method, path, body=None, timeout=5):
    """Return the status of one request, 0 when nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)
    headers = {
        "Authorization": "Bearer " + os.environ.get("VLLM_API_KEY", ""),
        "Content-Type": "application/json",
    }
    try:
        connection.request(method, path, body and json.dumps(body), headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def is_ours():
    """Tell whether what listens on the port is of this run's session, not another server."""
    sockets = set()
    for table in filter(os.path.exists, ("/proc/net/tcp", "/proc/net/tcp6")):
        with open(table) as lines:
            for line in lines:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == PORT:
                    sockets.add(f"socket:[{fields[9]}]")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) != os.getsid(0):
                continue
            handles = os.listdir(f"/proc/{pid}/fd")
            if any(os.readlink(f"/proc/{pid}/fd/{handle}") in sockets for handle in handles):
                return True
        except OSError:  # it ended meanwhile
            continue
    return False


def main():
    path, body = SMALLEST[TASK]
    server = os.getppid()
    while answer("GET", "/health") != 200 or not is_ours():
        if os.getppid() != server:
            return  # it ended before it was ready
        time.sleep(0.2)
    said = 200
    while os.getppid() == server:
        status = answer("POST", path, {"model": NAME, **body}, timeout=600)
        if status == 200:
            return tell()
        if status != said:  # once: a log that grows by itself would look like progress
            print(f"[podfab] the first request got {status or 'no answer'}", flush=True)
        said = status
        time.sleep(1)


def tell():
    """Write the file by which the pod and its clients know."""
    with open(RUN + "/ready.new", "w") as file:
        file.write(f"{PORT}\n")
    os.rename(RUN + "/ready.new", RUN + "/ready")
    print("[podfab] ready", flush=True)


main()
