"""Bookinfo, as small real HTTP services of ours, and the traffic that visits it. Nothing here is imported by the product."""
