"""The tables of the built-in atlas: its hierarchy, how bright each region is, and its shapes.

A made-up rodent brain: the names are those of common mouse atlases, the shapes are ellipsoids and shells drawn for this
project. Lengths are mm from the first voxel's edge: a from the front, d from the top, m from the midline.
"""

from __future__ import annotations

from dataclasses import dataclass

HIERARCHY = """
root | whole brain
  grey | grey matter
    CH | cerebrum
      CTX | cerebral cortex
        FRP | frontal pole
          FRP1 | frontal pole, upper layers | 0.52
          FRP5 | frontal pole, lower layers | 0.68
        MO | somatomotor areas
          MO1 | somatomotor areas, upper layers | 0.60
          MO5 | somatomotor areas, lower layers | 0.78
        SS | somatosensory areas
          SS1 | somatosensory areas, upper layers | 0.72
          SS5 | somatosensory areas, lower layers | 0.58
        ACA | anterior cingulate area
          ACA1 | anterior cingulate area, upper layers | 0.50
          ACA5 | anterior cingulate area, lower layers | 0.64
        RSP | retrosplenial area
          RSP1 | retrosplenial area, upper layers | 0.66
          RSP5 | retrosplenial area, lower layers | 0.54
        VIS | visual areas
          VIS1 | visual areas, upper layers | 0.56
          VIS5 | visual areas, lower layers | 0.74
        AUD | auditory areas
          AUD1 | auditory areas, upper layers | 0.80
          AUD5 | auditory areas, lower layers | 0.62
        OLF | olfactory areas
          MOBo | main olfactory bulb, outer layers | 0.84
          MOBi | main olfactory bulb, inner layers | 0.55
          AON | anterior olfactory nucleus | 0.70
          PIR | piriform area | 0.86
        ENT | entorhinal area | 0.65
        HPF | hippocampal formation
          CA1 | field CA1 | 0.82
          CA3 | field CA3 | 0.60
          DG | dentate gyrus | 0.95
          SUB | subiculum | 0.70
      CNU | cerebral nuclei
        STR | striatum
          CP | caudoputamen | 0.48
          ACB | nucleus accumbens | 0.62
          LS | lateral septum | 0.72
          CEA | central amygdala | 0.58
        GP | globus pallidus | 0.36
        BLA | basolateral amygdala | 0.76
    BS | brain stem
      IB | interbrain
        TH | thalamus
          MD | mediodorsal thalamus | 0.74
          VP | ventral posterior thalamus | 0.50
          LG | lateral geniculate | 0.66
          LAT | lateral thalamus | 0.58
        HY | hypothalamus
          MPO | medial preoptic area | 0.82
          VMH | ventromedial hypothalamus | 0.90
          MBO | mammillary body | 0.55
          LHA | lateral hypothalamus | 0.66
      MB | midbrain
        SCs | superior colliculus, sensory | 0.92
        SCm | superior colliculus, motor | 0.64
        IC | inferior colliculus | 0.76
        PAG | periaqueductal grey | 0.86
        SN | substantia nigra | 0.46
        MRN | midbrain reticular nucleus | 0.54
      HB | hindbrain
        P | pons
          PG | pontine grey | 0.80
          PRN | pontine reticular nucleus | 0.48
        MY | medulla
          NTS | nucleus of the solitary tract | 0.78
          VN | vestibular nuclei | 0.60
          GRN | gigantocellular reticular nucleus | 0.44
    CB | cerebellum
      CBX | cerebellar cortex
        VERo | vermis, outer layer | 0.98
        VERi | vermis, inner layer | 0.66
        HEMo | hemispheres, outer layer | 0.90
        HEMi | hemispheres, inner layer | 0.60
      CBN | cerebellar nuclei | 0.50
  fiber tracts | fiber tracts
    cc | corpus callosum | 0.26
    int | internal capsule | 0.24
    aco | anterior commissure | 0.22
    fi | fimbria | 0.28
    cst | corticospinal tract | 0.25
    arb | arbor vitae | 0.30
  VS | ventricular systems
    VL | lateral ventricle | 0.10
    V3 | third ventricle | 0.10
    AQ | cerebral aqueduct | 0.12
    V4 | fourth ventricle | 0.10
"""
"""Two spaces of indent a level: acronym | name | brightness (leaves alone have one and are drawn)."""


@dataclass(frozen=True)
class Ellipsoid:
    """A part of the drawing; later parts cover earlier ones. All in mm (a, d, m).

    Args:
        acronym: the leaf it belongs to.
        centre: of the ellipsoid; parts off the midline are mirrored.
        radii: of the ellipsoid.
        inner: relative radius of a hole, 0 for none.
    """

    acronym: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    inner: float = 0.0


CEREBRUM = Ellipsoid("CTX", (5.3, 3.8, 1.9), (4.3, 3.1, 3.3))
"""Outline of a hemisphere; its shell is the cortex."""

CORTEX_DEPTH = (0.64, 0.81)
"""Relative radii of the lower and upper layers' inner borders."""

WHITE_DEPTH = 0.59
"""Relative radius of the inner border of the white matter under the dorsal cortex."""

CORTEX_AREAS = (
    # area, front, back, from angle, to angle (degrees from the top, outwards, around the hemisphere's axis)
    ("FRP", 0.0, 2.5, -180, 180),
    ("ACA", 2.5, 5.4, -110, -12),
    ("MO", 2.5, 5.4, -12, 38),
    ("SS", 2.5, 6.5, 38, 98),
    ("RSP", 5.4, 13.2, -110, 0),
    ("VIS", 5.4, 13.2, 0, 55),
    ("AUD", 6.5, 13.2, 55, 98),
    ("PIR", 2.5, 6.9, 98, 180),
    ("ENT", 6.9, 13.2, 98, 180),
    ("PIR", 2.5, 6.9, -180, -110),
    ("ENT", 6.9, 13.2, -180, -110),
)

