# hypervisor: what it builds, tests and installs.
