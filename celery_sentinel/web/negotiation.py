"""Which exposition format and which coding a scraper wants, by its Accept headers."""

from __future__ import annotations

import dataclasses

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text"

# Asked for by name by scrapers alone; the last is not served, its askers take text instead.
_FORMATS = frozenset({OPENMETRICS, "application/vnd.google.protobuf"})

# All our names are valid in the old alphabet, so that these three schemes leave them as they
# are. `dots` doubles underscores; who asks for it is told that he gets underscores.
_FAITHFUL_ESCAPINGS = frozenset({"allow-utf-8", "underscores", "values"})


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """An exposition format and the Content-Type that announces it."""

    openmetrics: bool
    content_type: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Offer:
    """One element of an Accept header; parameter names are in lower case."""

    name: str
    parameters: dict[str, str]
    quality: float


TEXT_0_0_4 = Format(openmetrics=False, content_type=f"{TEXT}; version=0.0.4; charset=utf-8")


def choose_format(accept: str) -> Format:
    """Return the format to answer with; text 0.0.4 when nothing else is asked for.

    The highest quality wins and, among equals, the first. A scrape is never refused: who asks
    only for what does not exist gets text 0.0.4, as from every Prometheus client library.
    """
    best, best_quality = TEXT_0_0_4, 0.0
    for offer in _offers(accept):
        chosen = _format_of(offer)
        if chosen is not None and offer.quality > best_quality:
            best, best_quality = chosen, offer.quality
    return best


def is_scraper(accept: str) -> bool:
    """Return whether a client asks for an exposition format by name, as scrapers do.

    curl and browsers ask for anything or for HTML; they are people who want to see what is true.
    """
    return any(
        offer.name in _FORMATS or (offer.name == TEXT and "version" in offer.parameters)
        for offer in _offers(accept)
    )


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether gzip is allowed and not liked less than no coding at all."""
    qualities = {offer.name: offer.quality for offer in _offers(accept_encoding)}
    anything = qualities.get("*", 0.0)
    gzip = qualities.get("gzip", qualities.get("x-gzip", anything))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _format_of(offer: _Offer) -> Format | None:
    version = offer.parameters.get("version", "")
    match offer.name, version:
        case ("application/openmetrics-text", "" | "1.0.0"):
            return _escaped(OPENMETRICS, offer, openmetrics=True)
        case ("text/plain", "1.0.0"):
            return _escaped(TEXT, offer, openmetrics=False)
        case ("text/plain", "" | "0.0.4") | ("text/*" | "*/*", _):
            return TEXT_0_0_4
        case _:
            return None


def _escaped(media_type: str, offer: _Offer, *, openmetrics: bool) -> Format:
    """Return version 1.0.0 of a format: both of them must name their escaping scheme."""
    asked = offer.parameters.get("escaping", "")
    escaping = asked if asked in _FAITHFUL_ESCAPINGS else "underscores"
    content_type = f"{media_type}; version=1.0.0; charset=utf-8; escaping={escaping}"
    return Format(openmetrics=openmetrics, content_type=content_type)


def _offers(header: str) -> list[_Offer]:
    return [_offer(element) for element in header.split(",") if element.strip()]


def _offer(element: str) -> _Offer:
    name, *rest = element.split(";")
    parameters = {}
    for parameter in rest:
        key, _, value = parameter.partition("=")
        parameters[key.strip().lower()] = value.strip().strip('"')
    return _Offer(name.strip().lower(), parameters, _quality(parameters.get("q", "1")))


def _quality(text: str) -> float:
    """Return a quality between 0 and 1; what cannot be read counts as 0, not wanted."""
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
