"""Formats that are not read: what each is, told by its first bytes or its ending, and what makes it readable."""

from __future__ import annotations

from pathlib import Path

FIJI = (
    "open it in Fiji (File > Import > Bio-Formats) and save it as a TIFF stack, or convert it with "
    "`bfconvert {name} brain.ome.tif` or `bioformats2raw {name} brain.zarr`"
)
MEDICAL = (
    "open it in Fiji or ITK-SNAP and save it as a TIFF stack, or read it with the Python package {package} and write "
    "its array (z, y, x) with numpy.save"
)
SLICES = (
    "convert the slices to TIFF or PNG, for example in Fiji (File > Import > Image Sequence, then File > Save As > "
    "Image Sequence)"
)
STACK = "save it as a TIFF stack, for example in Fiji"
PROJECT = "it describes images in other files: fuse them in Fiji (BigStitcher) and give the result"

BY_START: tuple[tuple[bytes, int, str, str], ...] = (
    (b"ZISRAWFILE", 0, "a Zeiss CZI file", FIJI),
    (b"\xda\xce\xbe\n", 0, "a Nikon ND2 file", FIJI),
    (b"\x70\x00\x00\x00", 0, "a Leica LIF or LOF file", FIJI),
    (b"OLYMPUSRAWFORMAT", 0, "an Olympus OIR file", FIJI),
    (b"SIS\x00", 0, "an Olympus ETS file, part of a VSI image", FIJI),
    (b"\xd0\xcf\x11\xe0", 0, "an Olympus OIB, Zeiss ZVI or other compound file", FIJI),
    (b"n+1\x00", 344, "a NIfTI file", MEDICAL.replace("{package}", "nibabel")),
    (b"ni1\x00", 344, "the header of a NIfTI pair", MEDICAL.replace("{package}", "nibabel")),
    (b"NRRD", 0, "an NRRD file", MEDICAL.replace("{package}", "pynrrd")),
    (b"DICM", 128, "a DICOM file", MEDICAL.replace("{package}", "pydicom")),
    (b"MAP ", 208, "an MRC file", MEDICAL.replace("{package}", "mrcfile")),
    (b"ObjectType", 0, "a MetaImage (MHD or MHA)", MEDICAL.replace("{package}", "SimpleITK")),
    (b"NDims", 0, "a MetaImage (MHD or MHA)", MEDICAL.replace("{package}", "SimpleITK")),
    (b"\xff\xd8\xff", 0, "a JPEG image", SLICES),
    (b"\x00\x00\x00\x0cjP  ", 0, "a JPEG 2000 image", SLICES),
    (b"\xffO\xffQ", 0, "a JPEG 2000 image", SLICES),
    (b"BM", 0, "a BMP image", SLICES),
    (b"GIF8", 0, "a GIF image", SLICES),
    (b"\x1f\x8b", 0, "a file packed with gzip", "unpack it first"),
    (b"PK\x03\x04", 0, "a ZIP archive", "unpack it first"),
    (b"7z\xbc\xaf", 0, "a 7z archive", "unpack it first"),
    (b"MATLAB 5.0", 0, "a MATLAB file", "save it in MATLAB with the option -v7.3, which is HDF5, or as a TIFF stack"),
)
"""First bytes, where they stand, what has them, what to do."""

BY_ENDING: dict[str, tuple[str, str]] = {
    ".czi": ("a Zeiss CZI file", FIJI),
    ".zvi": ("a Zeiss ZVI file", FIJI),
    ".nd2": ("a Nikon ND2 file", FIJI),
    ".lif": ("a Leica LIF file", FIJI),
    ".lof": ("a Leica LOF file", FIJI),
    ".xlef": ("a Leica project", FIJI),
    ".oir": ("an Olympus OIR file", FIJI),
    ".oib": ("an Olympus OIB file", FIJI),
    ".oif": ("an Olympus OIF file", FIJI),
    ".vsi": ("an Olympus VSI file, whose full image lies in the folder beside it", FIJI),
    ".ets": ("an Olympus ETS file, part of a VSI image", FIJI),
    ".sld": ("a SlideBook file", FIJI),
    ".sldy": ("a SlideBook file", FIJI),
    ".nii": ("a NIfTI file", MEDICAL.replace("{package}", "nibabel")),
    ".nii.gz": ("a NIfTI file", MEDICAL.replace("{package}", "nibabel")),
    ".hdr": ("the header of a NIfTI or Analyze pair", MEDICAL.replace("{package}", "nibabel")),
    ".nrrd": ("an NRRD file", MEDICAL.replace("{package}", "pynrrd")),
    ".nhdr": ("an NRRD header", MEDICAL.replace("{package}", "pynrrd")),
    ".mhd": ("a MetaImage header", MEDICAL.replace("{package}", "SimpleITK")),
    ".mha": ("a MetaImage", MEDICAL.replace("{package}", "SimpleITK")),
    ".dcm": ("a DICOM file", MEDICAL.replace("{package}", "pydicom")),
    ".mrc": ("an MRC file", MEDICAL.replace("{package}", "mrcfile")),
    ".raw": (
        "a file of bare values, which does not say its shape",
        "import it in Fiji (File > Import > Raw) and " + STACK,
    ),
    ".klb": ("a KLB file", STACK),
    ".jpg": ("a JPEG image", SLICES),
    ".jpeg": ("a JPEG image", SLICES),
    ".jp2": ("a JPEG 2000 image", SLICES),
    ".j2k": ("a JPEG 2000 image", SLICES),
    ".jpx": ("a JPEG 2000 image", SLICES),
    ".bmp": ("a BMP image", SLICES),
    ".gif": ("a GIF image", SLICES),
    ".webp": ("a WebP image", SLICES),
    ".avi": ("a film", STACK),
    ".mp4": ("a film", STACK),
    ".mat": ("a MATLAB file", "save it in MATLAB with the option -v7.3, which is HDF5, or as a TIFF stack"),
    ".xml": ("an XML file", PROJECT),
    ".npz": ("several NumPy arrays in one file", "save the one with the image with numpy.save"),
    ".zip": ("a ZIP archive", "unpack it first"),
    ".n5": ("an N5 container", "convert it to OME-Zarr, for example in Fiji (N5 plugin)"),
}
"""Endings, what has them, what to do."""

TIFF_OUTSIDE = (".vsi",)
"""Endings of files that are TIFF by their content, but hold a small preview alone."""


def described_foreign(path: Path) -> str | None:
    """What a file of another format is and what to do with it, for people; None where it is not known."""
    ending = _ending(path)
    if ending in {".nii.gz", ".npz"}:
        return _told(path, *BY_ENDING[ending])
    with path.open("rb") as file:
        start = file.read(512)
    for mark, place, what, way in BY_START:
        if start[place : place + len(mark)] == mark:
            return _told(path, what, way)
    return _told(path, *BY_ENDING[ending]) if ending in BY_ENDING else None


def foreign_in(folder: Path) -> list[Path]:
    """What a folder holds in formats that are not read, by their endings."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and _ending(p) in BY_ENDING)


def _ending(path: Path) -> str:
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def _told(path: Path, what: str, way: str) -> str:
    return f"{path} is {what}, which is not read: {way.format(name=path.name)}"
