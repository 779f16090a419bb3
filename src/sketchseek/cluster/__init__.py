"""Libraries in object storage and shared folders, with Lance (extra ``cluster``)."""

import os

# Lance reads it once, when it is imported. It would warn of every empty cluster of a new part of the index.
os.environ.setdefault("LANCE_LOG", "error")
