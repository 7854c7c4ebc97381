# guest-kernel: what it builds, tests and installs.
