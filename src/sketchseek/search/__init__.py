"""The search wing: catalogue, vector index and library. See ``sketchseek.search.library``."""
