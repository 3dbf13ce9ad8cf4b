#include "go_asm.h"
#include "textflag.h"

// plainLow and plainHigh are two classes in one, taken apart for VPSHUFB. Bit 5-0 of plainLow[l] is
// set if the byte 16*h+l is of classHost, where plainHigh[h] has that bit; what is common to the two
// is then one of these bits. It is 0x80 for the bytes below 0x20, 0x40 for 0x7f. With 0x40 added, control
// characters are negative, and 0x41 to 0x60 are of classHost. Bytes from 0x80 on are in neither. FuzzLines
// holds them against the table in classes.go.
DATA plainLow<>+0(SB)/8, $0xbebebebebebebeaa
DATA plainLow<>+8(SB)/8, $0xdc95959494bcbebe
GLOBL plainLow<>(SB), RODATA|NOPTR, $16
DATA plainHigh<>+0(SB)/8, $0x6010080402018080
DATA plainHigh<>+8(SB)/8, $0
GLOBL plainHigh<>(SB), RODATA|NOPTR, $16
DATA lowNibbles<>+0(SB)/1, $0x0f
GLOBL lowNibbles<>(SB), RODATA|NOPTR, $1
DATA bias<>+0(SB)/1, $0x40
GLOBL bias<>(SB), RODATA|NOPTR, $1
DATA biasedLeast<>+0(SB)/1, $0x41
GLOBL biasedLeast<>(SB), RODATA|NOPTR, $1

// look puts the control characters among the 64 bytes from offset at on into AX, and those that are not of classHost into DX. Once for
// whole blocks and once for what is left behind them, which is more to do.
#define look(at) \
	VMOVDQU 0(SI)(at*1), Y5 \
	VMOVDQU 32(SI)(at*1), Y6 \
	VPSRLW $4, Y5, Y7 \
	VPSRLW $4, Y6, Y8 \
	VPAND Y2, Y7, Y7 \
	VPAND Y2, Y8, Y8 \
	VPSHUFB Y7, Y1, Y7 \
	VPSHUFB Y8, Y1, Y8 \
	VPSHUFB Y5, Y0, Y9 \
	VPSHUFB Y6, Y0, Y10 \
	VPAND Y7, Y9, Y7 \
	VPAND Y8, Y10, Y8 \
	VPADDB Y3, Y7, Y7 \
	VPADDB Y3, Y8, Y8 \
	VPMOVMSKB Y7, AX \
	VPMOVMSKB Y8, R11 \
	VPCMPGTB Y7, Y4, Y7 \
	VPCMPGTB Y8, Y4, Y8 \
	SHLQ $32, R11 \
	ORQ R11, AX \
	VPMOVMSKB Y7, DX \
	VPMOVMSKB Y8, R11 \
	SHLQ $32, R11 \
	ORQ R11, DX

// func findLinesAVX2(b []byte, base, blocks int, end *[lineCap]uint32, stop *byte) (n, next int)
//
//	SI  the message      R8  offset of the block
//	R12 where it ends    CX  the last offset at which a whole block may start
//	DI  end of the list  R10 place of the block's stop word
//	AX  control characters, then the first ones of runs of them
//	BX  those first ones, R14 1 if the last byte is a control character, of the block before
TEXT ·findLinesAVX2(SB), NOSPLIT, $8-72
	MOVQ base+24(FP), R8
	MOVQ b_base+0(FP), SI
	SUBQ R8, SI
	MOVQ blocks+32(FP), R12
	SHLQ $6, R12
	MOVQ b_len+8(FP), AX
	CMPQ R12, AX
	CMOVQGT AX, R12
	ADDQ R8, R12
	LEAQ -64(R12), CX
	MOVQ end+40(FP), DI
	LEAQ (4*const_lineStretch)(DI), AX
	MOVQ AX, full-8(SP)
	MOVQ stop+48(FP), R10
	XORL BX, BX
	XORL R14, R14
	VBROADCASTI128 plainLow<>(SB), Y0
	VBROADCASTI128 plainHigh<>(SB), Y1
	VPBROADCASTB lowNibbles<>(SB), Y2
	VPBROADCASTB bias<>(SB), Y3
	VPBROADCASTB biasedLeast<>(SB), Y4
	CMPQ R8, CX
	JGT last

block:
	look(R8)

found:
	MOVQ DX, (R10)
	ADDQ $8, R10

	// AX: those with none in front. R11: control characters two bytes behind such a one, an empty line (or a fold with an HTAB,
	// which does no harm).
	LEAQ (R14)(AX*2), DX
	MOVQ AX, R14
	MOVQ AX, R11
	ANDNQ AX, DX, AX
	SHRQ $63, R14
	MOVQ AX, R9
	SHLQ $2, BX, R9
	ANDQ R9, R11
	MOVQ AX, BX

	// The list: three without asking, since a branch on how many there are would often go wrong.
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
	LEAQ (DI)(DX*4), DX
	TESTQ AX, AX
	JZ listed
	ADDQ $12, DI

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
	TESTQ R11, R11
	JNZ done
	CMPQ DI, full-8(SP)
	JHS done
	CMPQ R8, CX
	JLE block
	CMPQ R8, R12
	JLT last

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
	look(CX)
	MOVQ R8, R9
	SUBQ CX, R9
	SHRXQ R9, DX, DX
	SHRXQ R9, AX, AX
	NEGQ R9
	MOVQ $-1, R11
	SHLXQ R9, R11, R11
	ORQ R11, DX
	JMP found
