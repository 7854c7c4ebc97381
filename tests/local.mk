# tests: what it builds, tests and installs.
