"""One edit from the link to the answer: form, review, save, and what can go wrong with it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse

from dashboard import undo
from dashboard.keys.editing import applying, differences, times
from dashboard.keys.editing.operations import OPERATIONS, EditForm, Operation, ValueOperation
from dashboard.keys.editing.showing import Note, Page
from dashboard.keys.editing.trouble import TROUBLE, note_plain, note_result, protected
from dashboard.servers.models import Server
from redisops.edits import Conflict, Edits, Missing, Refused, Rename, Saved
from redisops.elements import Element, Elements
from redisops.errors import InvalidArgument, UnknownResult

STEPS = ("form", "edit", "review", "save", "check")
# What the key ``e`` and a bare address mean for a key of each type.
USUAL = {
    "string": "value", "hash": "add-field", "list": "push", "set": "add-member",
    "zset": "add-score", "stream": "add-entry", "ReJSON-RL": "json", "vectorset": "add-vector",
}  # fmt: skip


class Changing:
    """One request for one edit of one key."""

    def __init__(self, request: HttpRequest, server: Server, key: bytes) -> None:
        self.request = request
        self.server = server
        self.page = Page(request, server, key)
        self.key = key
        step = request.POST.get("step", "review") if request.method == "POST" else "form"
        self.step = step if step in STEPS else "form"

    def answer(self) -> HttpResponse:
        if self.server.protects(self.key):
            return protected(self.request, self.page, "key.update")
        operation = self.operation
        if self.step == "form":
            operation.element = self.look(operation)
            return self.opened(operation)
        try:
            operation.element = self.look(operation)
        except InvalidArgument:
            raise
        except TROUBLE as error:
            # The server is asked nothing more, and what was typed stays.
            form = operation.form(initial=dict(self.page.posted()))
            return self.shown(operation, form, note_plain(error), status=503)
        form = operation.form(self.request.POST, files=self.request.FILES)
        if self.step == "edit":
            return self.shown(operation, operation.form(initial=dict(self.page.posted())))
        if not form.is_valid():
            return self.shown(operation, form, status=422)
        if self.step == "check":
            return self.checked(operation, form)
        if self.step == "review" and operation.reviews:
            return self.reviewed(operation, form)
        return self.saved(operation, form)

    @property
    def operation(self) -> Operation:
        told = self.request.POST if self.request.method == "POST" else self.request.GET
        name = told.get("do", "")
        if not name:
            kind = Elements(self.server.client()).look(self.key).type
            name = USUAL.get(kind, "expiry")
        if name not in OPERATIONS:
            raise Http404("no such edit")
        operation = OPERATIONS[name](self.server, self.key, told)
        _ = operation.place  # raises for an index that is none
        return operation

    def look(self, operation: Operation) -> Element:
        elements = Elements(self.server.client())
        return elements.look(self.key, operation.what, operation.place)

    # --- Before anything is written --------------------------------------------------------

    def opened(self, operation: Operation) -> HttpResponse:
        """The form, with what is there now."""
        element = operation.element
        assert element is not None
        if not element.exists:
            return self.page.answer("_gone", status=404)
        why_not = operation.lacks(self.server.client().features())
        if why_not:
            return self.page.closed(f"{why_not[:1].upper()}{why_not[1:]}.", status=409)
        if reason := operation.closed(element):
            return self.page.answer(
                "_closed", status=409, sentence=reason, title="This cannot be edited now",
                upload=element.is_cut and operation.do == "value",
            )  # fmt: skip
        form = operation.form(initial=operation.initial(element))
        return self.shown(operation, form)

    def reviewed(self, operation: Operation, form: EditForm) -> HttpResponse:
        """What would change, before it does."""
        element = operation.element
        assert element is not None
        if not element.exists or element.data is None:
            return self.lost(operation, form, Missing(operation.noun if element.exists else "key"))
        if operation.seen_text(element) != form.cleaned_data.get("seen"):
            return self.conflict(operation, form, element)
        old, new = self.texts(operation, form, element)
        if old == new:
            note = Note("Nothing to save.", "What you typed is what is stored.", tone="info")
            return self.shown(operation, form, note)
        return self.compared(operation, form, old, new)

    def texts(self, operation: Operation, form: EditForm, element: Element) -> tuple[str, str]:
        """Old and new in the same spelling."""
        if "value" not in form.fields:
            return operation.old_words(element), operation.new_words(form.cleaned_data)
        spelled = form.cleaned_data.get("spelled") or "escapes"
        old = operation.old_text(element, spelled)
        return old, operation.new_text(form.cleaned_data["value"], spelled)

    def compared(
        self, operation: Operation, form: EditForm, old: str, new: str, *, status: int = 200,
        note: Note | None = None, without_undo: str = "",
    ) -> HttpResponse:  # fmt: skip
        return self.page.answer(
            "_review", status=status, operation=operation, form=form, note=note,
            difference=differences.compare(old, new), without_undo=without_undo,
            carried=self.page.posted("confirm", "reason", "without_undo"),
        )  # fmt: skip

    # --- Saving ----------------------------------------------------------------------------

    def saved(self, operation: Operation, form: EditForm) -> HttpResponse:
        """Send it, and say what came of it."""
        assert form.edit is not None
        if any(map(self.server.protects, form.edit.keys)):
            return protected(self.request, self.page, operation.action)
        if not form.check_confirmation():
            return self.again(operation, form, status=422)
        try:
            done = applying.apply(
                self.request, self.server, form.edit, action=operation.action,
                reason=form.cleaned_data.get("reason", "").strip(), old=operation.original,
                without_undo=self.request.POST.get("without_undo") == "on",
            )  # fmt: skip
        except undo.CannotKeep as error:
            note = Note("Nothing was changed.", "The recycle bin cannot keep what would go.")
            return self.again(operation, form, note, status=409, without_undo=str(error))
        except UnknownResult as error:
            return self.page.answer(
                "_unknown", status=503, operation=operation, note=Note.of(error),
                carried=self.sent(form),
            )  # fmt: skip
        except InvalidArgument:
            raise
        except TROUBLE as error:
            return self.again(operation, form, Note.of(error), status=503)
        match done.outcome:
            case Saved():
                return self.on(operation, done, form.edit)
            case Conflict() as conflict if operation.what == "key":
                note = Note("Nothing was changed.", _is_so_already(operation, conflict))
                return self.again(operation, form, note, status=409)
            case Conflict():
                return self.conflict(operation, form, self.look(operation))
        return self.lost(operation, form, done.outcome)

    def sent(self, form: EditForm) -> list[tuple[str, str]]:
        """The fields that make the very same edit again; a duration as the moment it meant."""
        at = getattr(form.edit, "at", None)
        if at is None:
            return self.page.posted()
        return [*self.page.posted("when"), ("when", times.fixed(at))]

    def on(self, operation: Operation, done: applying.Done, edit: Any) -> HttpResponse:
        words = operation.sentence
        assert isinstance(done.outcome, Saved)
        if done.outcome.note and operation.no_undo:
            words = f"{words} {done.outcome.note}"
        if done.removal is None or (done.outcome.note and operation.no_undo):
            messages.success(self.request, words)  # else the strip with the way back says it
        page = self.page
        if isinstance(edit, Rename):
            page = Page(self.request, self.server, edit.to)
        url = page.back_url
        if done.removal is not None:
            url += ("&" if "?" in url else "?") + urlencode({"undo": done.removal.pk})
        return self.page.go(url)

    def again(
        self, operation: Operation, form: EditForm, note: Note | None = None, *, status: int,
        without_undo: str = "",
    ) -> HttpResponse:  # fmt: skip
        """The step that was left, with what is wrong with it."""
        element = operation.element
        if operation.reviews and element is not None and element.data is not None:
            old, new = self.texts(operation, form, element)
            return self.compared(
                operation, form, old, new, status=status, note=note, without_undo=without_undo
            )
        return self.shown(operation, form, note, status=status, without_undo=without_undo)

    # --- What else can be so ---------------------------------------------------------------

    def conflict(self, operation: Operation, form: EditForm, element: Element) -> HttpResponse:
        """Somebody was faster: both versions, and the choice."""
        if not element.exists or element.data is None:
            return self.lost(operation, form, Missing(operation.noun if element.exists else "key"))
        operation.element = element
        mine = ""
        if operation.is_danger:
            theirs = operation.old_text(element, "escapes")
        else:
            theirs, mine = self.texts(operation, form, element)
        carried = dict(self.page.posted("seen")) | {"seen": operation.seen_text(element)}
        return self.page.answer(
            "_conflict", status=409, operation=operation, form=form, theirs=theirs, mine=mine,
            difference=differences.compare(theirs, mine), carried=list(carried.items()),
            is_same=theirs == mine,
        )  # fmt: skip

    def lost(self, operation: Operation, form: EditForm, outcome: Any) -> HttpResponse:
        """Nothing was written, for a reason that another form may answer."""
        if isinstance(outcome, Refused):
            note = Note(
                "Nothing was changed.", outcome.reason.removesuffix(" Nothing was changed."),
                outcome.detail, outcome.instead,
            )  # fmt: skip
            return self.again(operation, form, note, status=409)
        if isinstance(outcome, Missing) and outcome.what == "key":
            return self.page.answer("_gone", status=404)
        words = applying.words_of(outcome)
        return self.shown(operation, form, Note("Nothing was changed.", words), status=409)

    def checked(self, operation: Operation, form: EditForm) -> HttpResponse:
        """After a lost reply: what the server says now. Writes nothing."""
        assert form.edit is not None
        try:
            verdict = Edits(self.server.client()).check(form.edit)
        except InvalidArgument:
            raise
        except TROUBLE as error:
            return self.page.answer(
                "_unknown", status=503, operation=operation, note=note_plain(error),
                carried=self.page.posted(), is_check=True,
            )  # fmt: skip
        note_result(self.request, self.server, form.edit, operation.action, verdict)
        return self.page.answer(
            "_checked", operation=operation, verdict=verdict, carried=self.page.posted()
        )

    def shown(
        self, operation: Operation, form: EditForm, note: Note | None = None, *, status: int = 200,
        without_undo: str = "",
    ) -> HttpResponse:  # fmt: skip
        offers = []
        element = operation.element
        if isinstance(operation, ValueOperation) and element is not None and not element.is_cut:
            offers = operation.offers(element)
        chosen = form["spelled"].value() if "spelled" in form.fields else ""
        old = ""
        if operation.is_danger and element is not None and element.data is not None:
            old = operation.old_text(element, "text")
        return self.page.answer(
            "_form", status=status, operation=operation, form=form, note=note, offers=offers,
            chosen=next((offer for offer in offers if offer.name == chosen), None),
            old=old, without_undo=without_undo, element=element,
        )  # fmt: skip


def _is_so_already(operation: Operation, conflict: Conflict) -> str:
    if conflict.now.type:
        return f"The key is of type {conflict.now.type} by now."
    return (
        f"The {operation.noun} is so already."
        if operation.noun == "bit"
        else (f"Somebody changed the {operation.noun} meanwhile. Look at it again.")
    )
