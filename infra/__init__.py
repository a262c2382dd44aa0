"""What describes, packages and deploys; and the command line of the whole project."""
