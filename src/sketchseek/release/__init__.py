"""How the bundled models are made: train and export in stages, measure, and store what the documents are made of.

For maintainers: ``python -m sketchseek.release build`` and ``python -m sketchseek.release measure``, both called by the
Makefile. Users of sketchseek need none of it.
"""
