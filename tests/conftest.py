"""What all tests share."""

import signal

# What runs in the background of a shell is deaf to SIGINT, and so is all that it starts; tests send it to programs.
signal.signal(signal.SIGINT, signal.default_int_handler)
