"""Whether a YAML text bears comments, which no store of values keeps."""

import re

import yaml

_HASH = re.compile(r"(?:^|(?<=\s))#")


def has_comments(text: str) -> bool:
    """A `#` that is outside of every scalar."""
    places = [found.start() for found in _HASH.finditer(text)]
    if not places:
        return False
    try:
        scalars = [(t.start_mark.index, t.end_mark.index) for t in yaml.scan(text) if isinstance(t, yaml.ScalarToken)]
    except yaml.YAMLError:
        return False
    return any(not any(start <= place < end for start, end in scalars) for place in places)
