from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from catalogue.models import Book
from reviews.forms import ReviewForm
from reviews.models import Review


@login_required
def write(request: HttpRequest, slug: str) -> HttpResponse:
    """The reader's one review of a book: written here the first time, changed the next."""
    book = get_object_or_404(Book.objects.select_related("author"), slug=slug)
    review = Review.objects.filter(book=book, user=request.user).first() or Review(book=book, user=request.user)
    if request.method == "POST":
        form = ReviewForm(request.POST, request.FILES, instance=review)
        if form.is_valid():
            form.save()
            messages.success(request, _("Thank you for your review of “%(title)s”.") % {"title": book.title})
            return redirect(f"{book.get_absolute_url()}#reviews")
    else:
        form = ReviewForm(instance=review)
    return render(request, "reviews/write.html", {"book": book, "form": form, "mine": review if review.pk else None})


@login_required
@require_POST
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    review = get_object_or_404(Review.objects.select_related("book"), book__slug=slug, user=request.user)
    if review.photo:
        review.photo.delete(save=False)
    review.delete()
    messages.success(request, _("Your review is gone."))
    return redirect(review.book)
