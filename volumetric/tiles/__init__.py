"""Tiles for people to annotate: cut inside regions, in one brightness, judged, and dealt out to workers."""
