"""One file, one dashboard: each has a DASHBOARD."""
