from django import forms

from orders.basket import MOST
from orders.models import Order


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=0, max_value=MOST)


class CheckoutForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ("name", "address")
        widgets = {  # noqa: RUF012 - Django's own name and type
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "address": forms.Textarea(attrs={"rows": 4, "autocomplete": "street-address"}),
        }
