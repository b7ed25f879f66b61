"""On the console's host: let somebody in by password alone who lost the authenticator, when no other admin can."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from meshconsole.accounts import people
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import User


class Command(BaseCommand):
    help = "Remove the second factor of USERNAME, and end their sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is nobody called {username!r}.")
        removed = people.reset_factors(Author("console host"), user)
        self.stdout.write(f"{username} signs in by password alone." if removed else f"{username} has no second factor.")
