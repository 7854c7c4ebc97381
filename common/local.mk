# common: what it builds, tests and installs.
