"""The people of these tests: alice may do everything, bob edits default, victor views default, charlie is an outsider."""

from meshconsole.accounts.author import Author
from meshconsole.accounts.models import Grant, User
from meshconsole.accounts.permissions import may

PASSWORD = "correct horse battery staple"


def person(name: str, **grants: str) -> User:
    """`person("bob", default="editor", every="viewer")`; `every` is all namespaces."""
    user = User(username=name)
    user.set_unusable_password()
    user.save()
    for namespace, role in grants.items():
        Grant.objects.create(user=user, namespace="*" if namespace == "every" else namespace, role=role)
    return user


def alice() -> User:
    user = person("alice")
    user.is_superuser = True
    user.save()
    return user


def author(user: User, door: str = "token") -> Author:
    return Author(user.username, door, "127.0.0.1", lambda verb, kind, namespace: may(user, verb, kind, namespace))
