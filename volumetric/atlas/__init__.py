"""Atlases: loading, the hierarchy of regions, labels in sample space, counts."""
