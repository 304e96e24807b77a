"""Orders: takes orders, keeps their invoices and tells the supplier."""
