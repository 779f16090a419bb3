"""The search half: catalog, vector index and library. See ``sketchseek.search.library``."""
