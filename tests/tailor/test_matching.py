"""Matching requirements with evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sse_server.tailor.matching import coverage_of

RESUME = """Experience
Baker, Acme Bread (2010 - 2014)
- Baked rye bread in a wood-fired oven
- Ran the ordering system on PostgreSQL and k8s
Skills
Sourdough, Kubernetes
"""


def found(fit: Any, at: int = 0) -> list[str]:
    return [each.evidence.text for each in fit.matches[at].found]


def test_every_requirement_of_the_sample_has_a_match_in_order(sample: Any) -> None:
    assert [match.requirement for match in sample.matches] == list(sample.posting.requirements)
    assert 65 <= coverage_of(sample.matches) <= 85


def test_what_is_absent_from_the_sample_is_said(sample: Any) -> None:
    unmet = {match.requirement.text for match in sample.matches if not match.met and match.requirement.need != "duty"}
    assert unmet == {"Knowledge of eBPF or Linux network tuning.", "Familiarity with SOC 2 audits."}
    assert {"Rust", "WebSockets", "Pulumi"} <= {term.text for term in sample.unshown}
    assert {"Python", "Kafka", "on-call rotation"} <= {term.text for term in sample.shown}


def test_evidence_is_always_a_line_of_the_resume(sample: Any, resume_text: str) -> None:
    flat = " ".join(resume_text.split())
    assert all(each.evidence.text in flat for match in sample.matches for each in match.found)


def test_words_in_no_table_are_matched(tailored: Callable[[str, str], Any]) -> None:
    fit = tailored(RESUME, "Requirements\n- Wood-fired ovens\n- Marzipan\n")
    assert found(fit) == ["Baked rye bread in a wood-fired oven"]
    assert fit.matches[0].met
    assert (fit.matches[1].found, fit.matches[1].absent) == ((), ("Marzipan",))


def test_another_spelling_is_the_same_thing(tailored: Callable[[str, str], Any]) -> None:
    fit = tailored(RESUME, "Requirements\n- Kubernetes\n")
    assert found(fit)[0] == "Ran the ordering system on PostgreSQL and k8s"


def test_what_a_thing_implies_is_shown_with_it(tailored: Callable[[str, str], Any]) -> None:
    fit = tailored(RESUME, "Requirements\n- Relational databases\n- MySQL\n")
    assert [match.met for match in fit.matches] == [True, False]


def test_one_alternative_is_enough(tailored: Callable[[str, str], Any]) -> None:
    fit = tailored(RESUME, "Requirements\n- Sourdough, marzipan or fondant\n- Sourdough, marzipan and fondant\n")
    assert fit.matches[0].coverage == 1.0
    assert fit.matches[1].absent == ("marzipan", "fondant")


def test_several_lines_together_show_a_requirement(tailored: Callable[[str, str], Any]) -> None:
    fit = tailored(RESUME, "Requirements\n- Rye bread and PostgreSQL\n")
    assert len(found(fit)) == 2
    assert fit.matches[0].coverage == 1.0


def test_years_are_weighed_by_the_roles_that_show_the_thing(tailored: Callable[[str, str], Any]) -> None:
    enough, short = tailored(RESUME, "Requirements\n- 4 years of rye bread\n- 8 years of rye bread\n").matches
    assert (enough.years, short.years) == (4, 4)
    assert enough.coverage == 1.0 > short.coverage


def test_years_alone_are_met_by_the_roles(tailored: Callable[[str, str], Any]) -> None:
    (match,) = tailored(RESUME, "Requirements\n- 2+ years of experience\n").matches
    assert match.met
    assert match.found[0].evidence.kind == "role"


def test_years_that_a_resume_says_of_itself_are_shown_by_that_line(tailored: Callable[[str, str], Any]) -> None:
    fit = tailored("Profile\nBaker with 9 years of experience\n", "Requirements\n- 2+ years of experience\n")
    assert found(fit) == ["Baker with 9 years of experience"]


def test_hobbies_are_no_evidence(tailored: Callable[[str, str], Any]) -> None:
    fit = tailored("Skills\nPython\nInterests\nSailing\n", "Requirements\n- Sailing\n")
    assert fit.matches[0].found == ()


def test_nothing_asked_for_is_nothing_covered(tailored: Callable[[str, str], Any]) -> None:
    assert coverage_of(tailored(RESUME, "the and of").matches) == 0
