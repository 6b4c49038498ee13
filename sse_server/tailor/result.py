"""What the tailor takes and what it gives: a summary to use, and beside it all that a person may want to know."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

LONGEST = 200_000
"""Characters of the longest résumé and of the longest posting."""

Percent = Annotated[int, Meta(ge=0, le=100)]
Need = Literal["required", "preferred", "duty"]
ClaimKind = Literal["number", "years", "title", "name", "term"]


class TailorInput(Struct, frozen=True, forbid_unknown_fields=True):
    """A résumé and a job posting, both as plain text."""

    resume: Annotated[str, Meta(min_length=1, max_length=LONGEST, description="The résumé, as plain text.")]
    posting: Annotated[str, Meta(min_length=1, max_length=LONGEST, description="The job posting, as plain text.")]


class EvidenceLine(Struct, frozen=True):
    """A line of the résumé, the heading it stands under, and how much of the requirement it shows by itself."""

    line: str
    section: str
    pct: Percent


class RequirementMatch(Struct, frozen=True):
    """A requirement with the lines that show it, the best first. `absent` is what no line shows."""

    requirement: str
    need: Need
    coverage_pct: Percent
    evidence: list[EvidenceLine]
    absent: list[str]
    years_asked: int | None = None
    years_shown: int | None = None
    """By the dates of the roles that show it; null where no date tells."""


class RemovedClaim(Struct, frozen=True):
    """Something the résumé does not show; the sentence went, or stays without it where `repaired`."""

    sentence: str
    claim: str
    kind: ClaimKind
    repaired: bool


class TailorResult(Struct, frozen=True):
    """The tailored summary, how the résumé meets the posting, and what would have to be true to meet it better."""

    summary: str
    written_by: str
    """The model's name, or `offline`."""
    posting_title: str
    coverage_pct: Percent
    matched: list[RequirementMatch]
    missing: list[RequirementMatch]
    """What the résumé shows too little of; `evidence` has what comes nearest."""
    keywords: list[str]
    """Words of the posting that the résumé can stand for: use them."""
    keywords_missing: list[str]
    """Words of the posting that the résumé does not show: use them only where they are true."""
    removed_claims: list[RemovedClaim]
