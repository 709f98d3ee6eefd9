"""What proves that a job is gone: no process of it, its port closed, its GPUs' memory back."""

from __future__ import annotations

from dataclasses import dataclass, field

from .fit import gb

_SLACK_MIB = 512  # what others on the GPU may take meanwhile: a context of theirs, a desktop


@dataclass(frozen=True)
class Ending:
    """What stop.sh found once a job was told to end.

    `left` are processes that do not end, `held` is its port when it is still open, `beside` are the
    jobs that share a GPU with it. Memory in MiB by GPU: in use when the job was started, when it
    was told to end, and after that.
    """

    left: list[int] = field(default_factory=list)
    held: int | None = None
    beside: list[str] = field(default_factory=list)
    start: dict[int, int] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)
    after: dict[int, int] = field(default_factory=dict)

    @property
    def unproven(self) -> str:
        """What is not gone and what helps, or nothing."""
        if self.left:
            pids = " ".join(map(str, self.left))
            return f"processes {pids} do not end; look at them with: ps -fp {self.left[0]}"
        if self.held:
            return (
                f"port {self.held} is still open, held by a process that is not its; "
                f"look for it with: ss -ltnp sport = :{self.held}"
            )
        if stuck := [id_ for id_ in self.after if not self._is_back(id_)]:
            gpu = stuck[0]
            return (
                f"GPU {gpu} has {gb(self.after[gpu]):.1f} GB in use, {gb(self.start[gpu]):.1f} "
                "before the model was started; nvidia-smi shows by whom, and if nobody is there "
                "the driver is stuck: restart the pod"
            )
        return ""

    @property
    def proven(self) -> str:
        """What is gone, in words."""
        freed = sum(max(0, mib - self.after.get(id_, mib)) for id_, mib in self.before.items())
        memory = f", {gb(freed):.1f} GB of GPU memory are back" if self.after else ""
        return f"no process of it is left{memory}"

    def _is_back(self, gpu: int) -> bool:
        """Tell whether a GPU's memory is what it was, or fell while others use it too."""
        if gpu not in self.start:
            return True
        fell = self.before.get(gpu, 0) - self.after[gpu] >= _SLACK_MIB
        return fell or bool(self.beside) or self.after[gpu] <= self.start[gpu] + _SLACK_MIB


def parse_ending(text: str) -> Ending | None:
    """Read stop.sh's output; None when there was no such job.

    Raises ValueError for anything else.
    """
    if text.strip() == "absent":
        return None
    left: list[int] | None = None
    held = None
    beside: list[str] = []
    memory: dict[str, dict[int, int]] = {"start": {}, "before": {}, "after": {}}
    for line in text.splitlines():
        word, *values = line.split()
        if word == "left":
            left = [int(value) for value in values]
        elif word == "held":
            held = int(values[0])
        elif word == "beside":
            beside.append(values[0])
        else:
            memory[word][int(values[0])] = int(values[1])
    if left is None:
        raise ValueError(text)
    return Ending(left, held, beside, **memory)
