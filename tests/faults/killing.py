"""Running a command that is killed again and again, and reading its ledgers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLL_S = 0.002

NURSERY = """
import json, os, sys
import numpy as np
import pipelines.cli, pipelines.ingest, pipelines.register, pipelines.detect, pipelines.assign, pipelines.count
from volumetric.imaging.pooling import mean_pool
for kind in (np.uint8, np.uint16, np.float32):
    mean_pool(np.ones((2, 2, 2), kind), (1, 2, 2))
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        pipelines.cli.main(json.loads(line))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""A process that has imported and compiled everything and forks a child for each command, which starts in milliseconds.

It is single-threaded and has opened nothing, so a child is like a freshly started program.
"""


@dataclass(frozen=True)
class Nursery:
    """Where commands are started."""

    process: subprocess.Popen[str]

    def start(self, arguments: list[str]) -> int:
        """Start a command; returns its process id."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for the command that was started; its exit code, negative where a signal ended it."""
        return int(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery; ended with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()


def undisturbed(commands: Nursery, arguments: list[str], journal: Path) -> float:
    """Run a command to its end; returns the seconds from the ledger's first event to its last.

    What the program does when all is written, such as to end threads, is not worth killing.
    """
    commands.start(arguments)
    assert commands.end() == 0
    times = [event["time"] for event in events(journal)]
    return max(times) - min(times)


@dataclass(frozen=True)
class Killed:
    """What kills did: the journals of all places used, and how many tasks were in flight at each kill."""

    journals: list[Path]
    kills: int


def killed(
    commands: Nursery, make: Callable[[int], tuple[list[str], Path]], kills: int, window_s: float, seed: int
) -> Killed:
    """Kill runs at random moments of their work until `kills` have been cut short, resuming in between.

    A run that ends before it could be killed is replaced by a fresh one in another place. All places have been run to
    their ends when this returns.
    """
    rng = random.Random(seed)
    done, places = 0, [make(0)]
    while done < kills:
        arguments, journal = places[-1]
        before = journal.stat().st_size if journal.is_file() else 0
        child = commands.start(arguments)
        while _alive(child) and (journal.stat().st_size if journal.is_file() else 0) == before:
            time.sleep(POLL_S)
        time.sleep(rng.uniform(0, window_s))
        _kill(child)
        code = commands.end()
        if code == -signal.SIGKILL:
            done += 1
        else:
            assert code == 0
            places.append(make(len(places)))
    for arguments, _ in places:
        commands.start(arguments)
        assert commands.end() == 0
    return Killed([journal for _, journal in places], done)


def _alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended by itself


def events(journal: Path) -> list[dict[str, Any]]:
    """Whole events of a ledger's journal; none where it does not exist yet."""
    if not journal.is_file():
        return []
    lines = journal.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def repeated_after_done(journal: Path) -> list[tuple[str, str]]:
    """Tasks that were handed out again although they had been entered."""
    entered: set[tuple[str, str]] = set()
    again = []
    for event in events(journal):
        task = (str(event.get("pass")), str(event.get("key")))
        if event["event"] == "start" and task in entered:
            again.append(task)
        elif event["event"] == "done":
            entered.add(task)
    return again


def handed_out_again(journal: Path) -> int:
    """Tasks that were handed out more than once: the work that kills undid."""
    started = [(e["pass"], e["key"]) for e in events(journal) if e["event"] == "start"]
    return len(started) - len(set(started))
