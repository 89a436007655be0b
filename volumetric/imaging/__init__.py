"""Pure functions of images: intensity, pooling."""
