"""The check: what a summary claims beyond the résumé is found, and taken out."""

from __future__ import annotations

import pytest

from sse_server.tailor.check import Grounds, supported, unsupported


def claims(text: str, grounds: Grounds) -> list[tuple[str, str]]:
    return [(claim.claim, claim.kind) for claim in unsupported(text, grounds)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Senior Backend Engineer with 12 years of experience, currently at Northwind Freight.",
        "Backend engineer with experience since 2013.",
        "Cut p99 latency of the tracking API from 900 ms to 120 ms with Redis.",
        "Streams 12k position updates a second.",
        "Alerts at night fell by 60 percent.",
        "Works with K8s, Postgres and SSE.",
        "Experience with relational databases and infrastructure as code.",
        "Mentored 3 junior engineers.",
        "Has 12 years of Python experience.",
        "Holds an MSc in Computer Science from Chalmers University of Technology.",
        "Fluent in English and Swedish, with basic German.",
        "Previously at Lumen Health, consistently improving systems used by 240 clinics.",
    ],
)
def test_what_the_resume_shows_may_be_said(sentence: str, grounds: Grounds) -> None:
    assert claims(sentence, grounds) == []


@pytest.mark.parametrize(
    ("sentence", "claim"),
    [
        ("Cut p99 latency of the tracking API by 87%.", ("87%", "number")),
        ("Led a team of 45.", ("45", "number")),
        ("Mentored nine junior engineers.", ("nine", "number")),
        ("Cut p99 latency of the tracking API by 60%.", ("60%", "number")),  # the figure of another line
        ("Backend Engineer at Google.", ("Google", "name")),
        ("Engineer at Lumen Freight.", ("Lumen Freight", "name")),  # both words stand there, apart
        ("Works with Python and Rust.", ("Rust", "name")),
        ("Skilled in underwater welding.", ("underwater welding", "term")),
        ("Knows of machine learning.", ("machine learning", "term")),
        ("Works as Principal Engineer.", ("Principal", "name")),
        ("Senior Developer with a focus on Python.", ("Senior Developer", "title")),
        ("Backend engineer with 25 years of experience.", ("25 years", "years")),
        ("Has 12 years of Kafka experience.", ("12 years", "years")),
        ("Has 11 years of experience with Kubernetes.", ("11 years", "years")),
        ("Holds a PhD in Computer Science.", ("PhD", "name")),
        ("Fluent in French.", ("French", "name")),
    ],
)
def test_a_planted_claim_is_caught(sentence: str, claim: tuple[str, str], grounds: Grounds) -> None:
    assert claim in claims(sentence, grounds)
    assert supported(sentence, grounds)[0] == ""


@pytest.mark.parametrize("planted", ["Kubernetes and Rust at Google.", "Managed 900 people.", "Won a Nobel Prize."])
def test_a_planted_sentence_goes_and_the_others_stay(planted: str, grounds: Grounds) -> None:
    before, after = "Works with Python and Kafka.", "Cut p99 latency from 900 ms to 120 ms."
    text, removed = supported(f"{before} {planted} {after}", grounds)
    assert text == f"{before} {after}"
    assert {claim.sentence for claim in removed} == {planted}
    assert not any(claim.repaired for claim in removed)


@pytest.mark.parametrize(
    ("sentence", "mended"),
    [
        ("Works daily with Python, Rust and Kafka.", "Works daily with Python and Kafka."),
        ("Works daily with Python, Kafka and Rust.", "Works daily with Python and Kafka."),
        ("Works daily with Python, Rust, Pulumi and Kafka.", "Works daily with Python and Kafka."),
        ("Built the tracking service and led a team of 45.", "Built the tracking service."),
        ("Wrote the event pipeline on Kafka, doubling revenue.", "Wrote the event pipeline on Kafka."),
    ],
)
def test_a_sentence_is_mended_where_a_part_of_it_can_go(sentence: str, mended: str, grounds: Grounds) -> None:
    text, removed = supported(sentence, grounds)
    assert text == mended
    assert removed
    assert all(claim.repaired for claim in removed)


def test_what_is_left_passes_the_check(grounds: Grounds) -> None:
    draft = "Rust guru. Works with Python, Rust and Go! Led 400 people at Google? Built services on Kafka and in Tokyo."
    text, removed = supported(draft, grounds)
    assert unsupported(text, grounds) == []
    assert supported(text, grounds) == (text, [])
    assert removed


def test_nothing_claims_nothing(grounds: Grounds) -> None:
    assert supported("", grounds) == ("", [])
