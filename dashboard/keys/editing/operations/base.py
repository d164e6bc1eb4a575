"""What every edit of a key's pane is: which words, which form, and how the form becomes an edit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from dashboard.keys.editing import fields, spelling, times
from dashboard.servers.models import Server
from redisops import keys
from redisops.edits import OPERATIONS as LIBRARY
from redisops.edits import Edit, Edits, Seen
from redisops.elements import Element
from redisops.errors import InvalidArgument

OPERATIONS: dict[str, type[Operation]] = {}


class EditForm(forms.Form):
    """The fields that every edit has. ``seen`` is what the person saw, for the guard."""

    seen = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)

    def __init__(self, operation: Operation, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.operation = operation
        self.edit: Edit | None = None
        if operation.asks_twice:
            self.fields["confirm"] = forms.CharField(
                required=False, widget=forms.TextInput(attrs=fields.MONO), max_length=200
            )
        if operation.loses or operation.asks_twice:
            self.fields["reason"] = forms.CharField(
                required=False, max_length=500,
                widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
            )  # fmt: skip

    @property
    def own_fields(self) -> list[Any]:
        """The visible fields without those that confirm."""
        return [f for f in self.visible_fields() if f.name not in ("confirm", "reason", "value")]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return data
        if "value" in self.fields:
            data["value"] = fields.value_of(data, self.operation.original)
        try:
            self.edit = self.operation.edit(data)
        except InvalidArgument as error:
            raise ValidationError(self._sentence(error)) from error
        return data

    @staticmethod
    def _sentence(error: InvalidArgument) -> str:
        words = str(error)
        return f"{words[:1].upper()}{words[1:]}".rstrip(".") + "."

    def check_confirmation(self) -> bool:
        """Whether what production asks for was given; marks the fields otherwise."""
        if not self.operation.asks_twice:
            return True
        name = self.operation.server.name
        if self.cleaned_data.get("confirm", "").strip() != name:
            self.add_error("confirm", f"The name is {name}; nothing was changed.")
        if not self.cleaned_data.get("reason", "").strip():
            self.add_error("reason", "Say why: this is production.")
        return not self.errors


class SpelledForm(EditForm):
    """For edits with a value: the text, and the spelling that it is in."""

    spelled = forms.CharField(max_length=200, widget=forms.HiddenInput, required=False)
    value = fields.ValueField()


class TypedForm(SpelledForm):
    """For a new value: the person says how it is typed."""

    value = fields.ValueField(rows=4, label="Value")
    spelled = forms.ChoiceField(  # type: ignore[assignment]
        choices=list(spelling.PLAIN.items()), initial="text", label="Typed as", required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )  # fmt: skip


class Operation(ABC):
    """One edit of one key on its way from a link to the library.

    ``do`` is its name in addresses; ``edits`` that in ``redisops.edits``; ``what`` what is looked
    at first; ``which`` the parameter that names the element ("" for the key's only one).
    """

    do: ClassVar[str] = ""
    edits: ClassVar[str] = ""
    what: ClassVar[Any] = "key"
    which: ClassVar[str] = ""
    title: ClassVar[str] = ""
    button: ClassVar[str] = "Save"
    icon: ClassVar[str] = "pencil"
    noun: ClassVar[str] = "value"
    done: ClassVar[str] = "saved"
    action: ClassVar[str] = "key.update"
    loses: ClassVar[bool] = False  # takes something away: production asks twice
    is_danger: ClassVar[bool] = False  # takes it away for nothing instead
    is_new: ClassVar[bool] = False  # adds what is not there yet
    reviews: ClassVar[bool] = False  # shows the difference before it saves
    form_class: ClassVar[type[EditForm]] = EditForm
    hint: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.do:
            OPERATIONS[cls.do] = cls

    def __init__(self, server: Server, key: bytes, told: QueryDict) -> None:
        self.server = server
        self.key = key
        self.told = told
        self.element: Element | None = None

    # --- What it is about ------------------------------------------------------------------

    @property
    def asks_twice(self) -> bool:
        """Whether the server's name must be typed and a reason given."""
        return self.loses and self.server.is_production

    @property
    def place(self) -> Any:
        """Which element: bytes for a name, as the library's ``look`` takes it."""
        return keys.from_printable(self.told.get(self.which, "")) if self.which else b""

    @property
    def original(self) -> bytes | None:
        """The stored value, whole, that a decoded one is written like; None when not at hand."""
        found = self.element
        return None if found is None or found.is_cut else found.data

    @property
    def place_words(self) -> str:
        if not self.which:
            return ""
        place = self.place
        text = keys.printable(place) if isinstance(place, bytes) else str(place)
        return text[:120] or "(empty)"

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What its form carries besides its fields."""
        return [(self.which, self.told.get(self.which, ""))] if self.which else []

    @property
    def no_undo(self) -> str:
        """Why it cannot be undone, in a sentence; "" when it can, or adds only."""
        return LIBRARY[self.edits].no_undo if self.loses else ""

    def lacks(self, features: Any) -> str:
        return Edits.lacks(features, self.edits)

    # --- The form --------------------------------------------------------------------------

    def closed(self, element: Element) -> str:
        """Why it cannot be done now, in a sentence; "" when it can."""
        wanted = {"bit": "string", "json": "ReJSON-RL", "key": element.type}.get(
            self.what, self.what
        )
        if element.type != wanted:
            return f"The key is of type {element.type} by now."
        if not self.is_new and element.data is None and self.what != "key":
            return f"This {self.noun} is gone by now."
        return ""

    def initial(self, element: Element) -> dict[str, Any]:
        return {"seen": self.seen_text(element)}

    def seen_text(self, element: Element) -> str:
        return fields.seen_to_text(element.seen) if element.data is not None else ""

    def form(
        self, data: Any = None, initial: dict[str, Any] | None = None, files: Any = None
    ) -> EditForm:
        return self.form_class(self, data, initial=initial or {}, files=files)

    @abstractmethod
    def edit(self, data: dict[str, Any]) -> Edit:
        """The library's edit. Raises InvalidArgument."""

    def read_when(self, data: dict[str, Any]) -> int:
        """The form's ``when`` in milliseconds since 1970, from now on by the server's clock."""
        assert self.element is not None
        try:
            return times.read(data["when"], self.element.now)
        except times.BadTime as error:
            raise InvalidArgument(str(error)) from error

    def seen(self, data: dict[str, Any]) -> Seen:
        return fields.seen_from_text(data.get("seen", ""))

    # --- Words -----------------------------------------------------------------------------

    @property
    def sentence(self) -> str:
        """What it says once it is done."""
        place = f" {self.place_words}" if self.which else ""
        return (
            f"{self.noun.capitalize()}{place} of {keys.printable(self.key)[:120]} is {self.done}."
        )

    @property
    def button_words(self) -> str:
        """On production the button names the server."""
        return f"{self.button} on {self.server.name}" if self.server.is_production else self.button

    def old_text(self, element: Element, spelled: str) -> str:
        """What is there, as it is shown."""
        return text_of(element.data or b"", spelled)

    def new_text(self, data: bytes, spelled: str) -> str:
        return text_of(data, spelled)

    def old_words(self, element: Element) -> str:
        """What is there, for an edit without a value of its own."""
        return self.old_text(element, "text")

    def new_words(self, data: dict[str, Any]) -> str:
        return ""


class ValueOperation(Operation):
    """An edit that replaces a value: opened in a spelling, compared before it is saved."""

    reviews = True
    loses = True
    form_class = SpelledForm

    def closed(self, element: Element) -> str:
        if reason := super().closed(element):
            return reason
        if element.is_cut or element.length > spelling.MOST:
            return f"It has {element.length:,} bytes; by hand at most 1 MiB can be edited."
        return ""

    def offers(self, element: Element) -> list[spelling.Spelling]:
        return spelling.offers(element.data or b"")

    def chosen(self, offers: list[spelling.Spelling]) -> spelling.Spelling:
        """The spelling that the address asks for, or the first that works."""
        wanted = self.told.get("as", "")
        able = [offer for offer in offers if not offer.why_not]
        return next((offer for offer in able if offer.name == wanted), able[0])

    def initial(self, element: Element) -> dict[str, Any]:
        chosen = self.chosen(self.offers(element))
        return super().initial(element) | {"value": chosen.text, "spelled": chosen.name}


def text_of(data: bytes, spelled: str) -> str:
    """Bytes in a spelling, or in the next one that can hold them."""
    for name in (spelled, "escapes", "hex"):
        found = spelling.spelled(data, name)
        if not found.why_not:
            return found.text
    return ""


class Remove(Operation):
    """What takes a part of a key away: asked once more, with no difference to review."""

    button = "Remove"
    icon = "trash-2"
    done = "removed"
    loses = True
    is_danger = True
    reviews = False
