"""What a store says when it cannot answer."""


class Unavailable(Exception):
    """The store is away or refused the question; said in a sentence."""
