"""The steps of a rotation, each one transaction with its audit entry. Claimed by compare-and-set: twice is harmless."""

import datetime

from django.db import IntegrityError, transaction

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author

from . import authority, bundles, heads, keystore
from .models import Intermediate, State, TrustRoot

BY_ITSELF = Author("console", "system", "")


class Refused(ValueError):
    """This step cannot be taken now; says why."""


def rotate_root(author: Author, now: datetime.datetime) -> Intermediate:
    """A new root of our own, with its intermediate: pending. Raises Refused."""
    with transaction.atomic():
        one_at_a_time(now)
        root = authority.own_root(authority.next_generation(), now, State.PENDING)
        row = authority.own_intermediate(root, authority.next_number(), now, State.PENDING, by=author.user)
        return begun(row, author, now, "a new root of our own")


def rotate_intermediate(author: Author, now: datetime.datetime) -> Intermediate:
    """A new intermediate below the present root. Raises Refused, keystore.Locked."""
    with transaction.atomic():
        one_at_a_time(now)
        root = authority.first(now).root
        assert root is not None
        if not root.sealed_key:
            raise Refused(
                f"the key of {root} is not kept here: let it sign the request of `meshconsole ca csr`, then `meshconsole ca adopt`"
            )
        row = authority.own_intermediate(root, authority.next_number(), now, State.PENDING, by=author.user)
        return begun(row, author, now, f"a new intermediate of root {root.generation}")


def begun(row: Intermediate, author: Author, now: datetime.datetime, what: str) -> Intermediate:
    """Tell everybody of it. In the transaction that made it. Where every proxy takes its leaves as it is, it needs no new bundle."""
    said = bundles.refresh(now)
    Intermediate.objects.filter(pk=row.pk, bundle=0).update(bundle=said.number)
    heads.bump()
    audit.record(author, "rotate", f"Intermediate {row.number}", f"{what}: pending until every proxy believes it\n")
    row.refresh_from_db()
    return row


def activate(number: int, author: Author, now: datetime.datetime, *, forced: bool = False) -> bool:
    """pending → active, and the one before active → retiring. False: it is not pending (any more)."""
    with transaction.atomic():
        heads.lock()
        row = Intermediate.objects.filter(number=number, state=State.PENDING).first()
        if row is None:
            return False
        before = Intermediate.objects.filter(state=State.ACTIVE).first()
        Intermediate.objects.filter(state=State.ACTIVE).update(state=State.RETIRING, retired=now)
        by = author.user if forced else ""
        Intermediate.objects.filter(pk=row.pk).update(state=State.ACTIVE, activated=now, forced_by=by)
        _settle_roots()
        heads.bump()
        told = "signs now" + (", by force: not every proxy believes it yet" if forced else ": every proxy believes it")
        audit.record(author, "activate", f"Intermediate {number}", told + (f"; {before} retires\n" if before else "\n"))
    return True


def remove(number: int, author: Author, now: datetime.datetime, *, forced: bool = False) -> bool:
    """retiring → removed. Raises keystore.Locked."""
    return _end(number, State.RETIRING, author, now, "remove", "nothing that it signed is in use any more", forced=forced)


def cancel(author: Author, now: datetime.datetime) -> int:
    """The pending rotation is called off; its number. Raises Refused."""
    row = Intermediate.objects.filter(state=State.PENDING).first()
    if row is None or not _end(row.number, State.PENDING, author, now, "cancel", "called off before it had signed anything", forced=False):
        raise Refused("no rotation is pending")
    return row.number


def _end(number: int, state: State, author: Author, now: datetime.datetime, action: str, why: str, *, forced: bool) -> bool:
    with transaction.atomic():
        heads.lock()
        ended = Intermediate.objects.filter(number=number, state=state)
        by = author.user if forced else ""
        if ended.update(state=State.REMOVED, removed=now, sealed_key=b"", forced_by=by) != 1:
            return False
        _settle_roots()
        bundles.refresh(now)
        heads.bump()
        audit.record(author, action, f"Intermediate {number}", ("by force" if forced else why) + "; its key is destroyed\n")
    return True


def reencrypt(author: Author) -> int:
    """Seal every key with the ring's first secret; how many were not. Raises keystore.Locked, and then nothing has changed."""
    done = 0
    with transaction.atomic():
        heads.lock()
        for root in TrustRoot.objects.all():
            done += _resealed(root, authority.root_name(root.generation))
        for row in Intermediate.objects.all():
            done += _resealed(row, keystore.ISSUER)
        audit.record(author, "reencrypt", "CA keys", f"{done} sealed anew\n")
    return done


def _resealed(row: TrustRoot | Intermediate, name: str) -> int:
    sealed = bytes(row.sealed_key)
    if not sealed or keystore.current(sealed, name):
        return 0
    return type(row).objects.filter(pk=row.pk).update(sealed_key=keystore.seal(keystore.unseal(sealed, name), name))  # type: ignore[attr-defined]


def one_at_a_time(now: datetime.datetime) -> None:
    """Before a rotation's rows are made. Raises Refused."""
    heads.lock()
    authority.first(now)
    if (row := Intermediate.objects.filter(state=State.PENDING).first()) is not None:
        raise Refused(f"{row} has not become active yet: wait for it, force it or cancel it first")


def _settle_roots() -> None:
    """A root's state is the foremost of its intermediates'; a root that nobody believes any more loses its key."""
    order = [State.ACTIVE, State.PENDING, State.RETIRING, State.REMOVED]
    for root in TrustRoot.objects.exclude(state=State.REMOVED).prefetch_related("intermediates"):
        states = {row.state for row in root.intermediates.all()}
        state = next((s for s in order if s in states), State.REMOVED)
        if state == State.REMOVED:
            TrustRoot.objects.filter(pk=root.pk).update(state=state, sealed_key=b"")
        elif state != root.state:
            TrustRoot.objects.filter(pk=root.pk).update(state=state)


def pending(row: Intermediate, author: Author, now: datetime.datetime, what: str) -> Intermediate:
    """One that came from outside, not saved yet. Raises Refused."""
    try:
        with transaction.atomic():
            one_at_a_time(now)
            row.state = State.PENDING
            row.save()
            return begun(row, author, now, what)
    except IntegrityError as e:
        raise Refused("another rotation has just begun") from e
