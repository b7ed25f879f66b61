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
        choices=[("all", "Do all that I may"), ("read", "Only read")],
        initial="all",
        widget=forms.Select(attrs={"class": "input"}),
    )
    namespaces = forms.MultipleChoiceField(label="In", required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, namespaces: list[str], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["namespaces"].choices = [(n, n) for n in namespaces]  # type: ignore[attr-defined]


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
