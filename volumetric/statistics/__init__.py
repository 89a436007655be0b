"""Groups of brains compared region by region: designs, tests, effect sizes, discoveries, density maps.

Arrays are (n_brains, n_tests), one column a region and hemisphere; NaN marks a brain left out of a column.
"""
