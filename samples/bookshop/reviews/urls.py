from django.urls import path

from reviews import views

app_name = "reviews"
urlpatterns = [
    path("<uslug:slug>/", views.write, name="write"),
    path("<uslug:slug>/delete/", views.delete, name="delete"),
]
