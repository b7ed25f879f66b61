"""A test that reads as the sequence diagram: `>> event` happens, `<< command` must follow, in this order and no other."""


class Playbook:
    def __init__(self, session, now=0.0):
        self.session, self.now, self._due = session, now, []

    def __rshift__(self, event):
        assert not self._due, f"not expected: {self._due}"
        self._due = list(self.session.handle(event, self.now))
        return self

    def __lshift__(self, command):
        assert self._due, f"nothing happened, but expected {command}"
        assert self._due.pop(0) == command
        return self

    def at(self, now):
        self.now = now
        return self

    def end(self):
        assert not self._due, f"not expected: {self._due}"
