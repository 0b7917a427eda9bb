"""How visitors are read, on an operator's files: for the service, and for ``twinlock risk``."""

from twinlock.adapters.settings import Settings
from twinlock.adapters.sign_ins.reading import Reader


def reader_of(settings: Settings) -> Reader:
    """Return what reads visitors as the service does. Raises NetworkFileError."""
    return Reader(networks=settings.network_file, cities=settings.city_file)
