"""The search wing: catalog, vector index and library. See ``sketchseek.search.library``."""
