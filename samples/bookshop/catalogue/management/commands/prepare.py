from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    help = "Makes the shop ready to open: tables, books, covers, admin. What is there already stays as it is."
    # The checks would load every page of the shop, and migrate runs those that it needs.
    requires_system_checks: tuple[str, ...] = ()

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if waiting:
            call_command("migrate", verbosity=0)
        self.say("database", f"{waiting} migrations applied" if waiting else "up to date")

        from catalogue.seed import data

        rows = data.load()
        books = data.seed_catalogue(rows)
        self.say("catalogue", f"{books} books put on the shelf" if books else "has its books")
        files = data.seed_files(rows)
        self.say("media", f"{files} covers and samples made" if files else "all covers and samples there")
        created = data.seed_admin()
        name, password = data.ADMIN
        self.say("admin", f"created: {name} / {password}" if created else f"{name} exists")

    def say(self, what: str, how: str) -> None:
        self.stdout.write(f"{what + ':':<11}{how}")
