from django.contrib import admin

from reviews.models import Review


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    list_display = ("book", "user", "rating", "text", "created_at")
    list_filter = ("rating", "created_at")
    list_select_related = ("book", "user")
    search_fields = ("text", "user__username", "book__search_text")
    autocomplete_fields = ("book",)
    raw_id_fields = ("user",)
    date_hierarchy = "created_at"
