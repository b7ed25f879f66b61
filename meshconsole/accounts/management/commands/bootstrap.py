"""Make sure that there is an administrator and an API token, and say them as JSON: for first starts, demos and tests."""

import json
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from meshconsole.accounts import audit, tokens
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import ApiToken, User


class Command(BaseCommand):
    help = (
        "Create the administrator and an API token where they are missing. Prints {username, password, token}. Run again, it changes nothing "
        "that it was not given: `password` is null when the user has one already, and the token is replaced unless --token names it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")
        parser.add_argument("--password", default="", help="default: made up, for a new user")
        parser.add_argument("--token-name", default="bootstrap")
        parser.add_argument("--token", default="", help="the token's plaintext (`msh_…`, as printed before); default: made up")

    @transaction.atomic
    def handle(self, *args: Any, username: str, password: str, token_name: str, token: str, **options: Any) -> None:
        author = Author("bootstrap")
        user, created = User.objects.get_or_create(username=username, defaults={"is_superuser": True, "is_staff": True})
        if created:
            password = password or secrets.token_urlsafe(12)
            audit.record(author, "create", f"User {username}")
        if password and not user.check_password(password):
            user.set_password(password)
            user.save()
            audit.record(author, "set password", f"User {username}")
        known = tokens.find(token) if token else None
        if known is None or known.user != user:
            for old in ApiToken.objects.filter(user=user, name=token_name, revoked=None):
                tokens.revoke(old)
            _, token = tokens.create(user, token_name, plaintext=token)
            audit.record(author, "create", f"ApiToken {token_name} of {username}")
        self.stdout.write(json.dumps({"username": username, "password": password or None, "token": token}))
