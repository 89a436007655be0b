"""Tiles that are made up, with the cells in them known."""
