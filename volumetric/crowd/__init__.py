"""Ground truth from a crowd: clicks of many people to cells, and how far each of them can be relied on."""
