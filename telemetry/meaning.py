"""What a proxy's span says about the mesh: the answer, Envoy's response flags in words, and the policies that acted. Pure."""

from dataclasses import dataclass

from .denials import PolicyName, denial, names
from .flags import in_words
from .spans import Span

__all__ = ["Meaning", "PolicyName", "meaning"]


@dataclass(frozen=True)
class Meaning:
    code: str = ""
    """HTTP status, '0' where nobody answered."""
    flags: str = ""
    """Envoy's, with commas."""
    words: tuple[str, ...] = ()
    """The flags, and a denial, in words."""
    details: str = ""
    """Envoy's response code details."""
    policies: tuple[PolicyName, ...] = ()
    service: str = ""
    """The fully qualified service that an outbound span was for."""
    denied: bool = False
    line: str = ""
    """`Kind namespace/name path`: the place in a policy that decided."""
    attempts: int = 0
    """How often the upstream was tried; beyond the first are retries."""


def meaning(span: Span) -> Meaning:
    def said(key: str) -> str:
        return str(span.attributes.get(key, ""))

    flags = said("response_flags")
    details = said("meshconsole.details")
    words = list(in_words(flags))
    policies = names(said("meshconsole.policy"))
    refused = denial(details, policies, names(said("meshconsole.allowing")))
    if refused:
        words.append(refused.words)
        policies = refused.policies  # what did not deny it did not act: an inbound listener names every policy that shaped it
    attempts = int(tried) if (tried := said("meshconsole.attempts")).isdecimal() and len(tried) < 6 else 0
    if attempts > 1:
        words.append(f"tried {attempts} times: {attempts - 1} retr{'y' if attempts == 2 else 'ies'}")
    return Meaning(
        said("http.status_code") or said("http.response.status_code"),
        flags,
        tuple(words),
        details,
        policies,
        said("meshconsole.service").partition(";")[0],
        refused is not None,
        (f"{refused.policies[0]} {refused.path}" if refused.path else "") if refused else said("meshconsole.line"),
        attempts,
    )
