//go:build !purego && !race

#include "textflag.h"

// func decodeSteps(to, text *byte, steps int, with *lookups) int
//
// It needs at least one step.
TEXT ·decodeSteps(SB), NOSPLIT, $0-40
	MOVD   to+0(FP), R0
	MOVD   text+8(FP), R1
	MOVD   steps+16(FP), R2
	MOVD   with+24(FP), R3
	MOVD   R2, R4
	VLD1.P 64(R3), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1   (R3), [V20.B16, V21.B16, V22.B16, V23.B16]
	VMOVI  $64, V24.B16

step:
	// The first characters of sixteen groups of four, the second ones, and so on.
	VLD4.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]

	// Six bits of each: from one half of the table or the other, whichever has a
	// place of that number. A character beyond both is 0 and seen by its own top bit.
	VEOR V24.B16, V0.B16, V4.B16
	VEOR V24.B16, V1.B16, V5.B16
	VEOR V24.B16, V2.B16, V6.B16
	VEOR V24.B16, V3.B16, V7.B16
	VTBL V0.B16, [V16.B16, V17.B16, V18.B16, V19.B16], V8.B16
	VTBL V1.B16, [V16.B16, V17.B16, V18.B16, V19.B16], V9.B16
	VTBL V2.B16, [V16.B16, V17.B16, V18.B16, V19.B16], V10.B16
	VTBL V3.B16, [V16.B16, V17.B16, V18.B16, V19.B16], V14.B16
	VTBX V4.B16, [V20.B16, V21.B16, V22.B16, V23.B16], V8.B16
	VTBX V5.B16, [V20.B16, V21.B16, V22.B16, V23.B16], V9.B16
	VTBX V6.B16, [V20.B16, V21.B16, V22.B16, V23.B16], V10.B16
	VTBX V7.B16, [V20.B16, V21.B16, V22.B16, V23.B16], V14.B16

	// Foreign is what has a top bit in either.
	VORR V0.B16, V1.B16, V4.B16
	VORR V2.B16, V3.B16, V5.B16
	VORR V8.B16, V9.B16, V6.B16
	VORR V10.B16, V14.B16, V7.B16
	VORR V4.B16, V5.B16, V4.B16
	VORR V6.B16, V7.B16, V6.B16
	VORR V4.B16, V6.B16, V4.B16
	VMOV V4.D[0], R5
	VMOV V4.D[1], R6
	ORR  R5, R6
	AND  $0x8080808080808080, R6
	CBNZ R6, done

	// Three bytes of each four: 6+2, 4+4 and 2+6 bits.
	VUSHR  $4, V9.B16, V12.B16
	VSLI   $2, V8.B16, V12.B16
	VUSHR  $2, V10.B16, V13.B16
	VSLI   $4, V9.B16, V13.B16
	VSLI   $6, V10.B16, V14.B16
	VST3.P [V12.B16, V13.B16, V14.B16], 48(R0)

	SUB  $1, R2
	CBNZ R2, step

done:
	SUB  R2, R4
	MOVD R4, ret+32(FP)
	RET
