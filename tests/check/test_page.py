from dataclasses import replace

from spikeweft.check.findings import Checkup, Finding, Severity
from spikeweft.check.page import build_page, verdict


def checkup_of():
    numbers = {
        "expected_delta": 0.3,
        "minutes_needed": {"0.1": None},
        "seconds": 100.0,
        "memory_mb": 500.0,
        "available_memory_mb": 900.0,
    }
    findings = [
        Finding(topic="expected error", severity=Severity.NOTE, summary="s", numbers=numbers),
        Finding(topic="time and memory", severity=Severity.FINE, summary="s", numbers=numbers),
        Finding(topic="<b>", severity=Severity.PROBLEM, summary="<script>", remedy="Do."),
    ]
    facts = {"n_neurons": 2, "n_spikes": 10, "duration_s": 60.0, "n_epochs": 1}
    return Checkup(source="<i>.npz", facts=facts, findings=findings)


def test_the_page_says_the_gravest_first_and_loads_nothing():
    page = build_page(checkup_of())
    assert page.index("&lt;b&gt;") < page.index("expected error")
    assert "<script" not in page
    assert "<i>" not in page
    assert "http:" not in page.replace("http-equiv", "")
    assert "src=" not in page
    assert verdict(checkup_of()) == "1 problem, 1 note; 1 question answered well."


def test_a_recording_of_which_nothing_can_be_fitted_has_a_page_too():
    """All that is said of times in milliseconds is that they cannot be fitted."""
    refused = Finding(topic="fitting", severity=Severity.PROBLEM, summary="No.", remedy="Do.")
    page = build_page(replace(checkup_of(), findings=[refused]))
    assert "No." in page
    assert "Expected error Δ" not in page


def test_where_too_few_spikes_say_what_to_expect_the_page_has_no_headlines():
    checkup = checkup_of()
    few = [f for f in checkup.findings if f.topic != "time and memory"]
    page = build_page(replace(checkup, findings=[replace(few[0], numbers={}), *few[1:]]))
    assert "Expected error Δ" not in page
    assert "Expected error Δ" in build_page(checkup)
