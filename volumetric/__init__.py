"""volumetric: from terabyte microscope volumes of whole brains to cell counts per region."""

__version__ = "0.1.0"
