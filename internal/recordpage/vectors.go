//go:build (amd64 || arm64) && !purego && !race

package recordpage

// vectors decodes base64 by as many characters at once as the processor's vectors
// take, as groups does by sixteen, as far as there is room for what one step writes.
//
// What is written in assembler takes so many steps and no more, or stops where one
// has a foreign character in it; how many there is room for is reckoned here. It is
// left out with the tag purego, and where the race detector is built in, which does
// not see what assembler reads and writes: a payload that was only lent, and is
// looked at when its time is over, is what that one is to find.
func vectors(to, text []byte) (got, used int) {
	if len(text) < stepText || len(to) < stepRoom || !hasVectors {
		return 0, 0
	}
	steps := min(len(text)/stepText, (len(to)-stepRoom)/stepBytes+1)
	steps = decodeSteps(&to[0], &text[0], steps, &lookup)
	return steps * stepBytes, steps * stepText
}

// decodeSteps decodes stepText characters to stepBytes bytes, so many times or until
// some are foreign, and says how many times it did. Of each step it reads all
// characters before it writes, which is stepRoom bytes from the first.
//
//go:noescape
func decodeSteps(to, text *byte, steps int, with *lookups) int
