//go:build !purego && !race

#include "go_asm.h"
#include "textflag.h"

// func decodeSteps(to, text *byte, steps int, with *lookups) int
//
// It needs AVX2 and at least one step.
TEXT ·decodeSteps(SB), NOSPLIT, $0-40
	MOVQ to+0(FP), DI
	MOVQ text+8(FP), SI
	MOVQ steps+16(FP), CX
	MOVQ with+24(FP), BX
	MOVQ CX, AX
	VBROADCASTI128 lookups_bit(BX), Y1
	VBROADCASTI128 lookups_wrong(BX), Y2
	VBROADCASTI128 lookups_shift(BX), Y3
	VBROADCASTI128 lookups_low(BX), Y4
	VBROADCASTI128 lookups_slash(BX), Y5
	VBROADCASTI128 lookups_byTwo(BX), Y6
	VBROADCASTI128 lookups_byFour(BX), Y7
	VBROADCASTI128 lookups_turn(BX), Y8
	VMOVDQU        lookups_join(BX), Y9

step:
	VMOVDQU (SI), Y0

	// Foreign is what has a bit of its high nibble among those wrong for its low one.
	VPSRLD  $4, Y0, Y10
	VPAND   Y4, Y10, Y10
	VPAND   Y4, Y0, Y11
	VPSHUFB Y10, Y1, Y12
	VPSHUFB Y11, Y2, Y11
	VPTEST  Y11, Y12
	JNZ     done

	// Six bits of each character: what is added goes by the high nibble, or is the
	// slash's, whose nibble is made one less.
	VPCMPEQB Y5, Y0, Y11
	VPADDB   Y11, Y10, Y10
	VPSHUFB  Y10, Y3, Y10
	VPADDB   Y10, Y0, Y0

	// 24 bits of each four, then their bytes in order and without gaps.
	VPMADDUBSW Y6, Y0, Y0
	VPMADDWD   Y7, Y0, Y0
	VPSHUFB    Y8, Y0, Y0
	VPERMD     Y0, Y9, Y0
	VMOVDQU    Y0, (DI)

	ADDQ $32, SI
	ADDQ $24, DI
	DECQ CX
	JNZ  step

done:
	VZEROUPPER
	SUBQ CX, AX
	MOVQ AX, ret+32(FP)
	RET
