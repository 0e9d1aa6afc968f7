"""Reading charts in tests: the parts of a Vega-Lite specification."""


def nodes(part):
    """Every dictionary within a specification."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(inner)


def marks(spec, kind):
    """The layers of a specification that draw marks of one kind."""
    return [node for node in nodes(spec) if isinstance(node.get("mark"), dict) and node["mark"]["type"] == kind]


def rows(spec, layer):
    """The data of one layer."""
    return [*spec["datasets"][layer["data"]["name"]]]


def panels(chart):
    """The panels of a chart that sets several beside each other."""
    return picture(chart)["concat"]


def subtitle(chart):
    """The lines below the title, as one."""
    return " ".join(chart.to_dict()["title"]["subtitle"])


def picture(chart):
    """The specification of the one chart that stands in the column of a picture."""
    (inner,) = chart.to_dict()["vconcat"]
    return inner
