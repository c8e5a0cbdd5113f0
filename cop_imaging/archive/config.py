"""How an archive is asked over a network: how long is waited, how often is tried again, how fast is asked."""

from __future__ import annotations

from cop_imaging.config import Section, quantity

__all__ = ["ArchiveAccess"]


class ArchiveAccess(Section):
    """Time-outs, patience and pace of requests to a DICOMweb server or a PACS."""

    connect_s: float = quantity(
        10.0,
        low=0.1,
        high=300.0,
        unit="s",
        means="longest wait for a connection, with its TLS handshake or DICOM association",
        source="three lost SYN packets (1, 2 and 4 s, RFC 6298) and a slow handshake",
    )
    idle_s: float = quantity(
        60.0,
        low=0.1,
        high=3600.0,
        unit="s",
        means="longest silence within an answer before the connection is given up",
        source="archives fetch series from slow storage before they send; estimate",
    )
    total_s: float = quantity(
        1800.0,
        low=1.0,
        high=86400.0,
        unit="s",
        means="longest time that one attempt to list or fetch a series may take, however alive it is",
        source="2000 slices of 0.5 MB at 5 Mbit/s; estimate",
    )
    patience_s: float = quantity(
        300.0,
        low=0.0,
        high=86400.0,
        unit="s",
        means="how long a request is tried again after its first failure; 0 gives up at once",
        source="a server that restarts or is updated comes back within minutes; estimate",
    )
    first_wait_s: float = quantity(
        0.5,
        low=0.01,
        high=60.0,
        unit="s",
        means="wait before the second attempt; it doubles with each further one",
        source="exponential back-off, at random between half and all of it so that workers do not return together",
    )
    longest_wait_s: float = quantity(
        30.0,
        low=0.01,
        high=600.0,
        unit="s",
        means="longest wait between two attempts, a wait that the server asks for included",
        source="a server that came back is used again within half a minute; estimate",
    )
    incomplete_tries: int = quantity(
        3,
        low=1,
        high=20,
        unit="1",
        means="attempts to fetch a series that arrives with fewer images than were listed",
        source="what fails thrice lacks the images; estimate",
    )
    requests_per_s: float = quantity(
        50.0,
        low=0.01,
        high=10000.0,
        unit="1/s",
        means="most requests per second that one process makes, as an average over any second",
        source="a clinical archive serves people first; estimate",
    )
    page: int = quantity(
        200,
        low=1,
        high=100000,
        unit="1",
        means="matches that are asked for at once (DICOMweb limit)",
        source="servers cap a page between 100 and 1000",
    )
