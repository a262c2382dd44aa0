from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from . import views

urlpatterns = [
    path("cookies/", views.two_cookies),
    path("binary/", views.binary),
    path("latin/", views.latin),
    path("greek/", views.greek),
    path("compressed/", views.compressed),
    path("download/", views.download),
    path("streamed/", views.streamed),
    path("redirect/", views.redirect),
    path("unchanged/", views.unchanged),
    path("empty/", views.empty),
    path("teapot/", views.teapot),
    path("broken/", views.broken),
    re_path("", csrf_exempt(views.seen)),
]
