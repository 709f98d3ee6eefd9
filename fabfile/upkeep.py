"""What the tasks of pods do besides the record: examine, clean, purge, read the record back."""

from __future__ import annotations

import hashlib
import shlex
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import screen
from .errors import PodfabError, Unreachable
from .records import catalog, pods
from .target import Target

if TYPE_CHECKING:
    from .plan.clean import Waste
    from .plan.examination import Check
    from .plan.facts import Facts


def examine(where: Target) -> tuple[dict[str, Any], list[Check]]:
    """Judge a pod by its facts and by what it reaches; return the facts as a document."""
    from .commands import upkeep as commands
    from .plan import doctor, examination
    from .plan.facts import parse_facts
    from .plan.mount import parse_mount
    from .records.keys import api_key

    try:
        where.pod.open()
    except Unreachable as error:
        detail, _, fix = error.text.rpartition("; ")
        return {}, [examination.Check("ssh", False, detail, fix)]
    begun = time.time()
    mount = parse_mount(where.record.mount).target if where.record.mount else ""
    script = commands.examine(where.pod.root, where.record.models_path or "", mount)
    answer = where.pod.run(script, timeout=120)
    try:
        first, _, second = answer.partition("}\n{")
        facts, found = parse_facts(first + "}"), examination.parse_examination("{" + second)
    except (ValueError, KeyError, TypeError) as error:
        raise PodfabError(f"{where.name} told its facts unreadably: {error}") from error
    digest = hashlib.sha256(api_key().encode()).hexdigest()
    engines = catalog.load().engines
    # The pod looked at its clock early on; what came after it was slow.
    ahead = facts.now - begun
    name = where.record.engine or ""
    checks = doctor.examine(facts, found, name, engines, ahead, digest, _setup(where))
    known = asdict(facts)
    document = {key: known[key] for key in doctor.SHOWN}
    return document, [examination.Check("ssh", True, str(where.pod.address)), *checks]


def _setup(where: Target) -> str:
    """Return the command that sets this pod up."""
    place = "" if where.record.root else f" --ssh={shlex.quote(where.record.ssh)}"
    return f"inv setup --name={shlex.quote(where.name)}{place}"


def waste(where: Target) -> tuple[Facts, list[Waste]]:
    """Find what on a pod could go."""
    from .commands import upkeep as commands
    from .plan.clean import engines_in_use, parse_usage
    from .remote.facts import gather

    facts = gather(where.pod, where.record.models_path or "")
    kept = engines_in_use(facts, where.record.engine)
    answer = where.pod.run(commands.usage(where.pod.root, facts.models_path, kept), timeout=600)
    try:
        return facts, parse_usage(answer, facts)
    except (ValueError, KeyError, TypeError) as error:
        raise PodfabError(f"{where.name} told its disk's use unreadably: {error}") from error


def remove(where: Target, gone: list[Waste]) -> None:
    """Remove folders from a pod, after they were named."""
    from .commands import upkeep as commands

    if not gone:
        screen.say(f"{where.name}: there is nothing to remove")
        return
    where.pod.run(commands.remove([thing.path for thing in gone]), timeout=600)
    screen.say(f"{where.name}: {screen.size(sum(thing.kib for thing in gone))} freed")


def purge(name: str, known: pods.Pods) -> None:
    """Remove all that is ours from a pod.

    Raises PodfabError when something runs there, or another record lies in the same folder.
    """
    from .commands import upkeep as commands
    from .target import reach, same_place

    pod = known.get(name)
    for other, record in known.pods.items():
        if other != name and record.root == pod.root and same_place(record.ssh, pod.ssh):
            raise PodfabError(f"{other} lies in the same folder of {name}; nothing was removed")
    there = reach(name, pod.ssh, pod.root)
    left = there.run(commands.purge(there.root), timeout=600).split("\n")[0]
    outside = pod.models_path and not f"{pod.models_path}/".startswith(f"{there.root}/")
    kept = f"; the weights in {pod.models_path} are kept" if outside else ""
    others = f"; what is not ours stays there: {screen.plain(left)}" if left else ""
    screen.say(f"all of podfab's is gone from {there.root} on {name}{others}{kept}")


def read_back(where: Target) -> pods.Pod:
    """Return a pod's record made anew from what is on the pod.

    Raises PodfabError when nothing of ours is there.
    """
    from .provisioning import described
    from .remote.facts import gather

    known = where.record
    facts = gather(where.pod, known.models_path or "")
    engine = known.engine if known.engine in facts.links else next(iter(facts.links), None)
    if not engine:
        raise PodfabError(f"{where.name} has no engine in {facts.root}; {_setup(where)}")
    return described(known.ssh, facts, engine, known.mount)
