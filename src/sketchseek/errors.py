"""Every error that a user of sketchseek can meet.

::

    SketchseekError
    ├── InputError (also ValueError)     what was handed in cannot be used
    │   ├── ImageError                 a picture cannot be read
    │   │   └── ImageTooLargeError     more pixels than the cap allows
    │   └── SketchError                 a sketch cannot be read
    │       └── EmptySketchError        a sketch without ink
    ├── ModelPackageError                    a model package is missing, damaged or of a newer format
    ├── LibraryError                     a library cannot be used
    │   ├── LibraryNotFoundError         there is none at this path
    │   ├── LibraryLockedError           another process is writing to it
    │   ├── LibraryCorruptError          its files are damaged
    │   └── ModelMismatchError        it was built with another package
    ├── DatasetError                     a data set is missing files or has the wrong layout
    ├── ConfigError (also ValueError)    an option or experiment file is wrong
    ├── TrainingError                    training failed, as by a learning rate that is too high
    ├── ExportError                      an exported model does not agree with its source
    └── MissingExtraError                a part of sketchseek that is not installed was asked for

Each message names what was wrong; ``remedy`` says what to do about it and is part of ``str(error)``.
"""

from __future__ import annotations


class SketchseekError(Exception):
    """Base of all errors that sketchseek raises on purpose.

    Args:
        message: What is wrong, with the file or option it is about.
        remedy: What the user can do, as a sentence; empty where nothing can be done.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class InputError(SketchseekError, ValueError):
    """What was handed in cannot be used."""


class ImageError(InputError):
    """A picture cannot be read: not a picture, truncated, empty or in a format that is not supported."""


class ImageTooLargeError(ImageError):
    """A picture has more pixels than the cap allows (a decompression bomb, perhaps)."""


class SketchError(InputError):
    """A sketch (strokes, SVG or picture) cannot be read."""


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
    """The library was built with another package than the one asked for."""


class DatasetError(SketchseekError):
    """A data set is missing files or has the wrong layout."""


class ConfigError(SketchseekError, ValueError):
    """An option or an experiment file is wrong."""


class TrainingError(SketchseekError):
    """Training failed."""


class ExportError(SketchseekError):
    """An exported model does not agree with the model it was exported from."""


class MissingExtraError(SketchseekError):
    """A part of sketchseek that is not installed was asked for."""
