"""`manage.py jointoken --namespace default --service-account reviews`: print a join token for an agent."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from meshconsole.ca import tokens


class Command(BaseCommand):
    help = "Print a new join token: it lets an agent ask for its first certificate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--namespace", default="default")
        parser.add_argument("--service-account", default="default")
        parser.add_argument("--ttl", type=float, default=tokens.DEFAULT_TTL, help="seconds that it is good for")
        parser.add_argument("--uses", type=int, default=1, help="agents that may use it; 0 for any number")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            token, plaintext = tokens.make(
                options["namespace"], options["service_account"], options["ttl"], options["uses"] or None, created_by="manage.py"
            )
        except ValueError as e:
            raise CommandError(str(e)) from e
        shown = {
            "token": plaintext,
            "namespace": token.namespace,
            "serviceAccount": token.service_account,
            "expires": token.expires.isoformat(),
        }
        self.stdout.write(json.dumps(shown) if options["json"] else plaintext)
