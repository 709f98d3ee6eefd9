"""A hub that stalls, cuts off, stumbles or refuses in the middle; the `hf` of a real engine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Client
from tests.engine.conftest import Stage
from tests.engine.test_flow import done
from tests.soak.running import Running, left, waited
from tests.support.hub import Handler, Hub

SIZE = 40_000_000
WEIGHTS, LIST = "model.safetensors", "/revision/"


class Faulty(Handler):
    """Goes wrong in one way, and then well: `times` says how often it still will.

    It `cuts` or `stalls` in the middle of the weights, or answers with a status where `place` is
    in the path.
    """

    wrong: str | int = ""
    times = 0
    method, place = "GET", WEIGHTS
    over = threading.Event()

    def is_due(self) -> bool:
        due = Faulty.times > 0 and self.place in self.path and self.command == self.method
        Faulty.times -= due
        return due

    def do_GET(self) -> None:
        if isinstance(self.wrong, int) and self.is_due():
            return self.send(self.wrong)
        super().do_GET()

    do_HEAD = do_GET

    def send_body(self, file: Path, start: int, end: int) -> None:
        if isinstance(self.wrong, int) or not self.is_due():
            return super().send_body(file, start, end)
        super().send_body(file, start, (start + end) // 2)
        if self.wrong == "stalls":
            self.over.wait()
        self.close_connection = True


def goes(wrong: str | int, times: int, method: str = "GET", place: str = WEIGHTS) -> None:
    Faulty.wrong, Faulty.times, Faulty.method, Faulty.place = wrong, times, method, place
    Faulty.over.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub's folder, with one model."""
    folder = tmp_path_factory.mktemp("models")
    model = folder / "org" / "big"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / WEIGHTS).write_bytes(os.urandom(SIZE))
    return folder


@pytest.fixture(scope="module")
def home(stage: Stage) -> Path:
    """The home of a pod that is set up."""
    assert stage.server
    done(stage.client, "setup", *stage.setup)
    return stage.server.home


@pytest.fixture
def client(stage: Stage, home: Path, folder: Path) -> Iterator[Client]:
    """A client whose hub is faulty; nothing of the model is on the pod."""
    entry = {"weights_gb": 0.04, "context": 2048, "heads": 8, "cache": []}
    own = stage.client.state / "models.yaml"
    own.write_text(json.dumps({"models": {"org/big": entry}}))
    shutil.rmtree(home / ".pi/models/hub/models--org--big", ignore_errors=True)
    with Hub(folder) as hub:
        hub.RequestHandlerClass = Faulty
        yield Client(stage.client.home, {"HF_ENDPOINT": hub.url})
        Faulty.over.set()
        assert waited(lambda: not left(home)), left(home)
    own.unlink()
    (stage.client.state / "settings.yaml").unlink(missing_ok=True)


def download(client: Client, **settings: int) -> Running:
    (client.state / "settings.yaml").write_text(json.dumps(settings))
    return Running(client, "models.download", "--model=org/big", "--json")


def complete(downloading: Running, folder: Path) -> None:
    """Wait until the download is over; what came is what the hub has."""
    assert downloading.ended() == 0, downloading.said
    assert Faulty.times == 0, "nothing went wrong"
    print(downloading.said)
    found = json.loads(downloading.out.read_text())
    (came,) = Path(found["folder"]).glob(f"hub/models--org--big/snapshots/*/{WEIGHTS}")
    digests = [
        hashlib.sha256(path.read_bytes()).digest() for path in (came, folder / "org/big" / WEIGHTS)
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("wrong", ["cuts", "stalls"])
@pytest.mark.parametrize("times", [1, 3])
def test_what_breaks_off_in_the_middle_is_resumed(
    client: Client, folder: Path, wrong: str, times: int
) -> None:
    goes(wrong, times)
    complete(download(client), folder)


@pytest.mark.parametrize(
    ("method", "place", "status"),
    [
        *(("GET", WEIGHTS, status) for status in (429, 500, 502, 503)),
        *(("HEAD", WEIGHTS, status) for status in (429, 503)),
        *(("GET", LIST, status) for status in (429, 503)),
    ],
)
def test_a_hub_that_stumbles_is_asked_again(
    client: Client, folder: Path, method: str, place: str, status: int
) -> None:
    goes(status, 2, method, place)
    complete(download(client), folder)


@pytest.mark.parametrize("place", [WEIGHTS, LIST])
@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (429, "the hub refuses more requests from this address for now; wait some minutes"),
        (503, "the hub is in trouble itself: 503 Service Unavailable; start it again in some"),
        (401, "the hub refuses a file of the model: 401 Unauthorized; see on its page"),
        (403, "the hub refuses a file of the model: 403 Forbidden; see on its page"),
        (404, "the hub does not give what it lists: 404 Not Found; check HF_ENDPOINT"),
    ],
)
def test_a_hub_that_never_gets_well_is_the_cause(
    client: Client, wrong: int, cause: str, place: str
) -> None:
    goes(wrong, 99, place=place)
    downloading = download(client)
    assert downloading.ended() == 1
    print(downloading.said)
    assert cause in downloading.error


@pytest.mark.parametrize("wrong", ["cuts", "stalls"])
def test_a_hub_that_breaks_off_for_ever_is_the_cause(client: Client, wrong: str) -> None:
    goes(wrong, 99)
    downloading = download(client)
    assert downloading.ended() == 1
    print(downloading.said)
    assert "the pod does not reach the hub; check its network" in downloading.error


def test_a_hub_that_stalls_is_told(client: Client) -> None:
    goes("stalls", 99)
    downloading = download(client, stall_timeout=5)
    assert downloading.ended() == 1
    print(downloading.said)
    assert "nothing has moved for 5 s" in downloading.error
    assert "the download of org/big was cancelled; what came is kept" in downloading.said
