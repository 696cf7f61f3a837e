"""The cause is delivered, what follows from it is not: proved on a running Alertmanager."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.servers import alertmanager

pytestmark = pytest.mark.xdist_group("alertmanager")
_SECONDS = 90.0


class Case(NamedTuple):
    """Alerts of one fleet as ``name severity label=value …``: who speaks, who is silenced."""

    speak: list[str]
    silent: list[str]


OWN_PROCESS = ["CelerySentinelCrashLoop critical", "CelerySentinelConfigReloadFailed warning"]
CASES = {
    "absent": Case(
        ["CelerySentinelAbsent critical", "CeleryWatchdog none"],
        [
            "CeleryBrokerDown critical transport=redis",
            "CelerySentinelDown warning instance=a",
            "CeleryQueueTooOld critical queue_name=q",
            "CeleryTaskStuck warning name=t",
        ],
    ),
    "broker": Case(
        ["CeleryBrokerDown critical transport=redis", "CeleryWatchdog none", *OWN_PROCESS],
        [
            "CeleryWorkerLost warning hostname=w",
            "CeleryNoWorkers critical",
            "CeleryQueueNoConsumers critical queue_name=q",
            "CeleryTaskSilent critical name=t",
            "CelerySentinelDeaf critical",
            "CelerySentinelPollFailing warning instance=a poller=queues",
            "CelerySentinelLosingEvents warning instance=a",
        ],
    ),
    "deaf": Case(
        ["CelerySentinelDeaf critical", "CeleryWatchdog none", *OWN_PROCESS],
        ["CeleryTaskSilent critical name=t", "CelerySentinelLagging warning instance=a"],
    ),
    "deaf-twin": Case(
        [
            "CelerySentinelDeaf warning instance=a",
            "CelerySentinelLagging warning instance=b",
            "CeleryTaskStuck warning name=t",
        ],
        ["CelerySentinelLagging warning instance=a"],
    ),
    "crash-loop": Case(
        ["CelerySentinelCrashLoop critical instance=a", "CelerySentinelDown warning instance=b"],
        ["CelerySentinelDown warning instance=a"],
    ),
    "two-severities": Case(
        [
            "CeleryTaskRuntimeHigh critical name=a",
            "CeleryTaskRuntimeHigh warning name=b",
            "CeleryTaskStuck warning name=a",
            "CeleryQueueTooOld critical queue_name=a",
            "CeleryQueueTooOld warning queue_name=b",
        ],
        ["CeleryTaskRuntimeHigh warning name=a", "CeleryQueueTooOld warning queue_name=a"],
    ),
    "no-workers": Case(
        ["CeleryNoWorkers critical", "CeleryTaskLost warning name=t"],
        [
            "CeleryWorkersLostMany critical",
            "CeleryWorkerLost warning hostname=w",
            "CeleryQueueNoConsumers critical queue_name=q",
            "CeleryQueueStuck critical queue_name=q",
            "CeleryQueueGrowing warning queue_name=q",
            "CeleryQueueTooOld critical queue_name=q",
            "CeleryTaskSilent critical name=t",
        ],
    ),
    "many-lost": Case(
        ["CeleryWorkersLostMany critical", "CeleryWorkerWedged warning hostname=w"],
        ["CeleryWorkerLost warning hostname=v", "CeleryWorkerLost warning hostname=w"],
    ),
    "restart-loop": Case(
        ["CeleryWorkerRestartLoop warning hostname=w", "CeleryWorkerLost warning hostname=v"],
        ["CeleryWorkerLost warning hostname=w"],
    ),
    "no-consumers": Case(
        ["CeleryQueueNoConsumers critical queue_name=q", "CeleryQueueTooOld critical queue_name=p"],
        ["CeleryQueueTooOld critical queue_name=q", "CeleryQueueGrowing warning queue_name=q"],
    ),
    "too-few-consumers": Case(
        [
            "CeleryQueueNoConsumers warning queue_name=q",
            "CeleryQueueTooOld critical queue_name=q",
        ],
        ["CeleryQueueGrowing warning queue_name=q"],
    ),
    "stuck-queue": Case(
        ["CeleryQueueStuck critical queue_name=q", "CeleryWorkerWedged warning hostname=w"],
        ["CeleryQueueTooOld critical queue_name=q", "CeleryQueueTooLong warning queue_name=q"],
    ),
    "infrastructure": Case(
        [
            "CeleryTaskFailuresByInfrastructure critical category=database",
            "CeleryTaskFailureRatioHigh warning name=t",
        ],
        [
            "CeleryTaskFailureBudgetBurn critical name=t long=1h",
            "CeleryTaskFailureBudgetBurn warning name=t long=6h",
        ],
    ),
    "failure-ratio": Case(
        [
            "CeleryTaskFailureRatioHigh warning name=t",
            "CeleryTaskFailureBudgetBurn critical name=t",
            "CeleryTaskFailureBudgetBurn warning name=u",
        ],
        ["CeleryTaskFailureBudgetBurn warning name=t long=6h"],
    ),
    "failure-ratio-page": Case(
        ["CeleryTaskFailureRatioHigh critical name=t"],
        [
            "CeleryTaskFailureBudgetBurn critical name=t long=1h",
            "CeleryTaskFailureBudgetBurn warning name=t long=6h",
        ],
    ),
    "unregistered": Case(
        [
            "CeleryTaskUnregistered warning name=t",
            "CeleryTaskNewException warning name=t exception=KeyError",
        ],
        ["CeleryTaskNewException warning name=t exception=NotRegistered"],
    ),
    "another-fleet": Case(["CeleryTaskStuck warning name=t", "CeleryNoWorkers critical"], []),
}

Labels = frozenset[tuple[str, str]]


def labels(job: str, text: str) -> dict[str, str]:
    """Return the labels that ``text`` stands for, in the fleet ``job``."""
    name, severity, *others = text.split()
    return {
        "job": job,
        "alertname": name,
        "severity": severity,
        **dict(other.split("=", 1) for other in others),
    }


def frozen(alerts: Iterable[dict[str, str]]) -> set[Labels]:
    """Return sets of labels that can be compared."""
    return {frozenset(alert.items()) for alert in alerts}


@pytest.fixture(scope="module")
def delivered(running: alertmanager.Alertmanager, recorder: alertmanager.Recorder) -> set[Labels]:
    """Let the alerts of all cases fire at once, each in a fleet of its own; return what arrives.

    What is silenced is not delivered later either: Alertmanager judged it when its group was
    flushed, in the same second as those that did arrive.
    """
    speak = frozen(labels(job, text) for job, case in CASES.items() for text in case.speak)
    running.post(
        [labels(job, text) for job, case in CASES.items() for text in [*case.speak, *case.silent]]
    )

    def received() -> set[Labels]:
        bodies = [*recorder.bodies("/automation"), *recorder.bodies("/deadman")]
        return frozen(alert["labels"] for body in bodies for alert in body["alerts"])

    deadline.wait_until(lambda: received() >= speak, _SECONDS, "what should speak has arrived")
    return received()


@pytest.mark.parametrize("job", CASES)
def test_the_cause_speaks_and_the_rest_is_silent(
    delivered: set[Labels], running: alertmanager.Alertmanager, job: str
) -> None:
    """Of the alerts of one fleet those of the first list are delivered, those of the second not."""
    case = CASES[job]
    assert {each for each in delivered if ("job", job) in each} == frozen(
        labels(job, text) for text in case.speak
    )
    held = [alert for alert in running.alerts() if alert["labels"]["job"] == job]
    suppressed = [alert["labels"] for alert in held if alert["status"]["inhibitedBy"]]
    assert frozen(suppressed) == frozen(labels(job, text) for text in case.silent)


def test_every_kind_of_receiver_gets_what_it_understands(
    running: alertmanager.Alertmanager, recorder: alertmanager.Recorder
) -> None:
    """PagerDuty, Slack and WeCom are sent the templates, filled in."""
    alert = labels("kinds", "CeleryTaskStuck critical name=shop.pay")
    running.post([{**alert, "team": team} for team in ("billing", "logistics")])
    wanted = "[FIRING:1] CeleryTaskStuck (critical) shop.pay"

    def has(path: str, *keys: str) -> bool:
        found = []
        for value in recorder.bodies(path):
            inner = value
            for key in keys:
                inner = inner[0] if key == "0" else inner[key]
            found.append(str(inner))
        return any(each.startswith(wanted) for each in found)

    for path, *keys in (
        ("/slack", "attachments", "0", "title"),
        ("/pagerduty", "payload", "summary"),
        ("/wechat/message/send", "text", "content"),
    ):
        deadline.wait_until(lambda p=path, k=keys: has(p, *k), _SECONDS, f"{path} is told")
    texts = [body["attachments"][0]["text"] for body in recorder.bodies("/slack")]
    assert any("about CeleryTaskStuck" in text for text in texts)
