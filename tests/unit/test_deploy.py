"""What deploy/ offers to autoscalers asks for metrics that exist, and never counts them twice."""

from __future__ import annotations

import functools
import pathlib
import re
import subprocess
from typing import Any

import pytest
import yaml

from celery_sentinel.metrics import catalogue
from tests.servers import server

DIRECTORY = pathlib.Path(__file__).parents[2] / "deploy" / "autoscaling"
HPA = "hpa-external-metrics.yaml"
MANIFESTS = sorted(path.name for path in DIRECTORY.glob("*.yaml"))
SUFFIXES = ("_bucket", "_sum", "_count")  # the samples of a histogram
ASKED = {"job": "celery-sentinel", "queue_name": "billing"}
# A pair of celery-sentinels, each of which sees 40 messages, 3 busy slots of 8, and an age of
# which only the first knows the truth; another broker has a queue of the same name.
SERIES = {
    'celery_queue_length{job="celery-sentinel",instance="a",pod="a",queue_name="billing"}': 40,
    'celery_queue_length{job="celery-sentinel",instance="b",pod="b",queue_name="billing"}': 40,
    'celery_queue_length{job="celery-sentinel",instance="b",pod="b",queue_name="emails"}': 5,
    'celery_queue_length{job="another",instance="c",pod="c",queue_name="billing"}': 1000,
    'celery_queue_worker_slots{job="celery-sentinel",instance="a",queue_name="billing"}': 8,
    'celery_queue_worker_slots{job="celery-sentinel",instance="b",queue_name="billing"}': 8,
    'celery_queue_worker_slots_busy{job="celery-sentinel",instance="a",queue_name="billing"}': 3,
    'celery_queue_worker_slots_busy{job="celery-sentinel",instance="b",queue_name="billing"}': 3,
    'celery_queue_worker_slots_busy{job="celery-sentinel",instance="b",queue_name="emails"}': 3,
    "celery_queue_oldest_message_timestamp_seconds"
    '{job="celery-sentinel",instance="a",queue_name="billing",source="tracked"}': 180,
    "celery_queue_oldest_message_timestamp_seconds"
    '{job="celery-sentinel",instance="b",queue_name="billing",source="observed"}': 270,
}
EMPTY = {name: 0 for name in SERIES if name.startswith("celery_queue_length")}
MINUTES = 5


def loaded(name: str) -> Any:
    """Return the only document of a manifest."""
    return yaml.safe_load((DIRECTORY / name).read_text())


def triggers() -> dict[str, dict[str, Any]]:
    """Return KEDA's triggers by name."""
    document = loaded("keda-scaledobject.yaml")
    return {trigger["name"]: trigger for trigger in document["spec"]["triggers"]}


def rules() -> dict[str, str]:
    """Return the queries of prometheus-adapter, as it asks them for our autoscaler."""
    matchers = ",".join(f'{label}="{value}"' for label, value in ASKED.items())
    return {
        rule["name"]["as"]: rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers)
        for rule in loaded("prometheus-adapter-rules.yaml")["rules"]["external"]
    }


def in_readme() -> list[str]:
    """Return the queries that the README shows."""
    text = (DIRECTORY / "README.md").read_text()
    return re.findall(r"```promql\n(.*?)```", text, re.DOTALL)


@functools.cache
def queries() -> list[str]:
    """Return all queries there are."""
    asked_by_keda = [trigger["metadata"]["query"] for trigger in triggers().values()]
    return [*asked_by_keda, *rules().values(), *in_readme()]


