"""The pages, one module each. Thin: they ask the rooms below, and templates say it."""
