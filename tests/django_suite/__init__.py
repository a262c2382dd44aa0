"""Django's own test suite, the requests of its test client travelling as events.

`python -m tests.django_suite --front-door alb` takes the suite out of the sdist of the Django that is installed, runs
the modules that drive requests once as they are and once with a front door and the adapter in between, and compares the
two test by test.
"""
