"""Any other transport, as far as kombu speaks it."""
