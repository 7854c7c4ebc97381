# confine: the sandbox engine with real guests.