def evaluated(query: str, series: dict[str, int], directory: pathlib.Path) -> list[str]:
    """Return what Prometheus complains about when ``query`` should yield nothing."""
    test = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": f"{value}+0x{MINUTES}"}
                    for name, value in series.items()
                ],
                "promql_expr_test": [
                    {"expr": query, "eval_time": f"{MINUTES}m", "exp_samples": []},
                ],
            },
        ],
    }
    file = directory / "test.yml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run(
        [server.find_binary("promtool", package="prometheus"), "test", "rules", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = done.stdout + done.stderr
    assert "parse error" not in told
    got = re.findall(r"^\s*got:\s*(.*)$", told, re.MULTILINE)
    assert bool(got) != ("SUCCESS" in told), told
    return got


def value(query: str, series: dict[str, int], directory: pathlib.Path) -> float:
    """Return the only value that ``query`` yields over ``series`` after five minutes."""
    [got] = evaluated(query, series, directory)
    [number] = re.findall(r"\s(\S+)$", got)
    return float(number)


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_name_their_kind(name: str) -> None:
    """Each file is one document; what goes to Kubernetes says what it is and which it scales."""
    document = loaded(name)
    if name == "prometheus-adapter-rules.yaml":
        assert list(document) == ["rules"]
        return
    assert {"apiVersion", "kind", "metadata", "spec"} == set(document)
    assert document["spec"]["scaleTargetRef"]["name"] == "worker-billing"


def test_every_metric_is_in_the_catalogue() -> None:
    """No query, and no line of the README, asks for a metric that nobody exposes."""
    known = {metric.name for metric in catalogue.METRICS}
    known |= {
        f"{metric.name}{suffix}"
        for metric in catalogue.METRICS
        if metric.type == "histogram"
        for suffix in SUFFIXES
    }
    texts = [*queries(), (DIRECTORY / "README.md").read_text()]
    asked = {name for text in texts for name in re.findall(r"\bcelery_[a-z_]*[a-z]\b", text)}
    assert asked - known == set()


def test_every_label_is_in_the_catalogue() -> None:
    """Queries select by labels that the metric has, or that Prometheus gives to a target."""
    labels = {metric.name: {"job", *metric.labels} for metric in catalogue.METRICS}
    for query in queries():
        for name, matchers in re.findall(r"(celery_[a-z_]+){([^}]*)}", query):
            asked = set(re.findall(r"(\w+)=", matchers))
            assert asked <= labels[re.sub(r"(?<=seconds)_(sum|count)$", "", name)], query


def test_the_autoscaler_asks_for_what_the_adapter_offers() -> None:
    """Names and labels of the two files fit together."""
    external = [metric["external"]["metric"] for metric in loaded(HPA)["spec"]["metrics"]]
    assert {metric["name"] for metric in external} == set(rules())
    assert all(metric["selector"]["matchLabels"] == ASKED for metric in external)


def test_both_ways_have_the_same_numbers() -> None:
    """KEDA and the autoscaler scale by the same thresholds and within the same time."""
    keda, autoscaler = loaded("keda-scaledobject.yaml")["spec"], loaded(HPA)["spec"]
    targets = [metric["external"]["target"] for metric in autoscaler["metrics"]]

    assert [trigger["metadata"]["threshold"] for trigger in triggers().values()] == [
        targets[0]["averageValue"],
        targets[1]["value"],
    ]
    assert [trigger["metricType"] for trigger in triggers().values()] == [
        target["type"] for target in targets
    ]
    assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == autoscaler["behavior"]


def test_an_unknown_backlog_is_no_empty_queue() -> None:
    """When the length is absent KEDA is told so, and has a fallback that sends nobody home."""
    assert triggers()["work"]["metadata"]["ignoreNullValues"] == "false"
    assert triggers()["work"]["metricType"] == "AverageValue"  # the kind that has a fallback
    fallback = loaded("keda-scaledobject.yaml")["spec"]["fallback"]
    assert fallback["behavior"] == "currentReplicasIfHigher"


@pytest.mark.parametrize("query", queries())
def test_prometheus_can_read_every_query(query: str, tmp_path: pathlib.Path) -> None:
    """Each query parses, and yields one value at most."""
    assert len(evaluated(query, SERIES, tmp_path)) <= 1


def test_a_pair_is_not_counted_twice(tmp_path: pathlib.Path) -> None:
    """Two celery-sentinels see 40 messages and 3 busy slots: that is 43, and the true age."""
    work, age = (triggers()[name]["metadata"]["query"] for name in ("work", "age"))
    assert value(work, SERIES, tmp_path) == 43
    assert value(age, SERIES, tmp_path) == 120
    assert value(rules()["celery_queue_work"], SERIES, tmp_path) == 43
    assert value(rules()["celery_queue_age_seconds"], SERIES, tmp_path) == 120


def test_without_workers_and_messages_there_is_nothing_to_do(tmp_path: pathlib.Path) -> None:
    """A queue that is empty and that nobody consumes is 0, where it is known to be so."""
    for query in [triggers()[name]["metadata"]["query"] for name in ("work", "age")]:
        assert value(query, EMPTY, tmp_path) == 0
    for query in rules().values():
        assert value(query, EMPTY, tmp_path) == 0


def test_without_a_length_the_work_is_unknown(tmp_path: pathlib.Path) -> None:
    """Busy slots alone do not make up for a length that could not be read."""
    busy = {name: n for name, n in SERIES.items() if "length" not in name}
    assert evaluated(triggers()["work"]["metadata"]["query"], busy, tmp_path) == []
    assert evaluated(rules()["celery_queue_work"], busy, tmp_path) == []


def test_the_examples_of_the_readme(tmp_path: pathlib.Path) -> None:
    """Utilisation and several queues come out right for a pair, too."""
    _, utilisation, several = in_readme()
    assert value(utilisation, SERIES, tmp_path) == 3 / 8
    assert value(several, SERIES, tmp_path) == 48
