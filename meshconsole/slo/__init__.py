"""Service level objectives: what was promised, how much of the budget is left, how fast it burns. Knows no alerts; they look at it from above."""
