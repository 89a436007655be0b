"""Opening an atlas by its BrainGlobe name or from a plain folder."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np

from volumetric.atlas.assemble import assemble
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.folder import read_atlas_folder
from volumetric.atlas.resolution import atlas_space
from volumetric.errors import InputError

STORE = "brainglobe-atlasapi"
"""BrainGlobe's own folder inside its directory (layout of version 3)."""


PIN = "=="
"""Between the name of an atlas and the version that must be it."""


def load_atlas(name_or_dir: str | Path, atlas_dir: Path | None = None) -> Atlas:
    """An atlas by name (`allen_mouse_50um`) or from an atlas folder; `NAME==VERSION` opens that version or none.

    Args:
        name_or_dir: a folder that exists is read as a plain atlas folder; anything else is a name.
        atlas_dir: where named atlases are kept; by default `$VOLUMETRIC_ATLAS_DIR`, else BrainGlobe's own
            directory. An atlas found there is read without any network and nothing is written; another one
            is downloaded into it.

    Raises `InputError` for a name that no atlas has, a version that is not there, a download that failed, and a folder
    that is no atlas or one with structures or hemispheres missing.
    """
    given = str(name_or_dir)
    name, _, version = (given, "", "") if Path(given).expanduser().is_dir() else given.partition(PIN)
    if Path(name).expanduser().is_dir():
        return _of_version(read_atlas_folder(Path(name).expanduser()), version)
    if not re.fullmatch(r"[\w.-]+", name):
        raise InputError(f"there is no atlas folder {name!r}, and it cannot be the name of an atlas either")
    folder = _atlas_dir(atlas_dir)
    versions = _manifests(folder).get(name)
    if not versions:
        return _of_version(_convert(_download(name, folder), name), version)
    if version and version not in versions:
        raise InputError(_no_version(name, version, f"{folder} has {', '.join(versions)}"))
    return _convert(_open(versions[version or list(versions)[-1]]), name)


def _of_version(atlas: Atlas, version: str) -> Atlas:
    if version and version != atlas.version:
        there = f"it is {f'version {atlas.version}' if atlas.version else 'of no stated version'}"
        raise InputError(_no_version(atlas.name, version, there))
    return atlas


def _no_version(name: str, version: str, there: str) -> str:
    return (
        f"there is no version {version} of the atlas {name!r}: {there}. Give one that is there as --atlas "
        f"{name}{PIN}VERSION, or fetch the newest with `brainglobe update -a {name}`"
    )


def local_atlases(atlas_dir: Path | None = None) -> list[str]:
    """Names of the atlases that can be opened from `atlas_dir` without a download."""
    return sorted(_manifests(_atlas_dir(atlas_dir)))


def _atlas_dir(given: Path | None) -> Path:
    if given is not None:
        return Path(given).expanduser()
    if os.environ.get("VOLUMETRIC_ATLAS_DIR"):
        return Path(os.environ["VOLUMETRIC_ATLAS_DIR"]).expanduser()
    from brainglobe_atlasapi.config import get_brainglobe_dir  # takes a second: not at import

    return Path(get_brainglobe_dir())


def _manifests(folder: Path) -> dict[str, dict[str, Path]]:
    """The manifest of every version of every local atlas by name, oldest version first."""
    found: dict[str, dict[str, Path]] = {}
    paths = (folder / STORE / "atlases").glob("*/*/manifest.json")
    for path in sorted(paths, key=lambda p: [int(n) for n in re.findall(r"\d+", p.parent.name)]):
        found.setdefault(path.parent.parent.name, {})[path.parent.name.replace("_", ".")] = path
    return found


def _open(manifest: Path) -> Any:  # noqa: ANN401 - BrainGlobe's classes are untyped
    from brainglobe_atlasapi.core import Atlas as BrainGlobeAtlas

    try:
        return BrainGlobeAtlas(manifest)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"the atlas at {manifest.parent} cannot be read: {error!r}; remove that folder to download it again"
        ) from error


def _download(name: str, folder: Path) -> Any:  # noqa: ANN401
    from brainglobe_atlasapi import BrainGlobeAtlas

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # its messages; its progress bar is on stderr
            return BrainGlobeAtlas(name, brainglobe_dir=folder, check_latest=False)
    except Exception as error:  # OSError, botocore, aiohttp and requests share no other base
        raise InputError(_not_found(name, folder, error)) from error


def _not_found(name: str, folder: Path, error: Exception) -> str:
    """Whether the name is wrong or the network: what the server said, else what BrainGlobe's own list says."""
    local, known = set(_manifests(folder)), set(published_atlases())
    held = f"Atlases in {folder}: {', '.join(sorted(local)) or 'none'}"
    if name in known:
        return (
            f"the atlas {name!r} is not in {folder} and could not be downloaded: {error}. The name is right: check the "
            f"network and that the folder can be written, or give another folder with --atlas-dir or "
            f"$VOLUMETRIC_ATLAS_DIR. {held}"
        )
    near = difflib.get_close_matches(name.lower(), local | known, n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    answered = isinstance(error, FileNotFoundError)  # what BrainGlobe raises where its server has no such name
    who = "on BrainGlobe's server" if answered else "known to BrainGlobe, whose server did not answer"
    return (
        f"there is no atlas {name!r}, neither in {folder} nor {who}: {hint}`brainglobe list` shows all names; "
        f"the path of an atlas folder works too. {held}"
    )


def published_atlases() -> tuple[str, ...]:
    """Names of the atlases that BrainGlobe had published when the installed brainglobe-atlasapi was."""
    from brainglobe_atlasapi.atlas_name import AtlasName

    return get_args(AtlasName)


def _convert(opened: Any, name: str) -> Atlas:  # noqa: ANN401
    """BrainGlobe's object as ours; its arrays are read here (or fetched, if only the header is local)."""
    space = atlas_space(opened.resolution, opened.metadata["shape"], name)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            template, annotation = opened.template, opened.annotation
            hemispheres = opened.hemispheres
    except Exception as error:  # see _download
        raise InputError(
            f"the images of atlas {name!r} are neither complete in {opened.root_dir} nor could they be "
            f"downloaded: {error}"
        ) from error
    return assemble(
        name=name,
        version=str(opened.metadata["version"]),
        space=space,
        orientation=str(opened.orientation),
        template=np.asarray(template),
        annotation=np.asarray(annotation),
        hemispheres=np.asarray(hemispheres),
        records=opened.structures_list,
    )
