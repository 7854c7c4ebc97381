# docs: what is written down, installed beside the program.
dist_doc_DATA += $(shell cd $(srcdir) && ls README.md CHANGES.md \
	CONTRIBUTING.md SECURITY.md %D%/*.md 2>/dev/null)
