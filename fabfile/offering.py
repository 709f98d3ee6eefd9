"""What the catalog offers: for a pod, for GPUs that one would rent, for a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import invoke

from . import screen
from .errors import PodfabError, Unreachable, UsageError
from .records import catalog, names, pods
from .target import host, target

if TYPE_CHECKING:
    from .plan.offers import Offer, Place
    from .records.entries import Catalog, Model


def offered(c: invoke.Context, pod: str, gpu: str, family: str, only: bool) -> list[Offer]:
    """Return what a pod, or a set of GPUs, can serve; without either, what there is."""
    from .plan.offers import YES, Offer, offer

    known = catalog.load()
    chosen = _of_family(known, family)
    place = _place(c, pod, gpu, known, only)
    if place is None:
        return [Offer(name, model) for name, model in chosen.items()]
    found = [offer(name, model, known.gpus, place) for name, model in chosen.items()]
    return [one for one in found if one.fits == YES or not only]


def holding(c: invoke.Context, pod: str, name: str) -> list[Offer]:
    """Return the smallest sets of GPUs that hold a model; the pod is asked about an unknown one."""
    from .plan import fit
    from .plan.offers import smallest
    from .records.entries import Model
    from .screen.catalog import described

    known = catalog.load()
    model = known.models.get(name, Model())
    if not fit.known(model):
        model = _asked(c, pod, name, known)
    described(name, model)
    return smallest(name, model, known)


def _of_family(known: Catalog, family: str) -> dict[str, Model]:
    """Return the models of a family: its name, or a part of a model's id."""
    wanted = family.strip().lower()
    chosen = {
        name: model
        for name, model in known.models.items()
        if wanted in model.family.lower() or wanted in name.lower()
    }
    if not chosen:
        families = sorted({model.family.lower() for model in known.models.values()} - {""})
        advice = f"there are: {', '.join(families)}"
        raise UsageError(names.unknown(wanted, "family", families, advice).text)
    return chosen


def _place(c: invoke.Context, pod: str, gpu: str, known: Catalog, only: bool) -> Place | None:
    """Return where the models should go, or None when there is no such place."""
    from .plan.cards import imagined
    from .plan.offers import Place
    from .plan.way import needs_gpus
    from .remote.facts import gather

    if gpu:
        return Place(imagined(gpu, known.gpus))
    named = pod or host(c, pods.load()) or pods.load().active
    if not named:
        if only:
            raise PodfabError("--fits needs a pod, or GPUs to ask about: --gpu=2xL40S")
        return None
    where = target(c, pod)
    try:
        facts = gather(where.pod, where.record.models_path or "")
    except Unreachable as error:
        if only:
            raise
        screen.say(f"what fits is not known: {error.text}")
        return None
    for text in facts.left_out:
        screen.say(f"note: {text}")
    folder = facts.links.get(where.record.engine or "", "")
    gpus = facts.gpus if needs_gpus(folder, known.engines) else []
    return Place(gpus, facts.jobs, facts, facts.memory_mib, known.engines)


def _asked(c: invoke.Context, pod: str, name: str, known: Catalog) -> Model:
    from .lookup import look_up
    from .remote.facts import gather

    if not (pod or host(c, pods.load()) or pods.load().active):
        advice = "with a pod the hub would be asked; inv models.catalog lists those that are known"
        raise names.unknown(name, "model of the catalog", known.models, advice)
    where = target(c, pod)
    facts = gather(where.pod, where.record.models_path or "")
    folder = facts.links.get(where.record.engine or "") or next(iter(facts.engines), "")
    if not folder:
        raise PodfabError(f"{where.name} has no engine to ask the hub with; run setup")
    model, notes = look_up(where, folder, name, known)
    for note in notes:
        screen.say(f"note: {note}")
    return model
