"""Evaluation of retrieval: protocols, metrics, confidence intervals, reports. Needs NumPy, not torch."""
