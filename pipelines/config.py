"""Settings common to all commands, and how a TOML file and flags become them."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from volumetric.blocks.capacity import Capacity, ClusterSettings, capacity_of, cores
from volumetric.errors import InputError

UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def parse_bytes(text: object) -> object:
    """Bytes of a size such as `8GB`, `500 MB` or `4GiB`; raises `ValueError` for anything else that is text."""
    if not isinstance(text, str):
        return text
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?I?)B?\s*", text.upper())
    if not found or found[2] not in UNITS:
        raise ValueError(f"expected a size such as 8GB or 500MB, got {text!r}")
    return int(float(found[1]) * UNITS[found[2]])


Bytes = Annotated[int, BeforeValidator(parse_bytes)]


def _with_bytes(table: object) -> object:
    return {**table, "memory": parse_bytes(table.get("memory"))} if isinstance(table, dict) else table


class Settings(BaseModel):
    """Base of all settings: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Resources(Settings):
    """What a run may use. On one device nothing here changes a result."""

    workers: int = Field(default_factory=cores, ge=1)
    memory: Bytes = Field(default=8 * 10**9, gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    cluster: Annotated[ClusterSettings, BeforeValidator(_with_bytes)] = ClusterSettings()

    @cached_property
    def capacity(self) -> Capacity:
        """What tasks may use; a running scheduler is asked. Raises `InputError` where the cluster cannot be had."""
        return capacity_of(self.cluster, self.workers, self.memory)


S = TypeVar("S", bound=Settings)


def make(kind: type[S], **values: object) -> S:
    """Settings from values, those that are None left to their defaults; raises `InputError` that names the setting."""
    try:
        return kind(**{key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or kind.__name__
        raise InputError(f"setting {name}: {first['msg']}, got {first.get('input')!r}") from error


def load_file(path: Path | None) -> dict[str, Any]:
    """The tables of a TOML settings file, empty without one; raises `InputError` where it cannot be read."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no settings file at {path}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error


def overlay(table: dict[str, Any], **flags: object) -> dict[str, Any]:
    """A table of the settings file with the flags that were given put over it."""
    return {**table, **{key: value for key, value in flags.items() if value is not None}}
