"""Data sets in their official layouts, as lists of photos and drawings, with named, checksummed splits."""
