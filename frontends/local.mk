# frontends: what it builds, tests and installs.
