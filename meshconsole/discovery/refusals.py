"""Why a workload is not registered."""


class Refused(ValueError):
    """The workload cannot be registered."""


class Taken(Refused):
    """Another identity has this name."""
