"""What is released: the wheel, the source distribution, and the checks before a release."""
