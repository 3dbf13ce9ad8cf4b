#include "go_asm.h"
#include "textflag.h"

// keep, loaded 15-n bytes from its start, keeps the first n+1 bytes of a register.
DATA keep<>+0(SB)/8, $-1
DATA keep<>+8(SB)/8, $-1
DATA keep<>+16(SB)/8, $0
DATA keep<>+24(SB)/8, $0
GLOBL keep<>(SB), RODATA|NOPTR, $32
DATA colons<>+0(SB)/1, $0x3a
GLOBL colons<>(SB), RODATA|NOPTR, $1
DATA bit5<>+0(SB)/1, $0x20
GLOBL bit5<>(SB), RODATA|NOPTR, $1
DATA multiplier<>+0(SB)/8, $const_nameMultiplier
GLOBL multiplier<>(SB), RODATA|NOPTR, $8

// func knownRowsAVX2(m *Message, n, p int) (rowsNow, lineStart int)
//
// knownRowsGo, line by line. The name is looked up as kindOfWords does, both words at a time.
//
//	SI  b          DI  m              R8  p, where the line starts
//	R9  n          R10 &rows[n]       R11 m.lines.next
//	BX  its CR     CX  length of the name
//	R12 m.seen     R13 its kind        R14 CRLF
TEXT ·knownRowsAVX2(SB), NOSPLIT, $8-40
	MOVQ m+0(FP), DI
	MOVQ Message_Raw(DI), SI
	MOVQ n+8(FP), R9
	MOVQ p+16(FP), R8
	MOVQ $const_MaxHeaders, AX
	MOVQ Message_many(DI), R10
	TESTQ R10, R10
	JNZ rows
	MOVQ $const_InlineHeaders, AX
	LEAQ Message_few(DI), R10

rows:
	MOVQ AX, room-8(SP)
	IMUL3Q $Header__size, R9, AX
	ADDQ AX, R10
	MOVQ (Message_lines+lines_next)(DI), R11
	MOVQ Message_seen(DI), R12
	MOVL $0x0a0d, R14
	VPBROADCASTB colons<>(SB), X0
	VPBROADCASTB bit5<>(SB), X1

row:
	CMPQ R11, (Message_lines+lines_n)(DI)
	JGE done
	CMPQ R9, room-8(SP)
	JGE done
	MOVL (Message_lines+lines_end)(DI)(R11*4), BX
	LEAQ 16(R8), AX
	CMPQ AX, (Message_Raw+8)(DI)
	JGT done

	// The name: everything in front of the first colon, folded.
	VMOVDQU (SI)(R8*1), X2
	VPCMPEQB X0, X2, X3
	VPMOVMSKB X3, CX
	TESTL CX, CX
	JZ done
	TZCNTL CX, CX
	LEAQ keep<>+15(SB), AX
	SUBQ CX, AX
	VPSRLW $1, X2, X3
	VPAND X1, X3, X3
	VPOR X2, X3, X2
	VPAND (AX), X2, X2
	VMOVQ X2, AX
	VPEXTRQ $1, X2, DX
	ROLQ $1, DX
	XORQ DX, AX
	IMULQ multiplier<>(SB), AX
	SHRQ $56, AX
	LEAQ ·nameKinds(SB), DX
	MOVBLZX (DX)(AX*1), R13
	SHLQ $4, AX
	LEAQ ·nameKeys(SB), DX
	VPCMPEQB (DX)(AX*1), X2, X3
	VPMOVMSKB X3, AX
	CMPL AX, $0xffff
	JNE done

	// The value: one space in front of it and CRLF behind it are the rule.
	LEAQ (R8)(CX*1), AX
	LEAQ 2(AX), DX
	CMPQ DX, BX
	JGE done
	CMPB 1(SI)(AX*1), $0x20
	JNE done
	CMPB 2(SI)(AX*1), $0x20
	JLS done
	CMPW (SI)(BX*1), R14
	JNE done
	CMPB -1(SI)(BX*1), $0x20
	JLS done

	MOVL R8, (Header_Line+Span_Off)(R10)
	MOVL R8, (Header_Name+Span_Off)(R10)
	MOVL CX, (Header_Name+Span_Len)(R10)
	ADDL $2, AX
	MOVL AX, (Header_Value+Span_Off)(R10)
	MOVL BX, DX
	SUBL AX, DX
	MOVL DX, (Header_Value+Span_Len)(R10)
	ADDL $2, BX
	MOVL BX, DX
	SUBL R8, DX
	MOVL DX, (Header_Line+Span_Len)(R10)
	MOVL BX, R8
	MOVW R13, Header_Kind(R10) // and Folded, which follows it: false

	// enter
	BTSQ R13, R12
	JCS again
	MOVW R9, Message_first(DI)(R13*2)

next:
	INCQ R11
	INCQ R9
	ADDQ $Header__size, R10
	JMP row

again:
	MOVQ Message_twice(DI), AX
	BTSQ R13, AX
	MOVQ AX, Message_twice(DI)
	JMP next

done:
	MOVQ R12, Message_seen(DI)
	MOVQ R11, (Message_lines+lines_next)(DI)
	MOVQ R9, rowsNow+24(FP)
	MOVQ R8, lineStart+32(FP)
	RET
