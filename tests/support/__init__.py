"""What tests share: guards, workspaces, real servers, bounded processes."""
