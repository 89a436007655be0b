"""A SLURM of this machine: `sbatch`, `squeue` and `scancel` that run job scripts here, one after another submitted."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SBATCH = """#!/bin/bash
if [ "$1" = --test-only ]; then
    if grep -q -- "-p closed" "$2"; then echo "sbatch: error: invalid partition specified: closed" >&2; exit 1; fi
    exit 0
fi
number=1
until mkdir "{state}/$number" 2>/dev/null; do number=$((number + 1)); done
cp "$1" "{state}/$number/script"
setsid bash -c "bash {state}/$number/script; rm {state}/$number/pid" >"{state}/$number/output" 2>&1 </dev/null &
echo $! >"{state}/$number/pid"
echo "Submitted batch job $number"
"""

SQUEUE = """#!/bin/bash
for pid in {state}/*/pid; do [ -e "$pid" ] && basename "$(dirname "$pid")"; done
exit 0
"""

SCANCEL = """#!/bin/bash
for number in "$@"; do
    [ -e "{state}/$number/pid" ] && kill -KILL -- "-$(cat "{state}/$number/pid")"
    rm -f "{state}/$number/pid"
done
"""


@dataclass(frozen=True)
class FakeSlurm:
    """Its folder `bin` belongs on PATH."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def path(self) -> str:
        """PATH with the three programs first."""
        return f"{self.bin}:{os.environ['PATH']}"

    def scripts(self) -> list[str]:
        """The scripts of all jobs so far, in order."""
        jobs = sorted((self.folder / "state").iterdir(), key=lambda job: int(job.name))
        return [(job / "script").read_text() for job in jobs]

    def running(self) -> list[str]:
        """Numbers of the jobs that have not ended."""
        return subprocess.run([self.bin / "squeue"], capture_output=True, text=True, check=True).stdout.split()

    def cancel(self, *numbers: str) -> None:
        """End jobs at once, as pre-emption does."""
        subprocess.run([self.bin / "scancel", *numbers], check=True)


def fake_slurm(folder: Path) -> FakeSlurm:
    """Write the programs."""
    (folder / "state").mkdir(parents=True)
    (folder / "bin").mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", SCANCEL)):
        program = folder / "bin" / name
        program.write_text(text.replace("{state}", str(folder / "state")))
        program.chmod(0o755)
    return FakeSlurm(folder)
