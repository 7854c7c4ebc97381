# Makes the symbol table of a guest's crash reports from `nm -n IMAGE`:
# assembler text with (address, offset of name) pairs, sorted by address, in
# section .ksyms and the names in .ksyms.names (guest.lds, symbols.c). Names that
# build-aux/guest-names hid from programs are reported as the sources have them.
$2 ~ /^[TtWw]$/ && $3 !~ /^\./ && NF == 3 {
    if ($1 == last)
        next
    last = $1
    sub(/^__rs_/, "", $3)
    entries = entries sprintf("\t.long 0x%s, %d\n", substr($1, 9), offset)
    names = names sprintf("\t.asciz \"%s\"\n", $3)
    offset += length($3) + 1
}
END {
    printf "\t.section .ksyms, \"a\", @progbits\n%s", entries
    printf "\t.section .ksyms.names, \"a\", @progbits\n%s", names
    printf "\t.section .note.GNU-stack, \"\", @progbits\n"
}
