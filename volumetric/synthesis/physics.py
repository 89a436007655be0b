"""Tiles from optics and noise alone, without a network: what a generator must beat.

On the scale `contrast`, in noise levels of the tissue's usual light:

    light = texture + PSF * cells,   image = light + sqrt(1 + light / sqrt(N)) n1 + r n2

The texture of autofluorescence has a power of 1 / f^beta; N are the photons of the usual light in a pixel, so that the
shot noise of brighter pixels is larger (Janesick 2007, ch. 5); r is the read noise; n1, n2 are standard normal. The
point-spread function is a Gaussian.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from volumetric.synthesis.sample import Drawn
from volumetric.synthesis.scale import from_levels

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Optics:
    """Ranges from which each tile draws its own, uniform; of `texture` and `photons` the logarithm is.

    Args:
        texture: standard deviation, noise levels.
        slope: beta.
        psf_px: sigma of the point-spread function.
        photons: of the usual light in a pixel.
        read_noise: noise levels.
    """

    texture: tuple[float, float] = (0.7, 3.0)
    slope: tuple[float, float] = (1.5, 3.0)
    psf_px: tuple[float, float] = (0.4, 1.0)
    photons: tuple[float, float] = (100.0, 2000.0)
    read_noise: tuple[float, float] = (0.0, 0.3)

    def paint(self, drawn: Drawn, rng: np.random.Generator) -> Floats:
        """The plane (Y, X) of a layout, 0 to 1, float32."""
        shape = (drawn.cells.shape[0], drawn.cells.shape[1])
        strength, photons = (math.exp(rng.uniform(*np.log(r).tolist())) for r in (self.texture, self.photons))
        light = strength * fractal(shape, rng.uniform(*self.slope), rng)
        light += ndimage.gaussian_filter(drawn.cells, rng.uniform(*self.psf_px))
        shot = np.sqrt(np.maximum(1 + light / math.sqrt(photons), 0)) * rng.standard_normal(shape)
        return from_levels(light + shot + rng.uniform(*self.read_noise) * rng.standard_normal(shape))


def fractal(shape: tuple[int, int], slope: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Periodic Gaussian noise (Y, X) of mean 0 and deviation 1 whose power falls as 1 / f^slope."""
    white = fft.rfft2(rng.standard_normal(shape))
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = np.inf
    field: npt.NDArray[np.float64] = fft.irfft2(white * frequency ** (-slope / 2), s=shape)
    return field / max(float(field.std()), 1e-12)
