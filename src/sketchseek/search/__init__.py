"""Search: libraries, their catalogs and indexes. See ``sketchseek.search.library``."""
