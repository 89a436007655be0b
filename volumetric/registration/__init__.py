"""Registration: the map between a sample and an atlas, and how far to trust it."""
