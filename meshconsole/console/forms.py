"""What people fill in besides YAML."""

from typing import Any

from django import forms


class NewToken(forms.Form):
    name = forms.CharField(
        max_length=100,
        label="Name",
        widget=forms.TextInput(attrs={"class": "input", "placeholder": "deploy pipeline", "autocomplete": "off"}),
    )
    days = forms.TypedChoiceField(
        label="Expires",
        choices=[("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("", "Never")],
        initial="90",
        required=False,
        widget=forms.Select(attrs={"class": "input"}),
    )
    access = forms.ChoiceField(
        label="May",
        choices=[("all", "Do all that I may"), ("read", "Only read"), ("change", "Read and change, not delete")],
        initial="all",
        widget=forms.Select(attrs={"class": "input"}),
    )
    namespaces = forms.MultipleChoiceField(label="In", required=False, widget=forms.CheckboxSelectMultiple)
    kinds = forms.MultipleChoiceField(label="Of", required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, namespaces: list[str], kinds: list[str], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["namespaces"].choices = [(n, n) for n in namespaces]  # type: ignore[attr-defined]
        self.fields["kinds"].choices = [(k, k) for k in kinds]  # type: ignore[attr-defined]


class NewJoinToken(forms.Form):
    namespace = forms.RegexField(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63, initial="default", label="Namespace",
        widget=forms.TextInput(attrs={"class": "input", "list": "known-namespaces", "autocomplete": "off"}),
        error_messages={"invalid": "Lower-case letters, digits and hyphens."},
    )  # fmt: skip
    service_account = forms.RegexField(
        r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", max_length=253, initial="default", label="Service account",
        widget=forms.TextInput(attrs={"class": "input", "placeholder": "bookinfo-reviews", "autocomplete": "off"}),
        error_messages={"invalid": "Lower-case letters, digits, dots and hyphens."},
    )  # fmt: skip
    ttl = forms.TypedChoiceField(
        label="Valid for", coerce=int, choices=[(900, "15 minutes"), (3600, "1 hour"), (86400, "1 day"), (604800, "7 days"), (2592000, "30 days")],
        initial=3600, widget=forms.Select(attrs={"class": "input"}),
    )  # fmt: skip
    uses = forms.ChoiceField(
        label="How often", choices=[("1", "Once: one workload"), ("10", "10 times"), ("", "Any number of times: for images and autoscaling")],
        required=False, initial="1", widget=forms.Select(attrs={"class": "input"}),
    )  # fmt: skip


class NewMaintenance(forms.Form):
    """A silence that is planned: of which alerts, from when, for how long."""

    namespace = forms.ChoiceField(label="Namespace", widget=forms.Select(attrs={"class": "input"}))
    matchers = forms.CharField(
        max_length=500, label="Alerts with", help_text="label=value, several with commas: all must hold",
        widget=forms.TextInput(attrs={"class": "input mono", "placeholder": "service=ratings, severity=warning", "autocomplete": "off"}),
    )  # fmt: skip
    starts = forms.DateTimeField(
        label="Starts (UTC)", required=False, help_text="Empty: now",
        widget=forms.DateTimeInput(attrs={"class": "input", "type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )  # fmt: skip
    span = forms.TypedChoiceField(
        label="For", coerce=int, initial=7200, widget=forms.Select(attrs={"class": "input"}),
        choices=[(1800, "30 minutes"), (3600, "1 hour"), (7200, "2 hours"), (14400, "4 hours"), (28800, "8 hours"), (86400, "1 day"), (604800, "1 week")],
    )  # fmt: skip
    comment = forms.CharField(
        max_length=500, required=False, label="Why",
        widget=forms.TextInput(attrs={"class": "input", "placeholder": "upgrade of the database", "autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, *args: Any, namespaces: list[tuple[str, str]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["namespace"].choices = namespaces  # type: ignore[attr-defined]

    def clean_matchers(self) -> dict[str, str]:
        found = {}
        for part in self.cleaned_data["matchers"].split(","):
            label, equals, value = (word.strip() for word in part.partition("="))
            if not equals or not label or not value:
                raise forms.ValidationError(f"{part.strip()!r} is not label=value")
            if label in found:
                raise forms.ValidationError(f"{label} stands twice")
            found[label] = value
        return found


def _text(label: str, **more: Any) -> forms.CharField:
    attributes = {"class": "input", "autocomplete": "off", **more.pop("attrs", {})}
    return forms.CharField(label=label, widget=forms.TextInput(attrs=attributes), **more)


class NewPerson(forms.Form):
    username = _text("User name", max_length=150, attrs={"autocapitalize": "none"})
    name = _text("Name", max_length=150, required=False)
    email = _text("E-mail", max_length=254, required=False)
    role = forms.ChoiceField(
        label="Role",
        choices=[("viewer", "Viewer: sees"), ("editor", "Editor: changes policies"), ("admin", "Admin: lets workloads and people in"), ("", "None yet")],
        required=False, widget=forms.Select(attrs={"class": "input"}),
    )  # fmt: skip
    namespace = _text("In namespace", max_length=63, required=False, initial="*", attrs={"list": "known-namespaces"})
    password = forms.CharField(
        label="Password", required=False, max_length=4096, strip=False,
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "new-password"}),
    )  # fmt: skip
