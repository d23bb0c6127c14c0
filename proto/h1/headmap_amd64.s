#include "textflag.h"

// func mapHead(p unsafe.Pointer, n int, special, control *uint64) int
//
// Y0 to Y5 hold LF, CR, the colon, 0x1f, the tab and 0x7f. For each block of 64 bytes R10 gets a bit for each LF, R12
// for each CR, R13 for each control character and R14 for each of those and each colon; R8 and R9 keep LF and CR of the
// block before. A head ends at an LF behind an LF, or behind a CR that is behind an LF.
TEXT ·mapHead(SB), NOSPLIT, $0-40
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ special+16(FP), DI
	MOVQ control+24(FP), DX
	VPBROADCASTB lf<>(SB), Y0
	VPBROADCASTB cr<>(SB), Y1
	VPBROADCASTB colon<>(SB), Y2
	VPBROADCASTB last<>(SB), Y3
	VPBROADCASTB tab<>(SB), Y4
	VPBROADCASTB del<>(SB), Y5
	XORQ BX, BX
	XORQ R8, R8
	XORQ R9, R9

block:
	VMOVDQU (SI)(BX*1), Y6
	VMOVDQU 32(SI)(BX*1), Y7

	VPCMPEQB  Y0, Y6, Y8
	VPCMPEQB  Y0, Y7, Y9
	VPMOVMSKB Y8, R10
	VPMOVMSKB Y9, R11
	SHLQ      $32, R11
	ORQ       R11, R10

	VPCMPEQB  Y1, Y6, Y8
	VPCMPEQB  Y1, Y7, Y9
	VPMOVMSKB Y8, R12
	VPMOVMSKB Y9, R11
	SHLQ      $32, R11
	ORQ       R11, R12

	VPMINUB  Y3, Y6, Y8
	VPMINUB  Y3, Y7, Y9
	VPCMPEQB Y6, Y8, Y8
	VPCMPEQB Y7, Y9, Y9
	VPCMPEQB Y4, Y6, Y10
	VPCMPEQB Y4, Y7, Y11
	VPANDN   Y8, Y10, Y8
	VPANDN   Y9, Y11, Y9
	VPCMPEQB Y5, Y6, Y10
	VPCMPEQB Y5, Y7, Y11
	VPOR     Y10, Y8, Y8
	VPOR     Y11, Y9, Y9
	VPMOVMSKB Y8, R13
	VPMOVMSKB Y9, R11
	SHLQ      $32, R11
	ORQ       R11, R13

	VPCMPEQB  Y2, Y6, Y10
	VPCMPEQB  Y2, Y7, Y11
	VPMOVMSKB Y10, R14
	VPMOVMSKB Y11, R11
	SHLQ      $32, R11
	ORQ       R11, R14
	ORQ       R13, R14

	MOVQ R14, (DI)
	MOVQ R13, (DX)

	// What stands behind the input is no line's end.
	MOVQ CX, AX
	SUBQ BX, AX
	CMPQ AX, $64
	JGE  whole
	BZHIQ AX, R10, R10

whole:
	MOVQ R10, R11
	SHLQ $1, R8, R11
	MOVQ R12, AX
	SHLQ $1, R9, AX
	MOVQ R10, R15
	SHLQ $2, R8, R15
	ANDQ R15, AX
	ORQ  R11, AX
	ANDQ R10, AX
	JNZ  found

	MOVQ R10, R8
	MOVQ R12, R9
	ADDQ $8, DI
	ADDQ $8, DX
	ADDQ $64, BX
	CMPQ BX, CX
	JLT  block

	VZEROUPPER
	MOVQ $-1, ret+32(FP)
	RET

found:
	BSFQ AX, AX
	LEAQ 1(AX)(BX*1), AX
	VZEROUPPER
	MOVQ AX, ret+32(FP)
	RET

DATA lf<>+0(SB)/1, $0x0a
GLOBL lf<>(SB), RODATA|NOPTR, $1
DATA cr<>+0(SB)/1, $0x0d
GLOBL cr<>(SB), RODATA|NOPTR, $1
DATA colon<>+0(SB)/1, $0x3a
GLOBL colon<>(SB), RODATA|NOPTR, $1
DATA last<>+0(SB)/1, $0x1f
GLOBL last<>(SB), RODATA|NOPTR, $1
DATA tab<>+0(SB)/1, $0x09
GLOBL tab<>(SB), RODATA|NOPTR, $1
DATA del<>+0(SB)/1, $0x7f
GLOBL del<>(SB), RODATA|NOPTR, $1
