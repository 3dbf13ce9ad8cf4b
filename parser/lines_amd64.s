#include "go_asm.h"
#include "textflag.h"

// plainLow and plainHigh are classHost, taken apart for VPSHUFB: bit h of plainLow[l] is set if
// the byte 16*h+l is of the class, and plainHigh[h] is 1<<h. A byte is in the class if the two have a bit in common. Bytes from 0x80
// on have none. FuzzLines holds them against the table in classes.go.
DATA plainLow<>+0(SB)/8, $0xf8f8f8f8f8f8f8a8
DATA plainLow<>+8(SB)/8, $0x7054545050f0f8f8
GLOBL plainLow<>(SB), RODATA|NOPTR, $16
DATA plainHigh<>+0(SB)/8, $0x8040201008040201
DATA plainHigh<>+8(SB)/8, $0
GLOBL plainHigh<>(SB), RODATA|NOPTR, $16
DATA lowNibbles<>+0(SB)/1, $0x0f
GLOBL lowNibbles<>(SB), RODATA|NOPTR, $1
DATA lineFeed<>+0(SB)/1, $0x0a
GLOBL lineFeed<>(SB), RODATA|NOPTR, $1

// func findLinesAVX2(b []byte, base, blocks int, end *[lineCap]uint32, stop *byte) (n, next int)
//
//	SI  the block        CX  bytes left, its own included
//	R8  its offset       R10 place of its stop word
//	DI  end of the list  BX  LFs of the block before
//	R12, R13             0; of the last block: how far it is shifted, and the bits behind its end
TEXT ·findLinesAVX2(SB), NOSPLIT, $8-72
	MOVQ b_base+0(FP), SI
	MOVQ b_len+8(FP), CX
	MOVQ base+24(FP), R8
	MOVQ blocks+32(FP), AX
	SHLQ $6, AX
	CMPQ CX, AX
	CMOVQGT AX, CX
	MOVQ end+40(FP), DI
	LEAQ (4*const_lineStretch)(DI), AX
	MOVQ AX, full-8(SP)
	MOVQ stop+48(FP), R10
	XORL BX, BX
	XORL R12, R12
	XORL R13, R13
	VBROADCASTI128 plainLow<>(SB), Y0
	VBROADCASTI128 plainHigh<>(SB), Y1
	VPBROADCASTB lowNibbles<>(SB), Y2
	VPBROADCASTB lineFeed<>(SB), Y3
	VPXOR Y4, Y4, Y4

block:
	CMPQ CX, $64
	JLT last

look:
	VMOVDQU 0(SI), Y5
	VMOVDQU 32(SI), Y6
	VPSRLW $4, Y5, Y7
	VPSRLW $4, Y6, Y8
	VPAND Y2, Y7, Y7
	VPAND Y2, Y8, Y8
	VPSHUFB Y7, Y1, Y7
	VPSHUFB Y8, Y1, Y8
	VPSHUFB Y5, Y0, Y9
	VPSHUFB Y6, Y0, Y10
	VPAND Y7, Y9, Y7
	VPAND Y8, Y10, Y8
	VPCMPEQB Y4, Y7, Y7
	VPCMPEQB Y4, Y8, Y8
	VPCMPEQB Y3, Y5, Y5
	VPCMPEQB Y3, Y6, Y6
	VPMOVMSKB Y7, DX
	VPMOVMSKB Y8, R11
	SHLQ $32, R11
	ORQ R11, DX
	VPMOVMSKB Y5, AX
	VPMOVMSKB Y6, R11
	SHLQ $32, R11
	ORQ R11, AX
	SHRXQ R12, DX, DX
	SHRXQ R12, AX, AX
	ORQ R13, DX
	MOVQ DX, (R10)
	ADDQ $8, R10

	// R11: LFs two bytes behind another, an empty line (or one of one byte, which does no harm).
	MOVQ AX, R11
	SHLQ $2, BX, R11
	ANDQ AX, R11
	MOVQ AX, BX

	// The list: four without asking, since a branch on how many there are would often go wrong.
	POPCNTQ AX, DX
	TZCNTQ AX, R9
	BLSRQ AX, AX
	ADDL R8, R9
	MOVL R9, 0(DI)
	TZCNTQ AX, R9
	BLSRQ AX, AX
	ADDL R8, R9
	MOVL R9, 4(DI)
	TZCNTQ AX, R9
	BLSRQ AX, AX
	ADDL R8, R9
	MOVL R9, 8(DI)
	TZCNTQ AX, R9
	BLSRQ AX, AX
	ADDL R8, R9
	MOVL R9, 12(DI)
	LEAQ (DI)(DX*4), DX
	TESTQ AX, AX
	JZ listed
	ADDQ $16, DI

more:
	TZCNTQ AX, R9
	ADDL R8, R9
	MOVL R9, (DI)
	ADDQ $4, DI
	BLSRQ AX, AX
	JNZ more

listed:
	MOVQ DX, DI
	ADDQ $64, R8
	ADDQ $64, SI
	SUBQ $64, CX
	JLE done
	TESTQ R11, R11
	JNZ done
	CMPQ DI, full-8(SP)
	JLO block

done:
	VZEROUPPER
	MOVQ $-1, (R10)
	SUBQ end+40(FP), DI
	SHRQ $2, DI
	MOVQ DI, n+56(FP)
	MOVQ R8, next+64(FP)
	RET

last:
	// Look at the 64 bytes that end with the last ones, shift the others out, set the stops behind.
	LEAQ -64(SI)(CX*1), SI
	MOVQ $-1, R13
	SHLQ CX, R13
	MOVL $64, R12
	SUBL CX, R12
	JMP look
