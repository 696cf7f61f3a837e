"""What the demo is made of, part by part."""
