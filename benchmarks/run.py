"""Measure the figures that podfab is designed for, and print one table.

    .venv/bin/python benchmarks/run.py [--quick] [--markdown] [FIGURE ...]

Everything runs on loopback: sshd servers with homes of their own, stand-ins for vLLM. The commands
of a row take turns, so that a machine's drift does not reach their ratio; other work on it does.
Figures are medians of 15 runs (--quick: 5); the runner's of a fifth of that, the prompt's of 20.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import FIGURES, Skipped
from benchmarks.report import Row, table
from benchmarks.stage import own_home


def main() -> int:
    """Measure what was asked for; return 1 when something could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--quick", action="store_true", help="5 runs each instead of 15")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    args = parser.parse_args()
    if unknown := set(args.figures) - set(FIGURES):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_once)
    runs = 5 if args.quick else 15
    before = os.getloadavg()[0]
    rows: list[tuple[str, Row]] = []
    notes: list[str] = []
    failed = False
    for name in args.figures or FIGURES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            with own_home() as home:
                rows += [(name, row) for row in FIGURES[name](home, runs)]
        except Skipped as reason:
            notes.append(f"{name} was skipped: {reason}")
        except Exception as error:
            failed = True
            notes.append(f"{name} could not be measured: {error}")
    load = f"load average {before:.2f} before, {os.getloadavg()[0]:.2f} after"
    print(f"medians of {runs} runs, {os.cpu_count()} cores, {load}\n")
    print(table(rows, args.markdown))
    print("".join(f"\n{note}" for note in notes), end="\n" if notes else "")
    return int(failed)


def _end_once(number: int, frame: object) -> None:
    """Interrupt, and let a second Ctrl-C not cut the ending short."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
