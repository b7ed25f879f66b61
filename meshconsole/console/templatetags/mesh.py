"""The words of our templates: icons, states, figures, times, and links that keep the scope. Loaded into every template (settings)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from meshconsole.console import assets, figures, kinds
from meshconsole.console.xdstypes import TYPES
from telemetry import denials

register = template.Library()
Context = template.RequestContext

STATES: dict[str, tuple[str, str, str]] = {
    # word: (tone, icon, what people read). Shape differs from tone to tone, so that colour is never alone.
    "failure": ("bad", "octagon-alert", "Failing"),
    "degraded": ("warn", "triangle-alert", "Degraded"),
    "notReady": ("warn", "circle-dashed", "Not ready"),
    "healthy": ("good", "circle-check", "Healthy"),
    "none": ("idle", "circle-minus", "No traffic"),
    "SYNCED": ("good", "circle-check", "Synced"),
    "STALE": ("warn", "circle-dashed", "Stale"),
    "NACKED": ("bad", "octagon-alert", "NACKED"),
    "NEVER_CONNECTED": ("idle", "unplug", "Never connected"),
    "UNKNOWN": ("idle", "circle-minus", "Unknown"),
    "connected": ("good", "plug", "Connected"),
    "disconnected": ("idle", "unplug", "Disconnected"),
    "programmed": ("good", "circle-check", "Programmed"),
    "pending": ("warn", "circle-dashed", "Pending"),
    "failed": ("bad", "octagon-alert", "Refused"),
    "create": ("good", "file-plus-2", "Created"),
    "update": ("warn", "pencil", "Changed"),
    "delete": ("bad", "trash-2", "Deleted"),
}


@register.simple_tag
def asset(name: str) -> str:
    return assets.address(name)


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        f" {size}" if size else "",
        assets.address("icons.svg"),
        name,
    )


@register.simple_tag
def status(word: str, text: str = "") -> SafeString:
    """A state as icon and word."""
    tone, glyph, said = STATES.get(str(word), ("idle", "circle-minus", str(word)))
    return format_html('<span class="status {}">{}<span>{}</span></span>', tone, icon(glyph), text or said)


@register.filter
def tone(word: str) -> str:
    return STATES.get(str(word), ("idle", "", ""))[0]


@register.filter
def said(word: str) -> str:
    return STATES.get(str(word), ("", "", str(word)))[2]


@register.filter
def will(operation: str) -> str:
    """What a preview says, where a history says `said`."""
    return {"create": "Create", "update": "Change", "delete": "Delete"}.get(operation, operation)


@register.simple_tag(takes_context=True)
def with_query(context: Context, **changes: Any) -> str:
    """This page's address with some of its query changed; an empty value takes the key away."""
    request = context["request"]
    query = {k: v for k, v in request.GET.items() if k not in changes}
    query |= {k: str(v) for k, v in changes.items() if v not in ("", None)}
    return f"{request.path}?{urlencode(query)}" if query else request.path


@register.simple_tag(takes_context=True)
def go(context: Context, view: str, *args: Any, **query: Any) -> str:
    """The address of another page, in this page's scope. Machines may tell names that no page can have (`a/b`): those lead nowhere."""
    scope = context.get("scope")
    try:
        base = reverse(view, args=args)
    except NoReverseMatch:
        return "#"
    kept = scope.query.lstrip("?") if scope else ""
    more = urlencode({k: v for k, v in query.items() if v not in ("", None)})
    together = "&".join(part for part in (kept, more) if part)
    return f"{base}?{together}" if together else base


def _figure(name: str, say: Any) -> None:
    """A filter that says – of what is not there (Django hands '' on for it)."""
    register.filter(name, lambda value: say(value if isinstance(value, int | float) else None))


for _name, _say in (
    ("rate", figures.rate), ("percent", figures.percent), ("ms", figures.milliseconds), ("bytes", figures.bytes_), ("number", figures.number),
):  # fmt: skip
    _figure(_name, _say)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float) and value:
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str) and value:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return None


@register.filter
def moment(value: Any) -> datetime | None:
    return _moment(value)


@register.filter
def ago(value: Any) -> SafeString | str:
    """`3 min ago`, kept true by app.js; the exact time is its title."""
    return _time(value, "ago", figures.ago)


@register.filter
def until(value: Any) -> SafeString | str:
    return _time(value, "until", figures.until)


def _time(value: Any, way: str, say: Any) -> SafeString | str:
    at = _moment(value)
    if at is None:
        return "–"
    now = datetime.now(UTC)
    exact = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC" data-{}>{}</time>', exact.isoformat(), f"{exact:%Y-%m-%d %H:%M:%S}", way, say(at, now)
    )


@register.filter
def clock(value: Any) -> SafeString | str:
    at = _moment(value)
    if at is None:
        return "–"
    exact = at.astimezone(UTC)
    return format_html('<time datetime="{}">{} UTC</time>', exact.isoformat(), f"{exact:%Y-%m-%d %H:%M:%S}")


@register.simple_tag
def spark(values: Sequence[float | None], tone: str = "") -> SafeString:
    """A line without axes; nothing when there is nothing to draw."""
    line, area = figures.spark_paths(values)
    if not line:
        return SafeString("")
    return format_html(
        '<svg class="spark {}" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><path class="fill" d="{}"/><path d="{}"/></svg>',
        tone, area, line,
    )  # fmt: skip


