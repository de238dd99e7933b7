"""A disk that fails: what `ostinato.files` asks of it is counted, and fails or ends the process at the n-th time."""

import errno
import os

from ostinato import files
from ostinato.errors import OstinatoError


class Killed(BaseException):
    """The end of the process, as far as a process can show its own: nothing cleans up after it."""


def leave():
    """End the process where it stands."""
    os._exit(137)


FAILURES = (errno.ENOSPC, errno.EIO, Killed)
"""What is tried in tests: the number of an OSError, or the end of the process."""


class Disk:
    """Stands, while active, between `ostinato.files` and the disk.

    at: the operation that fails, counted from 1; None for none. failure: the number of the OSError that it raises;
    `Killed`, after which nothing reaches the disk any more; or a function that is called. operations: what was asked.
    """

    def __init__(self, at=None, failure=errno.ENOSPC):
        self.at, self.failure = at, failure
        self.operations = []
        self.is_dead = False

    def __enter__(self):
        files.open, files.os = self.open, _Os(self)
        return self

    def __exit__(self, *_):
        del files.open
        files.os = os

    def open(self, path, mode):
        self.does("open")
        return _File(self, open(path, mode))

    def does(self, operation):
        """Count an operation, and fail if it is the one."""
        self.checks()
        self.operations.append(operation)
        if len(self.operations) != self.at:
            return
        if self.failure is Killed:
            self.is_dead = True
            raise Killed(operation)
        if callable(self.failure):
            self.failure()
        raise OSError(self.failure, os.strerror(self.failure))

    def checks(self):
        if self.is_dead:
            raise Killed("the process is no more")


class _Os:
    """The module `os`, of which some functions go by the disk."""

    def __init__(self, disk):
        self._disk = disk

    def __getattr__(self, name):
        return getattr(os, name)

    def fsync(self, descriptor):
        self._disk.does("sync")
        os.fsync(descriptor)

    def replace(self, source, target):
        self._disk.does("rename")
        os.replace(source, target)

    def open(self, path, flags):
        self._disk.does("open folder")
        return os.open(path, flags)

    def unlink(self, path):
        self._disk.checks()
        os.unlink(path)


class _File:
    """An open file. Of a write that fails half is on the disk."""

    def __init__(self, disk, file):
        self._disk, self._file = disk, file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, content):
        half = len(content) // 2
        self._file.write(content[:half])
        self._file.flush()
        self._disk.does("write")
        self._file.write(content[half:])

    def flush(self):
        self._disk.does("flush")
        self._file.flush()


def carelessly(path, content):
    """Write as one should not, in place; a check that does not notice checks nothing."""
    with vars(files).get("open", open)(path, "wb") as file:
        file.write(content)


def each_fails(act, check, failures=FAILURES):
    """Let every operation of an act fail in turn, until it has no more, and check what is left each time.

    act: called with the number of the operation. check: called with that number and the error that came (None where
    there was none). failures: tried by turns, from one operation to the next.

    Returns the names of the act's operations.
    """
    at = 0
    while True:
        at, error = at + 1, None
        with Disk(at, failures[(at - 1) % len(failures)]) as disk:
            try:
                act(at)
            except (OSError, OstinatoError, Killed) as caught:
                error = caught
        if len(disk.operations) < at:
            assert error is None
            return disk.operations
        check(at, error)
