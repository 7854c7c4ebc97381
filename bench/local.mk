# bench: `ringside bench` and its guest.
