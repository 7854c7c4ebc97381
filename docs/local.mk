# docs: what it builds, tests and installs.
