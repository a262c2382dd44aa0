from django.contrib.auth.views import LogoutView
from django.urls import path
from django.utils.translation import gettext_lazy as _

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.profile, name="profile"),
    path(_("login/"), views.Login.as_view(), name="login"),
    path(_("logout/"), LogoutView.as_view(), name="logout"),
    path(_("sign-up/"), views.SignUp.as_view(), name="signup"),
]
