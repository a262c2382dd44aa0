from dataclasses import dataclass
from decimal import Decimal

from django.contrib.sessions.backends.base import SessionBase

from catalogue.models import Book

KEY = "basket"
MOST = 9


@dataclass
class Line:
    book: Book
    quantity: int

    @property
    def total(self) -> Decimal:
        return self.book.price * self.quantity


class Basket:
    """What a visitor means to buy: `{"<book's key>": quantity}` in the session, no account needed."""

    def __init__(self, session: SessionBase) -> None:
        self.session = session

    @property
    def quantities(self) -> dict[str, int]:
        return self.session.get(KEY, {})

    @property
    def count(self) -> int:
        return sum(self.quantities.values())

    def set(self, book: Book, quantity: int) -> None:
        """Zero takes the book out; nobody gets more than MOST of one book."""
        quantities = {**self.quantities, str(book.pk): min(quantity, MOST)}
        self.session[KEY] = {key: number for key, number in quantities.items() if number > 0}

    def add(self, book: Book) -> None:
        self.set(book, self.quantities.get(str(book.pk), 0) + 1)

    def clear(self) -> None:
        self.session.pop(KEY, None)

    def lines(self) -> list[Line]:
        books = Book.objects.select_related("author").in_bulk([int(key) for key in self.quantities])
        return [Line(books[int(key)], number) for key, number in self.quantities.items() if int(key) in books]
