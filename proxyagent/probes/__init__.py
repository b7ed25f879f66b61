"""How the agent finds out whether the application beside it takes requests. One file is one way to ask; each answers why not, or ''."""
