"""What a store says when it cannot answer."""


class Unavailable(Exception):
    """The store is away or refused the question; said in a sentence."""


class Refused(Unavailable):
    """The question itself is wrong, or there is nobody to ask: asking again changes nothing."""
