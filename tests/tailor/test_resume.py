"""Reading a résumé."""

# ruff: noqa: RUF001  (these signs are what is tested)

from __future__ import annotations

import pytest

from sse_server.tailor.lines import clean, read_lines
from sse_server.tailor.resume import Resume, read_resume
from sse_server.tailor.words import form


def read(text: str) -> Resume:
    return read_resume(text, this_year=2025)


def roles(text: str) -> list[tuple[str, str, int, int]]:
    return [(role.title, role.employer, role.start, role.end) for role in read(text).roles]


def test_the_sample_is_read_as_somebody_would_read_it(resume_text: str) -> None:
    resume = read(resume_text)
    assert (resume.name, resume.headline, resume.years) == ("Mara Lindqvist", "Senior Backend Engineer", 12)
    assert "mara.lindqvist@example.com" in resume.contact
    assert roles(resume_text) == [
        ("Senior Backend Engineer", "Northwind Freight", 2020, 2025),
        ("Backend Engineer", "Lumen Health", 2016, 2020),
        ("Junior Developer", "Pinecone Studio", 2013, 2016),
    ]
    kinds = {line.kind for line in resume.lines}
    assert kinds >= {"profile", "role", "achievement", "project", "skill", "education", "certificate", "private"}


def test_a_wrapped_bullet_is_one_line_of_evidence(resume_text: str) -> None:
    lines = [line.text for line in read(resume_text).lines]
    assert any(line.startswith("Designed the live") and line.endswith("Server-Sent Events.") for line in lines)


@pytest.mark.parametrize(
    "entry",
    [
        "Night Baker, Acme Bread (2010 – 2014)",
        "Night Baker at Acme Bread | 2010-2014",
        "Acme Bread — Night Baker — Jan 2010 to Dec 2014",
        "Night Baker\nAcme Bread, Leeds\n01/2010 - 12/2014",
        "2010 – 2014\nNight Baker\nAcme Bread",
        "Acme Bread\t\t2010 - 2014\nNight Baker",
        "### Night Baker — Acme Bread\n*2010 – 2014*",
    ],
)
def test_a_role_is_found_however_it_is_laid_out(entry: str) -> None:
    assert roles(f"Experience\n\n{entry}\n- Baked bread\n") == [("Night Baker", "Acme Bread", 2010, 2014)]


def test_bullets_belong_to_the_role_above_them() -> None:
    resume = read("EXPERIENCE\nBaker, Acme (2010 - 2014)\n- Rye\n\nCook, Bolt (2014 - present)\n- Fish\n")
    assert {line.text: line.role for line in resume.lines if line.kind == "achievement"} == {"Rye": 0, "Fish": 1}


def test_years_that_overlap_count_once_and_gaps_do_not_count() -> None:
    assert read("EXPERIENCE\nBaker, A (2000 - 2004)\nCook, B (2002 - 2006)\nWaiter, C (2010 - 2011)\n").years == 7


def test_years_with_something_are_those_of_the_roles_that_show_it() -> None:
    resume = read("EXPERIENCE\nBaker, A (2000 - 2004)\n- Rye\nCook, B (2006 - 2016)\n- Fish\n")
    assert resume.years_with(frozenset({form("rye")})) == 4


def test_a_school_is_no_employer() -> None:
    assert roles("Education\nUppsala University, 2001 - 2005\n") == []


def test_sections_are_found_in_other_languages() -> None:
    resume = read(
        "Jonas Weber\n\nBerufserfahrung\nLeiter, Hafen GmbH (2018 – heute)\n- Schiffe\n\nKenntnisse\nJava, Kafka\n"
    )
    assert [line.kind for line in resume.lines] == ["role", "achievement", "skill"]
    assert resume.roles[0].current


@pytest.mark.parametrize(
    "glyph", ["-", "*", "•", "◦", "▪", "‣", "⁃", "–", "→", "✓", "➤", "\uf0b7", "»", "1.", "2)", "+"]
)
def test_any_glyph_makes_a_bullet(glyph: str) -> None:
    (line,) = read_lines(f"{glyph} Baked bread", {})
    assert (line.text, line.bullet) == ("Baked bread", True)


@pytest.mark.parametrize("text", [".NET developer", "(part time) baker", "+46 70 123 45 67", "«Bread»"])
def test_not_every_sign_is_a_bullet(text: str) -> None:
    (line,) = read_lines(text, {})
    assert (line.text, line.bullet) == (text, False)


def test_line_ends_and_what_nobody_sees_make_no_difference(resume_text: str) -> None:
    odd = "\ufeff" + resume_text.replace("\n", "\r\n").replace(" ", "\u00a0").replace("e", "e\u200b")
    assert read(odd) == read(resume_text)


def test_decomposed_letters_are_composed() -> None:
    assert clean("Re\u0301sume\u0301") == "Résumé"


def test_a_resume_without_headings_is_evidence_all_the_same() -> None:
    resume = read("I have been a welder for twelve years. I weld pressure vessels.")
    assert [line.text for line in resume.lines] == ["I have been a welder for twelve years. I weld pressure vessels."]
    assert resume.years == 12