PARTS = (
    # The stem first: what is drawn later covers it.
    Ellipsoid("LHA", (6.4, 5.7, 0.0), (2.2, 1.5, 1.7)),
    Ellipsoid("LAT", (7.0, 4.2, 0.8), (1.5, 1.1, 1.6)),
    Ellipsoid("MRN", (8.9, 4.4, 0.0), (1.5, 2.0, 2.0)),
    Ellipsoid("PRN", (10.0, 6.0, 0.0), (1.5, 1.5, 1.8)),
    Ellipsoid("GRN", (11.6, 6.0, 0.0), (1.5, 1.3, 1.5)),
    Ellipsoid("VN", (10.9, 5.0, 1.1), (0.9, 0.6, 0.7)),
    Ellipsoid("NTS", (12.1, 5.2, 0.5), (0.8, 0.45, 0.5)),
    Ellipsoid("PG", (9.4, 7.0, 0.6), (0.8, 0.6, 0.6)),
    Ellipsoid("VERo", (11.1, 2.9, 0.0), (1.5, 1.8, 1.2)),
    Ellipsoid("HEMo", (10.9, 3.1, 2.2), (1.3, 1.4, 1.5)),
    Ellipsoid("HEMo", (11.0, 4.4, 3.2), (0.7, 0.7, 0.7)),
    Ellipsoid("VERi", (11.1, 2.9, 0.0), (1.0, 1.3, 0.9)),
    Ellipsoid("HEMi", (10.9, 3.2, 2.1), (0.85, 0.9, 1.1)),
    Ellipsoid("arb", (11.0, 3.1, 0.8), (0.5, 0.55, 1.1)),
    Ellipsoid("CBN", (10.9, 3.8, 1.2), (0.6, 0.5, 0.9)),
    Ellipsoid("SCm", (9.0, 3.0, 0.8), (1.0, 1.2, 1.1)),
    Ellipsoid("SCs", (9.0, 2.3, 0.8), (1.0, 0.8, 1.1)),
    Ellipsoid("IC", (9.9, 2.8, 1.1), (0.65, 0.9, 1.0)),
    Ellipsoid("PAG", (9.0, 4.0, 0.0), (1.3, 0.75, 0.75)),
    Ellipsoid("SN", (8.4, 5.6, 1.3), (0.7, 0.45, 0.7)),
    # The inside of the cerebrum.
    Ellipsoid("CP", (4.9, 3.9, 2.1), (2.1, 1.6, 1.3)),
    Ellipsoid("GP", (5.7, 4.4, 2.3), (0.85, 0.85, 0.6)),
    Ellipsoid("ACB", (3.7, 5.2, 1.1), (1.0, 0.8, 0.8)),
    Ellipsoid("LS", (4.5, 3.2, 0.4), (1.1, 1.0, 0.5)),
    Ellipsoid("BLA", (6.3, 5.6, 3.1), (1.1, 0.8, 0.6)),
    Ellipsoid("CEA", (6.0, 5.2, 2.4), (0.8, 0.6, 0.5)),
    Ellipsoid("CA1", (7.3, 2.9, 2.1), (1.5, 1.1, 1.7)),
    Ellipsoid("CA1", (8.0, 4.2, 3.2), (0.9, 1.5, 0.9)),
    Ellipsoid("CA3", (7.1, 3.2, 2.2), (1.1, 0.75, 1.3)),
    Ellipsoid("DG", (7.4, 3.2, 1.5), (1.0, 0.6, 0.9)),
    Ellipsoid("SUB", (8.6, 2.7, 2.3), (0.5, 0.7, 0.9)),
    Ellipsoid("MD", (6.6, 3.9, 0.4), (0.8, 0.6, 0.6)),
    Ellipsoid("VP", (6.9, 4.5, 1.5), (0.8, 0.7, 0.6)),
    Ellipsoid("LG", (7.7, 4.0, 2.2), (0.6, 0.7, 0.5)),
    Ellipsoid("MPO", (5.2, 6.0, 0.5), (0.7, 0.7, 0.5)),
    Ellipsoid("VMH", (6.6, 6.4, 0.6), (0.7, 0.55, 0.5)),
    Ellipsoid("MBO", (7.8, 6.4, 0.4), (0.5, 0.45, 0.5)),
    Ellipsoid("AON", (2.7, 4.3, 1.2), (0.9, 0.8, 0.7)),
    Ellipsoid("MOBo", (1.5, 4.2, 0.85), (1.3, 1.3, 0.75)),
    Ellipsoid("MOBi", (1.7, 4.2, 0.85), (0.9, 0.85, 0.42)),
    # Tracts and ventricles.
    Ellipsoid("int", (6.2, 4.3, 1.75), (0.9, 1.0, 0.22)),
    Ellipsoid("aco", (3.9, 4.7, 1.0), (1.3, 0.25, 0.3)),
    Ellipsoid("fi", (6.0, 2.9, 1.4), (0.4, 0.4, 0.9)),
    Ellipsoid("cst", (9.6, 6.7, 0.5), (2.6, 0.3, 0.35)),
    Ellipsoid("VL", (5.2, 3.2, 1.05), (1.7, 0.75, 0.16)),
    Ellipsoid("V3", (6.6, 5.3, 0.0), (1.4, 1.4, 0.13)),
    Ellipsoid("AQ", (9.0, 4.0, 0.0), (1.5, 0.25, 0.2)),
    Ellipsoid("V4", (11.1, 4.75, 0.0), (1.2, 0.3, 0.7)),
)
