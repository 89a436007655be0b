"""Running a command that is killed again and again, and reading its ledgers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

COMMAND = [sys.executable, "-m", "pipelines.cli"]
POLL_S = 0.01


def undisturbed(arguments: list[str], journal: Path) -> float:
    """Run a command to its end; returns the seconds from the ledger's first event to the end."""
    finished = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return time.time() - min(event["time"] for event in events(journal))


def killed(
    make: Callable[[int], tuple[list[str], Path]], kills: int, window_s: float, seed: int
) -> list[tuple[list[str], Path]]:
    """Kill runs at random moments of their work until `kills` have been cut short, resuming in between.

    A run that ends before it could be killed is replaced by a fresh one in another place. Returns the arguments and
    journals of all the places used; each has been run to its end.
    """
    rng = random.Random(seed)
    done, places = 0, [make(0)]
    while done < kills:
        arguments, journal = places[-1]
        process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        before = len(events(journal))
        while process.poll() is None and len(events(journal)) == before:
            time.sleep(POLL_S)
        time.sleep(rng.uniform(0, window_s))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            done += 1
            process.communicate()
        else:
            _, message = process.communicate()
            assert process.returncode == 0, message.decode()
            places.append(make(len(places)))
    for arguments, _ in places:
        finished = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
    return places


def events(journal: Path) -> list[dict[str, object]]:
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
