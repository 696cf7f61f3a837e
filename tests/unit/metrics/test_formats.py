"""Our text says the same to a parser as prometheus_client's own, in both formats."""

from __future__ import annotations

import gc
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from celery_sentinel.metrics import catalogue, exposition, samples, text_format
from tests.unit.metrics import parsing

FORMATS = pytest.mark.parametrize("as_openmetrics", [False, True], ids=["text", "openmetrics"])

texts = st.text(
    st.one_of(st.characters(codec="utf-8", exclude_characters="\0"), st.sampled_from('"\\\n%{},=')),
    max_size=12,
)
label_names = st.lists(
    st.sampled_from(["name", "queue_name", "hostname", "a", "_b", "state"]), unique=True, max_size=3
)
counts = st.one_of(st.integers(0, 2**70), st.floats(0, allow_nan=False))
numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats())
bounds = st.lists(st.floats(1e-6, 1e6), unique=True, max_size=4).map(sorted).map(tuple)


@st.composite
def families(draw: st.DrawFn) -> list[samples.Family]:
    """Draw some families of all types, with labels that hold anything."""
    return [_family(draw, n) for n in range(draw(st.integers(0, 4)))]


def _family(draw: st.DrawFn, number: int) -> samples.Family:
    kind: catalogue.Type = draw(st.sampled_from(["counter", "gauge", "histogram"]))
    unit = draw(st.sampled_from(["", "seconds", "bytes"]))
    names = tuple(draw(label_names))
    metric = catalogue.Metric(
        group="sentinel",
        type=kind,
        name=f"m{number}{'_' if unit else ''}{unit}" + ("_total" if kind == "counter" else ""),
        help=draw(texts),
        source="x",
        labels=names,
        unit=unit,
    )
    keys = draw(st.lists(st.tuples(*[texts for _ in names]), unique=True, min_size=1, max_size=4))
    value: st.SearchStrategy[Any] = counts if kind == "counter" else numbers
    if kind == "histogram":
        limits = draw(bounds)
        value = st.builds(
            samples.Distribution,
            st.just(limits),
            st.lists(st.integers(0, 99), min_size=len(limits) + 1, max_size=len(limits) + 1),
            st.floats(0, allow_nan=False),
        )
    return samples.family(metric, [(key, draw(value)) for key in keys])


@settings(max_examples=300, deadline=None)
@given(found=families(), as_openmetrics=st.booleans())
def test_given_any_families_then_they_parse_to_the_same_as_prometheus_clients(
    found: list[samples.Family],
    as_openmetrics: bool,
) -> None:
    """Names, types, help, units, labels and values are what prometheus_client would have said."""
    ours = parsing.render(found, as_openmetrics=as_openmetrics)
    theirs = parsing.reference(found, as_openmetrics=as_openmetrics)
    assert parsing.parse(ours, as_openmetrics=as_openmetrics) == parsing.parse(
        theirs, as_openmetrics=as_openmetrics
    )


