"""All errors that sketchseek raises on purpose.

::

    SketchseekError
    ├── InputError (also ValueError)    an argument cannot be used
    │   ├── ImageError                  an image cannot be read
    │   │   └── ImageTooLargeError      it has more pixels than the cap allows
    │   └── SketchError                 a sketch cannot be read
    │       └── EmptySketchError        it has no ink
    ├── ModelPackageError               a model package is missing, damaged or of a newer format
    ├── LibraryError                    a library cannot be used
    │   ├── LibraryNotFoundError        there is none at this path
    │   ├── LibraryLockedError          another process is writing to it
    │   ├── LibraryCorruptError         its files are damaged
    │   └── ModelMismatchError          it was built with another model
    ├── StorageError                    object storage does not answer, or refuses a request
    ├── DatasetError                    a data set lacks files or has the wrong layout
    ├── DownloadError                   a file cannot be downloaded, or is not the one that was expected
    ├── ConfigError (also ValueError)   an option or configuration file is invalid
    ├── TrainingError                   training failed, for example because of a high learning rate
    ├── ExportError                     an exported model disagrees with its source
    └── MissingExtraError               an optional part of sketchseek is not installed

Every error has the fields ``subject`` (what it is about), ``reason`` (what happened) and ``remedy`` (what to do).
``message`` is derived from the first two.
"""

from __future__ import annotations


class SketchseekError(Exception):
    """Base class of all errors that sketchseek raises on purpose.

    Args:
        reason: What happened, as a sentence.
        subject: The file, folder or option that the error is about; stored as text. Empty if the reason names it.
        remedy: What the user can do, as a sentence; empty if nothing can be done.
    """

    def __init__(self, reason: str, *, subject: object = "", remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.subject = str(subject)
        self.remedy = remedy

    @property
    def message(self) -> str:
        """What happened, and to what: ``subject: reason``."""
        return f"{self.subject}: {self.reason}" if self.subject else self.reason

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class InputError(SketchseekError, ValueError):
    """An argument cannot be used."""


class ImageError(InputError):
    """An image cannot be read: it is truncated, empty, in an unsupported format, or not an image."""


class ImageTooLargeError(ImageError):
    """An image has more pixels than the cap allows; it may be a decompression bomb."""


class SketchError(InputError):
    """A sketch (strokes, SVG or image) cannot be read."""


class EmptySketchError(SketchError):
    """A sketch has no ink."""


class ModelPackageError(SketchseekError):
    """A model package is missing, damaged or of a newer format."""


class LibraryError(SketchseekError):
    """A library cannot be used."""


class LibraryNotFoundError(LibraryError):
    """There is no library at this path."""


class LibraryLockedError(LibraryError):
    """Another process is writing to the library."""


class LibraryCorruptError(LibraryError):
    """The library's files are damaged."""


class ModelMismatchError(LibraryError):
    """The library was built with another model than the one asked for."""


class StorageError(SketchseekError):
    """Object storage did not answer, or refused a request.

    Attributes:
        refused: Whether it answered, and refused access to this one.
    """

    refused = False


class DatasetError(SketchseekError):
    """A data set lacks files or has the wrong layout."""


class DownloadError(SketchseekError):
    """A file cannot be downloaded, or is not the one that was expected."""


class ConfigError(SketchseekError, ValueError):
    """An option or a configuration file is invalid."""


class TrainingError(SketchseekError):
    """Training failed."""


class ExportError(SketchseekError):
    """An exported model disagrees with the model it was exported from."""


class MissingExtraError(SketchseekError):
    """An optional part of sketchseek is not installed."""
