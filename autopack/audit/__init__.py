"""What the audit chain proves: its links, its heads that are kept elsewhere, who signed them."""
