"""One trial taken apart on one page."""

from lrsym.rooms import make_callable

make_callable(__name__)
