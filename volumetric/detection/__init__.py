"""The cell detector: CenterNet on slices and their neighbours."""
