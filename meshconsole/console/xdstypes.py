"""The xDS types in the order in which people think of them, with Envoy's names for them."""

TYPES = {
    "lds": "Listeners",
    "rds": "Routes",
    "vhds": "Virtual hosts",
    "cds": "Clusters",
    "eds": "Endpoints",
    "sds": "Secrets",
}


def order(type_: str) -> tuple[int, str]:
    names = list(TYPES)
    return (names.index(type_) if type_ in names else len(names), type_)
