#include "textflag.h"

// func lineEnds(b []byte, set *[lineBlocks]uint64, blocks int)
//
// Per block: four loads of 16 bytes, compare each with LF, gather the top bits of the
// bytes, join the four 16-bit pieces.
TEXT ·lineEnds(SB), NOSPLIT, $0-40
	MOVQ b_base+0(FP), SI
	MOVQ set+24(FP), DI
	MOVQ blocks+32(FP), CX
	MOVQ $0x0a0a0a0a0a0a0a0a, AX
	MOVQ AX, X0
	PUNPCKLQDQ X0, X0

block:
	MOVOU 0(SI), X1
	MOVOU 16(SI), X2
	MOVOU 32(SI), X3
	MOVOU 48(SI), X4
	PCMPEQB X0, X1
	PCMPEQB X0, X2
	PCMPEQB X0, X3
	PCMPEQB X0, X4
	PMOVMSKB X1, AX
	PMOVMSKB X2, BX
	PMOVMSKB X3, R8
	PMOVMSKB X4, R9
	SHLQ $16, BX
	SHLQ $32, R8
	SHLQ $48, R9
	ORQ BX, AX
	ORQ R9, R8
	ORQ R8, AX
	MOVQ AX, (DI)
	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JNZ block
	RET
