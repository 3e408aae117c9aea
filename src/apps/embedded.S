// The built-in model and the page lie in the binary as read-only bytes; embedded.h gives them names.
    .section .rodata.feilun, "a", @progbits

    .global feilun_builtin_model_begin, feilun_builtin_model_end
    .balign 64
feilun_builtin_model_begin:
    .incbin BUILTIN_MODEL
feilun_builtin_model_end:

    .global feilun_page_begin, feilun_page_end
    .balign 64
feilun_page_begin:
    .incbin PAGE
feilun_page_end:

    .section .note.GNU-stack, "", @progbits
