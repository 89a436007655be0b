"""An atlas from what its files hold, whichever kind they are: checked, made fit, and with what was noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.sides import read_sides
from volumetric.atlas.structures import read_annotation, read_structures, with_unlisted
from volumetric.geometry.space import VoxelSpace


def assemble(
    *,
    name: str,
    version: str | None,
    space: VoxelSpace,
    orientation: str,
    template: npt.NDArray[Any],
    annotation: npt.NDArray[Any],
    hemispheres: npt.NDArray[Any],
    records: Sequence[Mapping[str, Any]],
) -> Atlas:
    """The atlas of arrays and a list of structures as they were published.

    Raises `InputError` for what cannot be used, naming it; what is odd and can be is said in the atlas' findings.
    """
    listed, odd = read_structures(records, name)
    ids = read_annotation(annotation, listed.ids, name)
    ontology, lacking = with_unlisted(listed, ids, name)
    sides, told = read_sides(hemispheres, ids, orientation, name)
    return Atlas(
        name=name,
        space=space,
        orientation=orientation,
        template=template,
        annotation=ids,
        hemispheres=sides,
        ontology=ontology,
        version=version,
        findings=(*lacking, *odd, *told),
    )
