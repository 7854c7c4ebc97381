# examples: what it builds, tests and installs.
