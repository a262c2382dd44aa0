"""Where files go: one small interface (`Store`), an implementation a service."""
