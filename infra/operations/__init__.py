"""What is done with a site that has been deployed: look at it, call it, read its logs, set its variables."""
