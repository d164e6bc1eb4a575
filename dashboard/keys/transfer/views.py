"""Export keys to a file and download it; upload a file, look at it, import it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.audit import record
from dashboard.jobs import Busy
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.bulk.showing import run_of
from dashboard.keys.bulk.starting import Refused
from dashboard.keys.transfer import exporting, importing, keeping, looking, vault
from dashboard.keys.transfer.forms import ExportForm, ImportForm, UploadForm
from dashboard.keys.transfer.models import Archive
from dashboard.keys.transfer.showing import Upload
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.ui import answers, numbers
from dashboard.ui.uploads import TOO_LARGE
from redisops.archives import Damaged

EXPORT, IMPORT = Archive.Use.EXPORT, Archive.Use.IMPORT


# --- Export ---------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@on_server("keys.export")
def export(request: HttpRequest, server: Server) -> HttpResponse:
    """With ``?list=``: how that list is to be written. Always: the files that are ready."""
    run = _run(request, server)
    if request.method == "GET" or run is None:
        status = 200 if request.method == "GET" else 400
        initial = {"limit": run.default_limit} if run else {}
        return _exports(request, server, run, ExportForm(initial=initial), status=status)
    form = ExportForm(request.POST)
    if not form.is_valid():
        return _exports(request, server, run, form, status=422)
    try:
        job = exporting.export(request, run.list, **form.arguments)
    except Refused as refusal:
        form.add_error(None, f"{refusal}")
        return _exports(request, server, run, form, status=422)
    return redirect(job)


@require_GET
@on_server("keys.export")
def export_file(request: HttpRequest, server: Server, pk: int) -> Any:
    """The file itself, for whoever made it and admins; in the audit before the first byte."""
    archive = _archive(request, server, EXPORT, pk)
    if not archive.is_ready:
        return answers.error(
            request, 409, title="This file is not ready", icon="file-clock",
            sentence="The export is still being written, or it did not come to its end.",
            next_step="Look at its job to see how far it is.",
        )  # fmt: skip
    told = {"keys": archive.keys, "bytes": archive.size, "format": archive.format}
    record(
        request, "keys.export_download", server=server.slug, target=archive.name, after=told
    )  # fmt: skip
    chunks = _awaited(archive) if isinstance(request, ASGIRequest) else vault.chunks(archive)
    return StreamingHttpResponse(
        chunks,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{archive.file_name}"',
            "Content-Length": str(archive.size),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "no-store",
        },
    )


@require_POST
@on_server("keys.export")
def export_remove(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    return _remove(request, server, EXPORT, pk)


async def _awaited(archive: Archive) -> AsyncIterator[bytes]:
    # Under ASGI a plain iterator would be read to its end before the first byte is sent.
    chunks = vault.chunks(archive)
    following = sync_to_async(lambda: next(chunks, None))
    while (chunk := await following()) is not None:
        yield chunk


def _run(request: HttpRequest, server: Server) -> Any:
    """The counted list that the address names, as bulk work shows it; None without one."""
    told = (request.POST if request.method == "POST" else request.GET).get("list", "")
    if not told:
        return None
    if not (told.isascii() and told.isdigit() and len(told) < 18):
        raise Http404(f"no list {told[:20]}")
    run = run_of(request, server, int(told), do="export")
    if run.list.state != KeyList.State.READY:
        raise Http404("this list is not counted")
    return run


def _exports(
    request: HttpRequest, server: Server, run: Any, form: ExportForm, *, status: int
) -> HttpResponse:
    files = keeping.visible(request, server, EXPORT)
    context = {"run": run, "form": form, "files": files, **_bounds()}
    return render(request, "keys/transfer/export.html", context, status=status)


# --- Import ---------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@on_server("keys.import")
def import_(request: HttpRequest, server: Server) -> HttpResponse:
    """Upload a file; nothing is written by it but a look through the file begins."""
    if request.method == "GET":
        return _uploads(request, server, UploadForm(), status=200)
    form = UploadForm(request.POST, request.FILES)
    if TOO_LARGE in request.META:
        most = numbers.size(settings.IMPORT_BYTES)
        form.errors.clear()
        form.add_error("file", f"The file is larger than {most} (IMPORT_BYTES), and was not read.")
        return _uploads(request, server, form, status=413)
    if not form.is_valid():
        return _uploads(request, server, form, status=422)
    try:
        archive = keeping.upload(request, server, form.cleaned_data["file"])
    except (Damaged, keeping.NoRoom) as refusal:
        form.add_error("file", f"This file was not taken: {refusal}")
        return _uploads(request, server, form, status=422)
    record(
        request, "keys.upload", server=server.slug, target=archive.name,
        after={"bytes": archive.size, "format": archive.format},
    )  # fmt: skip
    looking.look(request, archive)
    return redirect(archive)


@require_http_methods(["GET", "POST"])
@on_server("keys.import")
def import_file(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """An uploaded file's dry run; by POST the import, once for each form that was shown."""
    upload = Upload(server, _archive(request, server, IMPORT, pk))
    if request.method == "GET" or not upload.is_ready:
        return _dry_run(request, upload, ImportForm(upload.archive, initial=upload.initial))
    if upload.newest is not None and request.POST.get("after") != f"{upload.newest.pk}":
        return redirect(upload.newest)
    form = ImportForm(upload.archive, request.POST)
    if request.POST.get("do") == "look":
        if form.errors.keys() & {"old", "new"}:
            return _dry_run(request, upload, form, status=422)
        looking.look(request, upload.archive, rename=form.rename)
        return redirect(upload.archive)
    if not form.is_valid():
        return _dry_run(request, upload, form, status=422)
    try:
        job = importing.begin(request, upload.archive, **form.arguments)
    except Refused as refusal:
        form.add_error(None, f"{refusal}")
        return _dry_run(request, upload, form, status=422)
    except Busy as busy:
        form.add_error(None, f"{busy}. Two jobs never work on the same keys at once.")
        return _dry_run(request, upload, form, status=409, busy=busy)
    return redirect(job)


