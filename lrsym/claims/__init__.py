"""Claims: sentences about the tables, each with an estimate, an interval and a verdict. Knows no torch and no Ray."""

from lrsym.rooms import make_callable

make_callable(__name__)
