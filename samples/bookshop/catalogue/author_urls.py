from django.urls import path

from catalogue import views

app_name = "authors"
urlpatterns = [
    path("", views.author_list, name="list"),
    path("<uslug:slug>/", views.author, name="detail"),
]
