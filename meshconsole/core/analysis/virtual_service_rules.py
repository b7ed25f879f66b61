"""IST0130 a rule that no request reaches; IST0131 a match that an earlier one has taken (Istio: analyzeUnreachableRules)."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    for service in scene.of("VirtualService"):
        for protocol in ("http", "tls", "tcp"):
            rules = getattr(service.spec, protocol, None) or ()
            yield from _unreachable(service, f"spec.{protocol}", rules)
            if protocol == "http":
                yield from _overlapping(service, rules)


def _name(thing: Any, number: int) -> str:
    name = getattr(thing, "name", "")
    return f'"{name}"' if name else f"#{number}"


def _conditions(match: Any) -> dict[str, Any]:
    return match.model_dump(mode="json", by_alias=True, exclude={"name", "stat_prefix"}, exclude_unset=True, exclude_none=True)  # type: ignore[no-any-return]


def _unreachable(service: Any, path: str, rules: Any) -> Iterator[Message]:
    taken: list[tuple[dict[str, Any], int]] = []
    catch_all = False
    for i, rule in enumerate(rules):
        at = f"{path}[{i}]"
        matches = rule.match or ()
        if not matches:
            if catch_all:
                yield _not_used(service, at, rule, i, "only the last rule can have no matches")
            catch_all = True
            continue
        duplicates = 0
        for j, match in enumerate(matches):
            conditions = _conditions(match)
            earlier = next((number for known, number in taken if known == conditions), None)
            if earlier is None:
                taken.append((conditions, i))
            else:
                duplicates += 1
                yield _ineffective(service, at, rules, i, j, earlier)
        if duplicates == len(matches):
            yield _not_used(service, at, rule, i, "all matches used by prior rules")


def _overlapping(service: Any, rules: Any) -> Iterator[Message]:
    """A prefix below an earlier prefix, under conditions that the earlier one asks for too, or does not ask for."""
    seen: list[tuple[str, dict[str, Any], int]] = []
    for i, rule in enumerate(rules):
        for j, match in enumerate(rule.match or ()):
            conditions = _conditions(match)
            prefix = (conditions.pop("uri", None) or {}).get("prefix")
            if not prefix:
                continue
            for earlier, asked, number in seen:
                same = earlier == prefix and asked == conditions  # a duplicate, which is told already
                if prefix.startswith(earlier) and not same and all(conditions.get(key) == value for key, value in asked.items()):
                    yield _ineffective(service, f"spec.http[{i}]", rules, i, j, number)
                    break
            seen.append((prefix, conditions, i))


def _not_used(service: Any, path: str, rule: Any, number: int, reason: str) -> Message:
    return finding(Level.WARNING, "IST0130", service, path, f"VirtualService rule {_name(rule, number)} not used ({reason}).")


def _ineffective(service: Any, path: str, rules: Any, rule: int, match: int, earlier: int) -> Message:
    text = (
        f"VirtualService rule {_name(rules[rule], rule)} match {_name(rules[rule].match[match], match)} is not used "
        f"(duplicate/overlapping match in rule {_name(rules[earlier], earlier)})."
    )
    return finding(Level.INFO, "IST0131", service, f"{path}.match[{match}]", text)
