"""The first frame of a video as a picture, decoded by FFmpeg (PyAV)."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, BinaryIO

from PIL import Image, ImageFile

from sketchseek.images.blank_picture import is_blank

if TYPE_CHECKING:
    from PIL._imaging import PixelAccess

MAX_KEY_FRAMES = 8
"""Key frames that are looked at until one is not blank: many videos begin in black."""

MAX_PACKETS = 5000
"""Packets that are read of a file, whatever it holds."""


class VideoImage(ImageFile.ImageFile):
    """The first frame of a video that is not blank, turned as the video asks for.

    Args:
        file: The video's file.
        container: FFmpeg's name of its format. It is never guessed: some of FFmpeg's formats, such as playlists, open
            other files and addresses.
    """

    format = "VIDEO"

    def __init__(self, file: BinaryIO, container: str) -> None:
        self.container = container
        self._frame: Image.Image | None = None
        super().__init__(file)

    def _open(self) -> None:
        import av  # 0.5 s, which only videos pay

        with self._opened(av) as container:
            stream = video_stream(container)
            self._size = (stream.codec_context.width, stream.codec_context.height)
        self._mode = "RGB"
        self.tile = []

    def load(self) -> PixelAccess | None:
        """Decode the frame."""
        if self._frame is None:
            import av

            with self._opened(av) as container:
                self._frame = _first_frame(container)
            self.im = self._frame.im
            self._size = self._frame.size
        return Image.Image.load(self)

    def _opened(self, av: Any) -> Any:
        assert self.fp is not None
        return open_video(av, self.fp, self.container)


def open_video(av: Any, file: IO[bytes], container: str) -> Any:
    """Open a video with FFmpeg; see ``VideoImage``. ``av`` is the module."""
    file.seek(0)
    # Titles may be in any encoding; from version 19 on, av reads them all and has no option for it.
    options = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
    return av.open(file, mode="r", format=container, **options)


def video_stream(container: Any) -> Any:
    """Return the first video in a container, to be decoded in one thread."""
    if not container.streams.video:
        raise SyntaxError("no video in it")
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    return stream


def _first_frame(container: Any) -> Image.Image:
    """Return the first key frame that is not blank; the first of all if each is."""
    stream = video_stream(container)
    stream.codec_context.skip_frame = "NONKEY"
    first: Image.Image | None = None
    seen = 0
    for packets, packet in enumerate(container.demux(stream)):
        for frame in packet.decode():
            seen += 1
            picture: Image.Image = frame.to_image().rotate(frame.rotation, expand=True)
            if not is_blank(picture):
                return picture
            first = first or picture
        if seen >= MAX_KEY_FRAMES or packets >= MAX_PACKETS:
            break
    if first is None:
        raise SyntaxError("no frame of it can be decoded")
    return first
