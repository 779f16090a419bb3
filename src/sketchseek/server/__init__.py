"""The HTTP server: the REST API and the web page."""

API_PREFIX = "/api/v1"
"""Path below which every REST route lives."""
