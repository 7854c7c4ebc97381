# bench: what it builds, tests and installs.