@require_POST
@on_server("keys.import")
def import_remove(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    return _remove(request, server, IMPORT, pk)


def _uploads(
    request: HttpRequest, server: Server, form: UploadForm, *, status: int
) -> HttpResponse:
    files = keeping.visible(request, server, IMPORT)
    context = {"form": form, "files": files, "most": settings.IMPORT_BYTES, **_bounds()}
    return render(request, "keys/transfer/import.html", context, status=status)


def _dry_run(
    request: HttpRequest, upload: Upload, form: ImportForm, *, status: int = 200,
    busy: Busy | None = None,
) -> HttpResponse:  # fmt: skip
    context = {"upload": upload, "form": form, "busy": busy.job if busy else None}
    part = answers.is_htmx(request) and upload.is_looking
    template = "keys/transfer/_looking.html" if part else "keys/transfer/import_file.html"
    response = render(request, template, context, status=status)
    if answers.is_htmx(request) and not part:
        response = HttpResponse(status=200, headers={"HX-Refresh": "true"})
    response["Cache-Control"] = "no-store"
    return response


# --- Both -----------------------------------------------------------------------------------


def _archive(request: HttpRequest, server: Server, use: str, pk: int) -> Archive:
    found = keeping.opened_by(request, server, use, pk)
    if found is None:
        raise Http404(f"no {use} {pk}")
    return found


def _bounds() -> dict[str, Any]:
    return {"kept_seconds": settings.EXPORT_SECONDS}


def _remove(request: HttpRequest, server: Server, use: str, pk: int) -> HttpResponse:
    """Remove a file now; not while a job works with it."""
    archive = _archive(request, server, use, pk)
    if keeping.in_use(archive):
        messages.warning(request, f"{archive.name} is in use: its job is not done.")
    else:
        record(request, "keys.archive_remove", server=server.slug, target=archive.name)
        archive.forget()
        messages.success(request, f"Removed the file of {archive.name}.")
    return redirect(f"keys:{use}", server.slug)
