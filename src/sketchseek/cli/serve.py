"""``sketchseek serve``: serve the web page and the REST API."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketchseek.cli.address import ADDRESS, Address
from sketchseek.cli.library_option import LIBRARY_VARIABLE, default_library
from sketchseek.cli.output import json_option
from sketchseek.cli.report_errors import report_errors
from sketchseek.cli.sharing_options import SharingOptions, sharing_options

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from sketchseek.search.library import Library


@click.command("serve")
@click.option(
    "--library",
    "-l",
    "libraries",
    type=ADDRESS,
    multiple=True,
    envvar=LIBRARY_VARIABLE,
    default=lambda: (default_library(),),
    metavar="LIB",
    help="Folder of a library, or a URI such as s3://bucket/library; repeat for several. "
    f"Default: ${LIBRARY_VARIABLE}, or one in the user's data folder.",
)
@click.option(
    "--root",
    "roots",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Allow the page to add folders in DIR and to sync libraries. Without it, the server is read-only.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on. Default: the first free port from 8765 on."
)
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="Allow another host name in requests; repeat for several."
)
@click.option("--create", is_flag=True, help="With --root, create libraries that do not exist.")
@sharing_options
@click.option("--log-json", is_flag=True, help="Log requests as lines of JSON on standard error.")
@click.option("--model", metavar="MODEL", help="Fail if a library was built with another model.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@json_option
def serve_command(
    libraries: tuple[Address, ...],
    roots: tuple[Path, ...],
    host: str,
    port: int | None,
    allow_host: tuple[str, ...],
    create: bool,
    sharing: SharingOptions,
    log_json: bool,
    model: str | None,
    open_page: bool,
    as_json: bool,
) -> None:
    """Serve the web page and the REST API until you press Ctrl+C.

    With --json, print {"url": ...} when the server accepts requests, with "lan_url" for other devices if there is one.

    \b
    Examples:
      sketchseek serve --open
      sketchseek serve --library photos.library --port 9000
      sketchseek serve --library holidays.library --library scans.library
      sketchseek serve --root ~/Pictures
      sketchseek serve --root ~/Pictures --library new.library --create
      sketchseek serve --library s3://bucket/library
      sketchseek serve --host 0.0.0.0 --auth users --cert cert.pem --key key.pem
    """
    from sketchseek.search.library import Library
    from sketchseek.server.logs import configure
    from sketchseek.server.running import bind

    if create and not roots:
        raise click.UsageError("--create needs --root: without it, the server is read-only.")
    # A path that was named may be misspelled, so only the default library is created unasked.
    source = click.get_current_context().get_parameter_source("libraries")
    create = create or (bool(roots) and source is click.core.ParameterSource.DEFAULT)
    sharing.check(host)
    configure(as_json=log_json)
    with report_errors(as_json, handles_signals=True), ExitStack() as stack:
        opened = [
            stack.enter_context(Library.open(path, model, create=create, readonly=not roots))
            for path in dict.fromkeys(libraries)
        ]
        listener = stack.enter_context(bind(host, port))
        run_page(
            *opened,
            listener=listener,
            host=host,
            allow_hosts=allow_host,
            roots=[root.absolute() for root in roots],
            open_page=open_page,
            as_json=as_json,
            sharing=sharing,
        )


def run_page(
    *libraries: Library,
    listener: socket.socket,
    host: str,
    allow_hosts: tuple[str, ...] = (),
    roots: Sequence[Path] = (),
    open_page: bool = False,
    as_json: bool = False,
    sharing: SharingOptions | None = None,
) -> None:
    """Serve libraries until interrupted, and print the URL."""
    sharing = sharing or SharingOptions()
    from sketchseek.server.running import serve

    def ready(url: str) -> None:
        from sketchseek.server.lan_address import lan_url

        other = lan_url(listener, url.partition(":")[0])
        if as_json:
            click.echo(json.dumps({"url": url} | ({} if other is None else {"lan_url": other})))
        else:
            click.echo(f"Draw at {url} (press Ctrl+C to stop)")
            if other is not None:
                click.echo(f"From other devices: {other}")
            for warning in sharing.warnings(host):
                click.echo(warning, err=True)
        if open_page and _has_screen():
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()  # it may block

    first, *others = libraries
    serve(
        first,
        listener,
        *others,
        host=host,
        allow_hosts=allow_hosts,
        roots=roots,
        sharing=sharing.sharing(),
        tls=sharing.tls(),
        root_path=sharing.root_path,
        ready=ready,
    )


def _has_screen() -> bool:
    """Return whether a browser has a screen to open on. Without one, Python starts a text browser in the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
