from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from orders.models import Order, OrderLine


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    autocomplete_fields = ("book",)
    extra = 0


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("__str__", "name", "status", "total", "created_at")
    list_filter = ("status", "created_at")
    search_fields = ("name", "address", "lines__book__search_text")
    date_hierarchy = "created_at"
    raw_id_fields = ("user",)
    inlines = (OrderLineInline,)
    actions = ("mark_sent",)

    @admin.action(description=_("Mark as sent"))
    def mark_sent(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        count = orders.filter(status=Order.Status.PLACED).update(status=Order.Status.SENT)
        self.message_user(request, _("Marked as sent: %(count)d.") % {"count": count})
