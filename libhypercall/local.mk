# libhypercall: what it builds, tests and installs.
