# xenstore: what it builds, tests and installs.
