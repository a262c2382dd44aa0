"""What stands in for the cloud on a laptop: front doors, the function service, the bucket and the CDN."""
