"""What we know: pods.json, models.yaml, the settings. Files in, typed objects out."""
