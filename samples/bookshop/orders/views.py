import zipfile
from io import BytesIO

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from catalogue.models import Book
from orders.basket import Basket
from orders.forms import CheckoutForm, QuantityForm
from orders.models import Order, OrderLine


@never_cache
@require_safe
def basket(request: HttpRequest) -> HttpResponse:
    lines = Basket(request.session).lines()
    return render(request, "orders/basket.html", {"lines": lines, "total": sum(line.total for line in lines)})


@require_POST
def add(request: HttpRequest, slug: str) -> HttpResponse:
    book = get_object_or_404(Book, slug=slug)
    if book.stock:
        Basket(request.session).add(book)
        messages.success(request, _("“%(title)s” is in your basket.") % {"title": book.title})
    else:
        messages.error(request, _("“%(title)s” is sold out.") % {"title": book.title})
    return redirect("orders:basket")


@require_POST
def change(request: HttpRequest, slug: str) -> HttpResponse:
    book = get_object_or_404(Book, slug=slug)
    form = QuantityForm(request.POST)
    if form.is_valid():
        Basket(request.session).set(book, form.cleaned_data["quantity"])
    else:
        messages.error(request, " ".join(form.errors["quantity"]))
    return redirect("orders:basket")


@require_safe
def samples(request: HttpRequest) -> HttpResponse:
    """The sample chapters of every book in the basket, as one ZIP."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for line in Basket(request.session).lines():
            if line.book.sample:
                with line.book.sample.open("rb") as file:
                    archive.writestr(f"{line.book.title}.epub", file.read())
        if not archive.namelist():
            raise Http404
    return HttpResponse(
        buffer.getvalue(),
        content_type="application/zip",
        headers={"Content-Disposition": content_disposition_header(True, _("First Line – samples") + ".zip")},
    )


@never_cache
@login_required
def checkout(request: HttpRequest) -> HttpResponse:
    basket = Basket(request.session)
    lines = basket.lines()
    if not lines:
        messages.error(request, _("Your basket is empty."))
        return redirect("orders:basket")
    form = CheckoutForm(request.POST or None, initial={"name": request.user.get_full_name()})
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            # One conditional UPDATE a book takes the stock: whoever comes second for the last copy changes no row.
            missing = [
                line.book
                for line in lines
                if not Book.objects.filter(pk=line.book.pk, stock__gte=line.quantity).update(
                    stock=F("stock") - line.quantity
                )
            ]
            if missing:
                transaction.set_rollback(True)
            else:
                form.instance.user = request.user
                order = form.save()
                OrderLine.objects.bulk_create(
                    OrderLine(order=order, book=line.book, quantity=line.quantity, price=line.book.price)
                    for line in lines
                )
        if not missing:
            basket.clear()
            messages.success(request, _("Thank you. Your order is on its way to the packing table."))
            return redirect(order)
        for book in missing:
            form.add_error(None, _("We have only %(stock)d of “%(title)s”.") % {"stock": book.stock, "title": book})
    return render(
        request, "orders/checkout.html", {"form": form, "lines": lines, "total": sum(line.total for line in lines)}
    )


@login_required
@require_safe
def order(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Order, pk=pk, user=request.user)
    return render(request, "orders/order.html", {"order": found, "lines": found.lines.select_related("book__author")})
