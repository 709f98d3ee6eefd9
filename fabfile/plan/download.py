"""What must hold before the weights are fetched: room for them, and the right to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..records.entries import Model
from .checks import Check
from .facts import Facts
from .fit import gb


@dataclass(frozen=True)
class Download:
    """What is fetched: a model without the files that match `exclude`, and where it goes.

    Empty are the main revision, and the cache in HF_HOME.
    """

    model: str
    exclude: list[str] = field(default_factory=list)
    revision: str = ""
    cache: str = ""

    @staticmethod
    def of(name: str, model: Model, extra: Mapping[str, Sequence[str]]) -> Download:
        """Return the download that vLLM's further arguments ask for."""
        revision, cache = extra.get("revision"), extra.get("download-dir")
        return Download(name, model.exclude, " ".join(revision or []), " ".join(cache or []))

    @property
    def needed(self) -> bool:
        """A folder on the pod is served as it lies there."""
        return not self.model.startswith("/")

    @property
    def words(self) -> list[str]:
        """What `hf download` is told beside the model."""
        words = [word for glob in self.exclude for word in ("--exclude", glob)]
        if self.revision:
            words += ["--revision", self.revision]
        return [*words, "--cache-dir", self.cache] if self.cache else words


def checks(model: Model, download: Download, facts: Facts, token: bool) -> list[Check]:
    """Check what a download needs; `token`: the client exports HF_TOKEN."""
    if not download.needed:
        return []
    # The facts know the disk of the pod's own cache, no other.
    disk = [] if download.cache else _disk(model, facts)
    return [*disk, *_gated(model, download.model, facts, token)]


def _disk(model: Model, facts: Facts) -> list[Check]:
    """Check that what is not there yet of the weights has room where it goes."""
    if not model.weights_gb or facts.models_free_mib is None:
        return []
    left = 0.0 if _fetched(model, facts) else model.weights_gb - gb(facts.weights_mib)
    free = gb(facts.models_free_mib)
    detail = (
        f"{left:.1f} of {model.weights_gb:g} GB are still to be downloaded, {free:.1f} GB are free "
        f"in {facts.models_path}"
    )
    if left <= free:
        return [Check("disk", True, detail)]
    fix = "inv pods.clean frees some, or set the pod up with --models-path on a bigger disk"
    return [Check("disk", False, f"{detail}; {fix}")]


def _gated(model: Model, name: str, facts: Facts, token: bool) -> list[Check]:
    """Check that a gated model comes with a token, unless its weights are there."""
    if not model.gated:
        return []
    if _fetched(model, facts):
        return [Check("gated", True, "its weights are on the pod")]
    if token or facts.token:
        return [Check("gated", True, "HF_TOKEN is there; the hub says whether it may")]
    page = f"https://huggingface.co/{name}"
    return [Check("gated", False, f"accept its licence at {page}, then export HF_TOKEN=hf_...")]


def _fetched(model: Model, facts: Facts) -> bool:
    """Tell whether the weights are on the disk; some entries say what they take in memory."""
    return gb(facts.weights_mib) >= 0.9 * (model.weights_gb or 0) > 0
