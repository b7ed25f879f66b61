"""
Why a request goes where it goes: Envoy's decisions, made again on the compiled configuration, with the policy and line that each comes from.

Pure, and about the configuration only, not about what is up: request in (request.py), explanation out (answer.py). What cannot be known without
the real request (claims of a token, a random share) is None: three-valued logic (logic.py).
"""

from .answer import Explanation, explain
from .request import Request

__all__ = ["Explanation", "Request", "explain"]
