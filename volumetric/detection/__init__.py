"""The cell detector: CenterNet on single slices."""
