import io

from django.contrib.auth import get_user_model
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, TestCase
from PIL import Image

from reviews.forms import PHOTO_BYTES_MAX
from reviews.models import Review


def picture(name: str = "café.png") -> SimpleUploadedFile:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(buffer, "PNG")
    return SimpleUploadedFile(name, buffer.getvalue(), "image/png")


class Reviews(TestCase):
    def setUp(self) -> None:
        self.client.force_login(get_user_model().objects.get(username="haruki"))

    def test_a_photo_is_kept_and_shown(self) -> None:
        photo = picture()
        sent = photo.read()
        photo.seek(0)
        response = self.client.post("/reviews/moby-dick/", {"rating": "4", "text": "鯨！", "photo": photo}, follow=True)
        self.assertEqual(response.redirect_chain, [("/books/moby-dick/#reviews", 302)])
        self.assertContains(response, "Thank you for your review of “Moby-Dick”.")
        review = Review.objects.get(book__slug="moby-dick", user__username="haruki")
        self.assertContains(response, f'<img src="{review.photo.url}"')
        self.assertEqual((review.photo_width, review.photo_height), (60, 40))
        with default_storage.open(review.photo.name) as stored:
            self.assertEqual(stored.read(), sent)

    def test_a_second_review_replaces_the_first(self) -> None:
        for stars in ("2", "5"):
            self.client.post("/reviews/dracula/", {"rating": stars, "text": "…"})
        self.assertEqual([review.rating for review in Review.objects.filter(book__slug="dracula")], [5])

    def test_deleting_takes_the_photo_along(self) -> None:
        self.client.post("/reviews/dracula/", {"rating": "4", "text": "…", "photo": picture()})
        name = Review.objects.get(book__slug="dracula").photo.name
        self.client.post("/reviews/dracula/delete/")
        self.assertFalse(Review.objects.filter(book__slug="dracula").exists())
        self.assertFalse(default_storage.exists(name))

    def test_what_is_no_picture_is_refused(self) -> None:
        fake = SimpleUploadedFile("photo.png", b"not a picture", "image/png")
        response = self.client.post("/reviews/dracula/", {"rating": "4", "text": "…", "photo": fake})
        self.assertContains(response, "errorlist")
        self.assertFalse(Review.objects.filter(book__slug="dracula").exists())

    def test_a_photo_too_large_is_refused_with_the_limit(self) -> None:
        large = picture()
        large.seek(0, io.SEEK_END)
        large.write(bytes(PHOTO_BYTES_MAX))
        large.seek(0)
        response = self.client.post("/reviews/dracula/", {"rating": "4", "text": "…", "photo": large})
        self.assertContains(response, "the most we can take is 3.8")

    def test_visitors_log_in_first(self) -> None:
        response = Client().post("/reviews/dracula/", {"rating": "4", "text": "…"})
        self.assertRedirects(response, "/account/login/?next=/reviews/dracula/")

    def test_a_form_without_its_token_is_refused(self) -> None:
        client = Client(enforce_csrf_checks=True)
        response = client.post("/display/", {"theme": "dark", "per_page": "12"})
        self.assertContains(response, "That form had expired", status_code=403)
