"""Ask from a pod what it reaches: the hub, the hub's opinion of the token, the package index.

Runs on the pod with any Python 3; the environment has HF_ENDPOINT, HF_TOKEN and INDEX.
"""

import base64
import json
import os
import threading
import urllib.error
import urllib.parse
import urllib.request

HUB = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
INDEX = (os.environ.get("INDEX") or "https://pypi.org/simple").rstrip("/")
TOKEN = os.environ.get("HF_TOKEN", "")
found: dict = {}


def ask(name, base, path, headers=None):
    """Write down the status that an address answers with, or why there is no answer."""
    parts = urllib.parse.urlsplit(base)
    headers = dict(headers or {})
    if parts.username:
        pair = parts.username + ":" + (parts.password or "")
        coded = base64.b64encode(urllib.parse.unquote(pair).encode()).decode()
        headers["Authorization"] = "Basic " + coded
    place = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    status, error = None, None
    try:
        request = urllib.request.Request(place + path, None, headers)
        status = urllib.request.urlopen(request, timeout=8).status
    except urllib.error.HTTPError as answer:
        status = answer.code
    except Exception as problem:
        error = str(getattr(problem, "reason", problem))
    found[name] = {"url": place, "status": status, "error": error}


def main():
    asked = [
        threading.Thread(target=ask, args=("hub", HUB, "/api/models/gpt2")),
        threading.Thread(target=ask, args=("index", INDEX, "/uv/")),
    ]
    if TOKEN:
        bearer = {"Authorization": "Bearer " + TOKEN}
        asked.append(threading.Thread(target=ask, args=("token", HUB, "/api/whoami-v2", bearer)))
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join()
    print(json.dumps(found))


main()