@register.simple_tag
def meter(share: float | None, tone: str = "") -> SafeString:
    width = max(0.0, min(1.0, share or 0.0)) * 100
    return format_html(
        '<svg class="meter {}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect width="{}" height="6"/></svg>',
        tone,
        f"{width:.1f}",
    )


@register.inclusion_tag("fragments/same.html")
def same(command: str = "", api: str = "") -> dict[str, str]:
    """What gives the same from a terminal and over REST."""
    return {"command": command, "api": api}


@register.inclusion_tag("fragments/chart.html")
def chart(name: str, data: Any, title: str = "", *, unit: str = "", tall: bool = False) -> dict[str, Any]:
    """`data` is a charts.Chart; chart.js draws it."""
    return {"name": name, "chart": data, "title": title, "unit": unit, "tall": tall}


@register.filter
def get(mapping: Any, key: Any) -> Any:
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.filter
def plural_s(count: int) -> str:
    return "" if count == 1 else "s"


BADGES = {
    "routing": "Routing", "shifting": "Traffic shifting", "fault": "Fault injection", "mirror": "Mirroring", "timeout": "Timeout", "retry": "Retries",
    "circuitBreaker": "Circuit breaker", "authorization": "Authorization", "mtls": "mTLS", "gateway": "Gateway", "serviceEntry": "Service entry",
    "loadBalancing": "Load balancing",
}  # fmt: skip


@register.filter
def badge_word(kind: str) -> str:
    return BADGES.get(kind, kind)


@register.filter
def words(text: str) -> list[str]:
    return text.split()


@register.simple_tag
def share(part: float | None, whole: float | None) -> SafeString:
    """A meter of `part` in `whole`."""
    return meter((part or 0.0) / whole if whole else 0.0, "accent")


@register.simple_tag
def rollup(counts: Any) -> SafeString:
    """How many are in which state of health, as one bar."""
    order = (("failure", "b"), ("degraded", "w"), ("notReady", "w"), ("healthy", "g"), ("none", "i"))
    total = sum(counts.values()) or 1
    bars, at = [], 0.0
    for word, css in order:
        width = counts.get(word, 0) / total * 100
        if width:
            bars.append(format_html('<rect class="{}" x="{}" width="{}" height="10"/>', css, f"{at:.2f}", f"{max(0.0, width - 0.4):.2f}"))
        at += width
    body = SafeString("".join(bars))
    return format_html('<svg class="rollup-svg" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>', body)


@register.simple_tag(takes_context=True)
def peer(context: Context, id: str, view: str) -> SafeString:
    """`namespace/name` as a link to its page; whoever has no name is said to be unknown."""
    namespace, _, name = id.partition("/")
    if not namespace or name in ("", "unknown"):
        return format_html('<span class="muted">{}</span>', name if name not in ("", "unknown") else "Outside of the mesh")
    return format_html('<a class="name" href="{}">{}</a><span class="sub">{}</span>', go(context, view, namespace, name), name, namespace)


@register.simple_tag
def sync_mark(proxy: Any, type_: str) -> SafeString:
    """The state of one xDS type at one proxy as an icon with its words: number of resources, or Envoy's sentence."""
    found = proxy.types.get(type_)
    if found is None:
        return SafeString('<span class="muted">–</span>')
    state = found.state if proxy.connected else "disconnected"
    tone_, glyph, word = STATES.get(state, ("idle", "circle-minus", state))
    text = f"{TYPES.get(type_, type_)}: {word}" + (f". {found.error}" if found.error else "")
    return format_html(
        '<span class="status {}" title="{}">{}<span class="num">{}</span><span class="sr">{}</span></span>',
        tone_,
        text,
        icon(glyph),
        found.resources,
        word,
    )


@register.filter
def type_name(type_: str) -> str:
    return TYPES.get(type_, type_)


@register.simple_tag(takes_context=True)
def policy_url(context: Context, kind: str, namespace: str, name: str) -> str:
    return go(context, "policy", kinds.Kind.named(kind).plural, namespace, name)


@register.simple_tag(takes_context=True)
def line_link(context: Context, text: str) -> SafeString:
    """`Kind namespace/name path` as a link to that line of the policy; several with commas (a route that an EnvoyFilter has changed)."""
    return format_html_join(", ", "{}", ((_line(context, each),) for each in text.split(", ")))


def _line(context: Context, text: str) -> SafeString:
    found = denials.place(text)
    if found is None:
        return format_html('<span class="mono">{}</span>', text)
    policy, path = found
    address = go(context, "policy", kinds.Kind.named(policy.kind).plural, policy.namespace, policy.name, at=path)
    return format_html('<a class="link" href="{}">{} {}/{}, <span class="mono">{}</span></a>', address, *policy, path)


@register.filter
def shown_to(instance: Any, namespaces: set[str] | None) -> bool:
    """May somebody who sees these namespaces (None: all) know of the instance?"""
    namespace = instance.workload.partition("/")[0]
    return namespaces is None or not namespace or namespace in namespaces


@register.filter
def microseconds(value: Any) -> float:
    """Unix microseconds as seconds."""
    return value / 1e6 if isinstance(value, int | float) else 0.0
