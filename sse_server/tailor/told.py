"""What the tailor found, in the shapes that others see."""

from __future__ import annotations

from sse_server.tailor.check import Claim
from sse_server.tailor.matching import Found, Match, coverage_of
from sse_server.tailor.posting import Posting
from sse_server.tailor.result import EvidenceLine, RemovedClaim, RequirementMatch, TailorResult
from sse_server.tailor.terms import Term


def result_of(
    *,
    summary: str,
    written_by: str,
    posting: Posting,
    matches: list[Match],
    shown: list[Term],
    unshown: list[Term],
    removed: list[Claim],
) -> TailorResult:
    """The result as others see it, from what the steps have found."""
    return TailorResult(
        summary=summary,
        written_by=written_by,
        posting_title=posting.title,
        coverage_pct=coverage_of(matches),
        matched=[requirement_match(match) for match in matches if match.met],
        missing=[requirement_match(match) for match in matches if not match.met],
        keywords=[term.text for term in shown],
        keywords_missing=[term.text for term in unshown],
        removed_claims=[RemovedClaim(each.sentence, each.claim, each.kind, each.repaired) for each in removed],
    )


def requirement_match(match: Match) -> RequirementMatch:
    """One match as others see it."""
    return RequirementMatch(
        requirement=match.requirement.text,
        need=match.requirement.need,
        coverage_pct=_pct(match.coverage),
        evidence=[_line(found) for found in match.found],
        absent=list(match.absent),
        years_asked=match.requirement.years or None,
        years_shown=match.years,
    )


def _line(found: Found) -> EvidenceLine:
    return EvidenceLine(found.evidence.text, found.evidence.section, _pct(found.score))


def _pct(share: float) -> int:
    return min(100, max(0, round(100 * share)))
