"""Points: matching found against true ones, and linking the peaks of slices to cells."""
