"""The format and the coding of an exposition follow the Accept headers."""

from __future__ import annotations

import pytest
from prometheus_client import exposition

from celery_sentinel.web import negotiation

TEXT_0 = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8; escaping={}"
OPENMETRICS_1 = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping={}"

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
    "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROMETHEUS_3_TEXT_ONLY = (
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
)
PROMETHEUS_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
    "q=0.6," + PROMETHEUS_2
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT_0),
        ("*/*", TEXT_0),
        ("text/*", TEXT_0),
        ("text/plain", TEXT_0),
        (BROWSER, TEXT_0),
        ("application/json", TEXT_0),
        ("text/plain;version=1.0.0", TEXT_1.format("underscores")),
        ("text/plain; version=1.0.0; escaping=allow-utf-8", TEXT_1.format("allow-utf-8")),
        ("application/openmetrics-text", OPENMETRICS_1.format("underscores")),
        ('Application/OpenMetrics-Text; Version="1.0.0"', OPENMETRICS_1.format("underscores")),
        (
            "application/openmetrics-text;version=1.0.0;escaping=values",
            OPENMETRICS_1.format("values"),
        ),
        ("application/openmetrics-text;version=0.0.1", TEXT_0),
        ("application/openmetrics-text;version=2.0.0", TEXT_0),
        (PROMETHEUS_2, OPENMETRICS_1.format("underscores")),
        (PROMETHEUS_3, OPENMETRICS_1.format("allow-utf-8")),
        (PROMETHEUS_3_TEXT_ONLY, TEXT_1.format("allow-utf-8")),
        (PROMETHEUS_PROTOBUF, OPENMETRICS_1.format("underscores")),
    ],
)
def test_content_type(accept: str, expected: str) -> None:
    """Every format is announced with its version and, from 1.0.0 on, its escaping scheme."""
    assert negotiation.choose_format(accept).content_type == expected


@pytest.mark.parametrize(
    "accept", ["", PROMETHEUS_2, PROMETHEUS_3, PROMETHEUS_3_TEXT_ONLY, PROMETHEUS_PROTOBUF, BROWSER]
)
def test_real_scrapers_get_what_the_client_library_gives(accept: str) -> None:
    """For the headers that Prometheus and browsers send we agree with prometheus_client."""
    _, content_type = exposition.choose_encoder(accept)

    assert negotiation.choose_format(accept).content_type == content_type


def test_openmetrics_is_what_the_content_type_says() -> None:
    """The flag for the renderer and the announcement never disagree."""
    assert negotiation.choose_format(PROMETHEUS_3).openmetrics is True
    assert negotiation.choose_format(PROMETHEUS_3_TEXT_ONLY).openmetrics is False


def test_quality_beats_order() -> None:
    """A later element with a higher quality wins, whatever stands first."""
    accept = "application/openmetrics-text;version=1.0.0;q=0.1, text/plain;version=0.0.4;q=0.9"

    assert negotiation.choose_format(accept) == negotiation.TEXT_0_0_4


def test_order_decides_among_equals() -> None:
    """Two elements of one quality: the first wins."""
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4"

    assert negotiation.choose_format(accept).openmetrics is True


@pytest.mark.parametrize("quality", ["0", "0.0", "-1", "2", "much", "nan", ""])
def test_unusable_quality_is_not_wanted(quality: str) -> None:
    """Quality 0 and what cannot be read exclude a format."""
    accept = f"application/openmetrics-text;version=1.0.0;q={quality},text/plain;q=0.1"

    assert negotiation.choose_format(accept) == negotiation.TEXT_0_0_4


def test_dots_escaping_is_not_promised() -> None:
    """The scheme that would rename our metrics is answered with the one that does not."""
    chosen = negotiation.choose_format("text/plain;version=1.0.0;escaping=dots")

    assert chosen.content_type == TEXT_1.format("underscores")


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("br, deflate", False),
        ("gzip;q=nonsense", False),
    ],
)
def test_gzip(accept_encoding: str, expected: bool) -> None:
    """The response is compressed when that is allowed and not liked less than plain bytes."""
    assert negotiation.accepts_gzip(accept_encoding) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/html", False),
        ("text/plain", False),
        ("application/json, text/plain, */*", False),
        (BROWSER, False),
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        (PROMETHEUS_3_TEXT_ONLY, True),
        (PROMETHEUS_PROTOBUF, True),
        ("text/plain;version=0.0.4;q=1,*/*;q=0.1", True),
        ("text/plain; version=0.0.4", True),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=0.0.1", True),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.7", True),
        ("Text/Plain; VERSION=1.0.0", True),
    ],
)
def test_scrapers_and_people(accept: str, expected: bool) -> None:
    """Who names a format and its version is a scraper; who takes anything is a person."""
    assert negotiation.is_scraper(accept) is expected
