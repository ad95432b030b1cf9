"""Price paths from a seed: one kind of market a module, over a `grid.Grid` of times, from a generator of `streams.stream`.

Every function takes the grid and a `numpy.random.Generator` and returns prices (paths, n) > 0; column 0 is the start. With
several paths, all come from the one generator; a path that must not depend on how many are drawn has a stream of its own
(`streams.stream(seed, path)`) and is drawn alone. Each docstring says what is drawn, in which order.

Whole numbers (times, which rows a bootstrap takes) are the same everywhere. Prices are so to some last bits: exponentials,
logarithms and Fourier transforms round differently on other processors, and NumPy's random streams may change with its
version. Compare prices with a tolerance.
"""
