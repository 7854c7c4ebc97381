# examples: what it builds, tests and installs.

guest_programs += %D%/hello/hello.elf
