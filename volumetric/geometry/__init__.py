"""Boxes, voxel spaces, orientations, block grids and the sample-to-atlas transform."""
