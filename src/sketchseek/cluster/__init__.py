"""Libraries in object storage and shared folders, with Lance (extra ``cluster``)."""
