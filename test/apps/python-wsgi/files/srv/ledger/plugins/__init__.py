"""Named by the configuration."""
