"""S3, and every service that speaks its protocol, with the standard library alone."""
