"""What has been done, on disk: one small file a task, entered by rename after the task's results.

FOLDER/plan.json            the identity the entries belong to, and how many there will be
FOLDER/PASS/KEY.json        one finished task
FOLDER/journal.jsonl        events in order, for reports and audits
FOLDER/lock                 held while a process works here
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from volumetric.blocks.plan import Plan, TaskResult
from volumetric.errors import OutputError
from volumetric.storage.atomic import PARTIAL, read_json, remove, write_json
from volumetric.storage.provenance import differences, digest

LOCK = "lock"

OPENING = ("restart", "begin")
"""Events that may be the first of a session."""


def stored_layout(folder: Path, plan: Plan, pass_name: str) -> Mapping[str, Any] | None:
    """How a pass was cut when the run in a folder began, if that run was of the same plan but for its cut."""
    record = folder / "plan.json"
    if not record.is_file():
        return None
    stored: Mapping[str, Any] = read_json(record)["content"]
    same = digest({**stored, "passes": {}}) == digest({**plan.content, "passes": {}})
    layout: Mapping[str, Any] | None = stored["passes"].get(pass_name) if same else None
    return layout


class Ledger:
    """The record of one stage. Use `open` as a context manager around any work."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan

    @contextmanager
    def open(self) -> Iterator[Ledger]:
        """Take the lock and make sure that the entries belong to this plan.

        Raises `OutputError` where another process is at work, or the folder belongs to another plan.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(
                    f"another process is working on {self.plan.outputs[0]}: "
                    "wait for it, stop it, or choose another --out"
                ) from error
            self._claim()
            yield self

    def refuse_other(self) -> None:
        """Raise `OutputError` with the differences where the folder belongs to another plan; changes nothing."""
        record = self.folder / "plan.json"
        if not record.is_file():
            existing = [p for p in self.plan.outputs if p.exists()]
            if existing:
                raise OutputError(
                    f"{existing[0]} exists and was not made by this command here: choose another --out or remove it"
                )
            return
        if not self._is_of_another() or not self._is_begun() or self.is_leftover():
            return
        left = [p for p in self.plan.outputs if p.exists()]
        raise OutputError(
            f"{self.plan.outputs[0] if left else self.folder} holds another {self.plan.stage} run"
            f"{'' if self._was_finished() else ', not finished'}, which differs in:\n  "
            + "\n  ".join(differences(read_json(record)["content"], self.plan.content)[:12])
            + "\nRepeat that command to resume it, choose another --out, or start afresh after\n  "
            + shlex.join(["rm", "-r", *map(str, left), str(self.folder)])
        )

    def is_leftover(self) -> bool:
        """Whether the folder is what another, finished run left, whose outputs were removed by hand since."""
        return self.holds_finished_other() and not any(p.exists() for p in self.plan.outputs)

    def holds_finished_other(self) -> bool:
        """Whether another run was finished here."""
        return self._is_of_another() and self._was_finished()

    def _is_begun(self) -> bool:
        return any(p.is_dir() and any(p.iterdir()) for p in self.folder.iterdir())

    def _was_finished(self) -> bool:
        """Whether every task is entered of the run that the folder belongs to, as many as it noted when it began."""
        tasks = read_json(self.folder / "plan.json").get("tasks", {})
        return bool(tasks) and all(len(self._entered(name)) >= count for name, count in tasks.items())

    def _claim(self) -> None:
        self.refuse_other()
        if self.is_leftover():
            for path in self.folder.iterdir():
                if path.name != LOCK:
                    remove(path)
        elif self.is_complete() and not all(p.exists() for p in self.plan.outputs):
            self.journal("restart", reason="an output was removed")
            for p in self.plan.passes:
                remove(self.folder / p.name)
        record = {
            "identity": self.plan.identity,
            "content": self.plan.content,
            "tasks": {p.name: len(p.keys) for p in self.plan.passes},
        }
        write_json(self.folder / "plan.json", record)

    def done(self, pass_name: str) -> set[str]:
        """Keys of the finished tasks of a pass; one listing of a folder. Those of another run do not count."""
        return set() if self._is_of_another() else self._entered(pass_name)

    def _is_of_another(self) -> bool:
        record = self.folder / "plan.json"
        return record.is_file() and bool(read_json(record)["identity"] != self.plan.identity)

    def _entered(self, pass_name: str) -> set[str]:
        folder = self.folder / pass_name
        if not folder.is_dir():
            return set()
        return {
            name.removesuffix(".json") for name in os.listdir(folder) if not name.endswith(PARTIAL) and name[0] != "."
        }

    def bytes_left(self) -> int:
        """Raw bytes that the tasks not yet entered may write."""
        return sum((len(p.keys) - len(self.done(p.name))) * p.cost.bytes_written for p in self.plan.passes)

    def is_complete(self) -> bool:
        """Whether every task of every pass is entered."""
        return all(self.done(p.name) >= set(p.keys) for p in self.plan.passes)

    def enter(self, pass_name: str, key: str, result: TaskResult) -> None:
        """Record a finished task."""
        write_json(self.folder / pass_name / f"{key}.json", asdict(result))
        self.journal("done", **{"pass": pass_name, "key": key})

    def entries(self, pass_name: str) -> dict[str, dict[str, Any]]:
        """All finished tasks of a pass with what they reported."""
        folder = self.folder / pass_name
        return {key: read_json(folder / f"{key}.json") for key in sorted(self.done(pass_name))}

    def journal(self, event: str, **facts: object) -> None:
        """Append one event."""
        line = json.dumps({"time": time.time(), "pid": os.getpid(), "event": event, **facts})
        with (self.folder / "journal.jsonl").open("a", encoding="utf-8") as file:
            file.write("\n" + line)  # the newline first: a line that a kill cut short stays by itself

    def events(self) -> list[dict[str, Any]]:
        """All whole events; a line cut short by a kill is the last of its process and is left out."""
        path = self.folder / "journal.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def report(self) -> dict[str, Any]:
        """Seconds at work over all sessions, tasks, bytes, peak memory and rate of the stage."""
        results = [entry for p in self.plan.passes for entry in self.entries(p.name).values()]
        seconds, previous, peak = 0.0, 0.0, 0
        for event in self.events():
            if event["event"] not in OPENING:  # the time from the end of one session to the next is not work
                seconds += event["time"] - previous
            previous = event["time"]
            peak = max(peak, event.get("peak_memory_bytes", 0))
        read = sum(entry["bytes_read"] for entry in results)
        return {
            "seconds": round(seconds, 2),
            "tasks": len(results),
            "bytes_read": read,
            "bytes_written": sum(entry["bytes_written"] for entry in results),
            "peak_memory_bytes": peak,
            "rate": round(read / 1e6 / seconds, 2) if seconds > 0 else None,
        }

    def facts(self) -> dict[str, Mapping[str, Any]]:
        """Facts of all passes with a single task, by pass name."""
        return {
            p.name: entry["facts"]
            for p in self.plan.passes
            if len(p.keys) == 1
            for entry in self.entries(p.name).values()
        }
