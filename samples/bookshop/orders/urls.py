from django.urls import path
from django.utils.translation import gettext_lazy as _

from orders import views

app_name = "orders"
urlpatterns = [
    path("", views.basket, name="basket"),
    path(_("add/<uslug:slug>/"), views.add, name="add"),
    path(_("change/<uslug:slug>/"), views.change, name="change"),
    path("samples.zip", views.samples, name="samples"),
    path(_("checkout/"), views.checkout, name="checkout"),
    path(_("order/<int:pk>/"), views.order, name="order"),
]