@settings(max_examples=100, deadline=None)
@given(found=families(), as_openmetrics=st.booleans())
def test_given_any_families_when_rendered_again_then_the_text_is_the_same(
    found: list[samples.Family],
    as_openmetrics: bool,
) -> None:
    """What is kept of the first rendering, in whichever format, makes no difference."""
    ours = exposition.Exposition(
        lambda: found, extra=lambda _: "", hold=0.0, monotonic=lambda: 1.0, wall=lambda: 1e9
    )
    first = ours.render(openmetrics=as_openmetrics)
    ours.render(openmetrics=not as_openmetrics)
    assert ours.render(openmetrics=as_openmetrics) == first


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (10**21, "1" + "0" * 21),
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (1e300, "1e+300"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_given_a_number_then_it_is_written_as_both_formats_want_it(
    value: float, expected: str
) -> None:
    """Infinities and NaN have spellings of their own."""
    assert text_format.number(value) == expected


def test_given_labels_then_they_are_escaped() -> None:
    """Backslash, quote and newline are escaped and nothing else is."""
    assert text_format.label_pairs(("a", "b"), ('\\"\n', "{%s}é\r")) == 'a="\\\\\\"\\n",b="{%s}é\r"'


def gauge(value: float = 1.0, *labels: str) -> samples.Family:
    """Return a family of one child."""
    metric = catalogue.Metric(
        group="sentinel", type="gauge", name="g_seconds", help='A "g".', source="x", unit="seconds"
    )
    return samples.Family(metric, ("a",) if labels else (), [(labels, value)])


def test_given_openmetrics_then_type_unit_and_end_are_said() -> None:
    """OpenMetrics has UNIT lines, quotes escaped in HELP, and an end."""
    assert parsing.render([gauge()], as_openmetrics=True) == (
        '# HELP g_seconds A \\"g\\".\n# TYPE g_seconds gauge\n# UNIT g_seconds seconds\n'
        "g_seconds 1.0\n# EOF\n"
    )


def test_given_text_then_type_is_said_and_unit_and_end_are_not() -> None:
    """The text format knows HELP and TYPE."""
    assert parsing.render([gauge(1.0, "x")], as_openmetrics=False) == (
        '# HELP g_seconds A "g".\n# TYPE g_seconds gauge\ng_seconds{a="x"} 1.0\n'
    )


def test_given_a_counter_then_only_openmetrics_says_when_it_was_created() -> None:
    """``_created`` is the epoch at which a child was first exposed, and stays so."""
    family = samples.single(catalogue.WORKER_LOST, 3)
    clock = [1000.0]
    ours = exposition.Exposition(
        lambda: [family], extra=lambda _: "", hold=0.0, wall=lambda: clock[0]
    )
    assert b"_created" not in ours.render(openmetrics=False)
    clock[0] = 2000.0
    found = parsing.values(ours.render(openmetrics=True).decode(), as_openmetrics=True)
    assert found == {
        ("celery_worker_lost_total",): 3,
        ("celery_worker_lost_created",): 1000.0,
    }


@FORMATS
def test_given_an_empty_family_then_nothing_is_said_of_it(as_openmetrics: bool) -> None:
    """A metric without children has no lines at all, not even HELP."""
    empty = samples.family(catalogue.EVENTS, [])
    absent = samples.single(catalogue.EVENT_LAG, None)
    text = parsing.render([empty, absent], as_openmetrics=as_openmetrics)
    assert text == (parsing.EOF_LINE if as_openmetrics else "")


@FORMATS
def test_given_text_of_others_then_it_stands_before_the_end(as_openmetrics: bool) -> None:
    """Process metrics come from another library, in the format that was asked for."""
    ours = exposition.Exposition(
        lambda: [gauge()], extra=lambda asked: f"# asked {asked}\n", hold=0.0
    )
    lines = ours.render(openmetrics=as_openmetrics).decode().splitlines()
    where = -2 if as_openmetrics else -1
    assert lines[where] == f"# asked {as_openmetrics}"


@FORMATS
def test_given_a_rendering_then_its_size_and_duration_are_known(as_openmetrics: bool) -> None:
    """A histogram counts with its buckets, sum and count; ``_created`` and others' do not."""
    spread = samples.Distribution((1.0, 2.0), [1, 2, 3], 9.0)
    family = samples.family(catalogue.TASK_QUEUE_WAIT, [(("a", "b"), spread)])
    ours = exposition.Exposition(lambda: [gauge(), family], extra=lambda _: "x 1\n", hold=0.0)
    ours.render(openmetrics=as_openmetrics)
    assert ours.series == 6
    assert ours.duration > 0


@FORMATS
def test_given_more_children_than_a_chunk_then_each_is_there_once(as_openmetrics: bool) -> None:
    """Large families are rendered in chunks, under one header."""
    metric = catalogue.WORKER_RESTARTS
    family = samples.family(metric, [((f"w{n}",), n) for n in range(text_format.CHUNK + 1)])
    text = parsing.render([family], as_openmetrics=as_openmetrics)
    assert len(re.findall(r"^# TYPE ", text, re.MULTILINE)) == 1
    found = parsing.values(text, as_openmetrics=as_openmetrics)
    assert all(found[metric.name, f"w{n}"] == n for n in range(text_format.CHUNK + 1))


def test_no_garbage_is_collected_while_rendering() -> None:
    """A collection would hold up every thread, with the model's lock held perhaps."""
    seen = []

    def collect() -> list[samples.Family]:
        seen.append(gc.isenabled())
        return []

    ours = exposition.Exposition(collect, extra=lambda _: "", hold=0.0)
    ours.render(openmetrics=False)
    assert seen == [False]
    assert gc.isenabled()
