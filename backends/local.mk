# backends: what it builds, tests and installs.
