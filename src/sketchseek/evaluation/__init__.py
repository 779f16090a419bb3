"""Measuring retrieval: metrics, intervals, protocols and reports, on NumPy alone."""
