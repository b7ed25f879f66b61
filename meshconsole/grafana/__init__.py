"""Grafana: dashboards generated with Grafana's own SDK, written to files or pushed over its API, and links into them. No Django."""
