"""Whole meshes of real processes: console, Valkey, agents, Envoys, applications. What a user would see, as tests that can fail."""
