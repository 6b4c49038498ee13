"""The tools of the specialists: each computes one thing from checked arguments, without a model and without a wait."""

from sse_server.panel.tools.tool import Number, Tool, ToolError

__all__ = ["Number", "Tool", "ToolError"]
