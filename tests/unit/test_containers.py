"""The recipes of both images: the locked versions, the Python of the package, and files that are there."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@dataclass(frozen=True)
class Recipe:
    """What a recipe says: base image, arguments with their defaults, files it takes, its installation."""

    base: str
    arguments: dict[str, str]
    files: tuple[str, ...]
    install: tuple[str, ...]

    @property
    def package(self) -> str:
        """What is installed, with the arguments filled in."""
        text = self.install[-1]
        for name, value in self.arguments.items():
            text = text.replace(f"${name}", value).replace(f"{{{{ {name} }}}}", value)
        return text


def instructions(text: str) -> list[list[str]]:
    """The words of every instruction of a Containerfile, comments left out."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def oci() -> Recipe:
    found = instructions((ROOT / "containers" / "Containerfile").read_text())
    return Recipe(
        base=next(words[1] for words in found if words[0] == "FROM"),
        arguments=dict(words[1].split("=", 1) for words in found if words[0] == "ARG"),
        files=tuple(path for words in found if words[0] == "COPY" for path in words[1:-1]),
        install=next(tuple(words[1:]) for words in found if words[:3] == ["RUN", "pip", "install"]),
    )


def apptainer() -> Recipe:
    text = (ROOT / "containers" / "volumetric.def").read_text()
    header, *rest = re.split(r"^%(\w+)\n", text, flags=re.MULTILINE)
    sections = {name: instructions(body) for name, body in zip(rest[::2], rest[1::2], strict=True)}
    assert sections["runscript"] == [["exec", "volumetric", "$@"]]
    return Recipe(
        base=re.findall(r"^From: (.*)$", header, re.MULTILINE)[0],
        arguments=dict(words[0].split("=", 1) for words in sections["arguments"]),
        files=tuple(words[0] for words in sections["files"]),
        install=next(tuple(words) for words in sections["post"] if words[:2] == ["pip", "install"]),
    )


@pytest.mark.parametrize("recipe", [oci(), apptainer()], ids=["oci", "apptainer"])
def test_a_recipe_installs_what_is_tested(recipe: Recipe) -> None:
    (oldest,) = re.findall(r">=(\d+\.\d+)$", PROJECT["requires-python"])
    assert re.search(rf"python:{re.escape(oldest)}(\.\d+)?-slim", recipe.base)
    assert recipe.install[recipe.install.index("--constraint") + 1] == "constraints.txt"
    assert {"constraints.txt", "pyproject.toml", PROJECT["readme"], "volumetric", "pipelines"} <= set(recipe.files)
    assert all((ROOT / path).exists() for path in recipe.files)
    (extras,) = re.findall(r"^\.\[(.*)\]$", recipe.package)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert recipe.arguments["TORCH_INDEX"].endswith("/cpu")


def test_both_recipes_say_the_same() -> None:
    one, other = oci(), apptainer()
    assert one.base.removeprefix("docker.io/library/") == other.base
    assert one.arguments == other.arguments
    assert set(one.files) == set(other.files)
    assert one.package == other.package


def test_the_oci_image_runs_the_program_as_a_user() -> None:
    found = instructions((ROOT / "containers" / "Containerfile").read_text())
    users = [words[1] for words in found if words[0] == "USER"]
    assert users
    assert users[-1] not in {"root", "0"}
    entry = next(words for words in found if words[0] == "ENTRYPOINT")
    assert entry == ["ENTRYPOINT", "[volumetric]"]
    assert "volumetric" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def test_the_guide_builds_from_these_recipes() -> None:
    guide = (ROOT / "docs" / "from-laptop-to-cluster.md").read_text()
    named = set(re.findall(r"containers/[\w.]+", guide))
    assert named == {"containers/Containerfile", "containers/volumetric.def"}
    given = dict(re.findall(r"--build-arg (\w+)=(\S+)", guide))
    assert given
    assert set(given) <= set(oci().arguments)
