from django.urls import path
from django.utils.translation import gettext_lazy as _

from catalogue import views

app_name = "catalogue"
urlpatterns = [
    path("", views.book_list, name="list"),
    path(_("genre/<uslug:slug>/"), views.genre, name="genre"),
    path("<uslug:slug>/", views.detail, name="detail"),
    path(_("<uslug:slug>/reading/"), views.reading, name="reading"),
    path("<uslug:slug>/sample.epub", views.sample, name="sample"),
]
