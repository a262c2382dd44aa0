from django.urls import path

from catalogue.api import views

app_name = "api"
urlpatterns = [
    path("books/", views.Books.as_view(), name="books"),
    path("books/<uslug:slug>/", views.OneBook.as_view(), name="book"),
]
