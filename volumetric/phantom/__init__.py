"""Synthetic brains and crops in which every cell is known."""
