"""Loads data sets from their official layouts: photos, sketches, and named splits with checksums."""
