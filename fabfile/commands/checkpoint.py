"""Print what a checkpoint is: its config.json and the sizes of its files, as one JSON document.

Runs on the pod with the engine's Python; the environment has HF_ENDPOINT and HF_TOKEN. The engine's
transformers adds what a config.json leaves to the defaults of its class. With the words `--bytes
GLOB...` it prints only how many bytes the files take that match none of these, and ends with 1 when
the hub does not answer.
"""

import base64
import fnmatch
import json
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

HUB = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
TOKEN = os.environ.get("HF_TOKEN", "")
MODEL = sys.argv[1]


def fetch(path):
    parts = urllib.parse.urlsplit(HUB)
    headers = {"Authorization": "Bearer " + TOKEN} if TOKEN else {}
    if parts.username:
        pair = urllib.parse.unquote(parts.username + ":" + (parts.password or ""))
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    place = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(place + path, None, headers)
    return json.load(urllib.request.urlopen(request, timeout=15))


def sizes():
    page = fetch(f"/api/models/{MODEL}/tree/main?recursive=true&expand=false")
    files = [file for file in page if file.get("type") == "file"]
    return {file["path"]: (file.get("lfs") or file).get("size", 0) for file in files}


def from_hub():
    files = sizes()
    config = fetch(f"/{MODEL}/resolve/main/config.json") if "config.json" in files else None
    return config, files


def from_folder():
    files = {name: os.path.getsize(os.path.join(MODEL, name)) for name in os.listdir(MODEL)}
    if "config.json" not in files:
        return None, files
    with open(os.path.join(MODEL, "config.json")) as file:
        return json.load(file), files


def completed(config):
    try:
        from transformers import CONFIG_MAPPING  # type: ignore[import-not-found]

        known = CONFIG_MAPPING[config["model_type"]](**config).to_dict()
        return {**known, "architectures": config.get("architectures") or known["architectures"]}
    except Exception:  # a class of its own, or one that this release does not have
        return config


def tell_bytes(globs):
    try:
        files = sizes()
    except urllib.error.HTTPError:
        return 0  # an answer, if only a refusal: hf will say it better
    except urllib.error.URLError as problem:
        # hf brings certificates of its own
        return 0 if isinstance(problem.reason, ssl.SSLError) else 1
    except OSError:
        return 1
    except (ValueError, AttributeError):
        return 0
    print(sum(size for name, size in files.items() if not matches(name, globs)))
    return 0


def matches(name, globs):
    return any(fnmatch.fnmatch(name, glob) for glob in globs)


def main():
    found = {"status": 200, "error": "", "config": None, "files": {}}
    try:
        config, found["files"] = from_folder() if MODEL.startswith("/") else from_hub()
        found["config"] = config and completed(config)
    except urllib.error.HTTPError as answer:
        found["status"] = answer.code
    except FileNotFoundError:
        found["status"] = 404
    except Exception as problem:
        found["status"], found["error"] = 0, str(getattr(problem, "reason", problem))
    print("\n" + json.dumps(found, default=str))


if sys.argv[2:3] == ["--bytes"]:
    sys.exit(tell_bytes(sys.argv[3:]))
main()
