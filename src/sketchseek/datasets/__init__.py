"""Data sets in their official layouts, as lists of photos and sketches, with named, checksummed splits."""
