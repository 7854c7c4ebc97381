# tools: what it builds, tests and installs.
