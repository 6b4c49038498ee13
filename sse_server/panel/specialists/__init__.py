"""The specialists: each knows from a question whether it is asked, and what to compute."""

from typing import Final

from sse_server.panel.specialists.body import BODY
from sse_server.panel.specialists.dates import DATES
from sse_server.panel.specialists.nutrition import NUTRITION
from sse_server.panel.specialists.specialist import Desk, NotEnough, Specialist, Task
from sse_server.panel.specialists.sums import CALCULATOR
from sse_server.panel.specialists.units import UNITS

PANEL: Final = (UNITS, BODY, NUTRITION, DATES, CALCULATOR)

__all__ = ["PANEL", "Desk", "NotEnough", "Specialist", "Task"]
