from django.urls import path

from . import views

urlpatterns = [
    path("visit/", views.visit),
    path("transaction/", views.visit_in_transaction),
    path("asynchronous/", views.visit_asynchronously),
    path("read/", views.read),
    path("limits/", views.limits),
    path("leave-transaction/", views.leave_transaction),
    path("leave-atomic-block/", views.leave_atomic_block),
]
