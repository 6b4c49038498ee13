"""Reading a posting."""

from __future__ import annotations

from sse_server.tailor.posting import MOST, Posting, read_posting


def needs(posting: Posting) -> list[tuple[str, str]]:
    return [(each.need, each.text) for each in posting.requirements]


def test_the_sample_is_read_as_somebody_would_read_it(posting_text: str) -> None:
    posting = read_posting(posting_text)
    assert posting.title == "Senior Platform Engineer (Real-Time Streaming)"
    kinds = [need for need, _ in needs(posting)]
    assert (kinds.count("duty"), kinds.count("required"), kinds.count("preferred")) == (5, 9, 6)
    terms = [term.text for term in posting.terms[:12]]
    assert {"Python", "Server-Sent Events", "backend services"} <= set(terms)


def test_what_is_offered_is_not_required(posting_text: str) -> None:
    assert not any("pension" in text or "holiday" in text for _, text in needs(read_posting(posting_text)))


def test_a_list_with_or_is_met_by_any_of_it() -> None:
    (requirement,) = read_posting("Requirements\n- Python, Go or Rust\n").requirements
    assert [[phrase.text for phrase in group] for group in requirement.groups] == [["Python", "Go", "Rust"]]


def test_a_list_with_and_is_met_by_all_of_it() -> None:
    (requirement,) = read_posting("Requirements\n- Python, Go and Rust\n").requirements
    assert [len(group) for group in requirement.groups] == [1, 1, 1]


def test_a_line_that_calls_itself_a_plus_is_no_requirement() -> None:
    posting = read_posting("Requirements\n- Kafka\n- Experience with Pulsar is a plus\n")
    assert [need for need, _ in needs(posting)] == ["required", "preferred"]


def test_years_are_read() -> None:
    text = "Requirements\n- 5+ years of Java\n- three years with COBOL\n- 3-5 years in sales\n- 2 Jahre Erfahrung\n"
    assert [each.years for each in read_posting(text).requirements] == [5, 3, 3, 2]


def test_without_headings_the_bullets_are_the_requirements() -> None:
    posting = read_posting("Baker wanted\n* Sourdough\n* Early hours\n")
    assert needs(posting) == [("required", "Sourdough"), ("required", "Early hours")]


def test_what_is_offered_is_not_required_even_where_nothing_else_is() -> None:
    posting = read_posting("Baker wanted. You must know sourdough.\n\nBenefits\n- Free bread\n")
    assert [text for _, text in needs(posting)] == ["You must know sourdough."]


def test_without_bullets_the_sentences_are_the_requirements() -> None:
    posting = read_posting("We bake. You must know sourdough. A forklift licence is a plus, and required on Fridays.")
    assert next(text for _, text in needs(posting)) == "You must know sourdough."


def test_headings_may_be_shouted_underlined_marked_or_bold() -> None:
    for heading in [
        "REQUIREMENTS",
        "Requirements:",
        "## Requirements",
        "Requirements\n============",
        "**Requirements**",
    ]:
        posting = read_posting(f"Cook\n\nAbout us\nWe cook fish.\n\n{heading}\n- Knives\n\nBENEFITS\n- Fish\n")
        assert needs(posting) == [("required", "Knives")], heading


def test_an_unknown_heading_ends_the_requirements() -> None:
    posting = read_posting("Requirements\n- Knives\n\nOur promise to you\n- Fish every day\n")
    assert needs(posting) == [("required", "Knives")]


def test_a_labelled_title_is_the_title() -> None:
    assert read_posting("Acme Corp\nJob title: Night Baker\nRequirements\n- Flour").title == "Night Baker"


def test_only_so_many_requirements_are_read() -> None:
    posting = read_posting("Requirements\n" + "".join(f"- skill{n} tool{n}\n" for n in range(500)))
    assert len(posting.requirements) == MOST


def test_a_posting_that_says_nothing_requires_nothing() -> None:
    for text in [" ", "\r\n\r\n", "the and of", "---", "- \n- \n", "…"]:
        posting = read_posting(text)
        assert (posting.requirements, posting.terms) == ((), ()), text
