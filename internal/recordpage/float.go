package recordpage

// plainFloat is the number that a sound one in JSON stands for, if it is as plain
// as timestamps are: without a sign, of at most fifteen digits, and with an
// exponent of at most two, if any. It is what strconv.ParseFloat gives, in a third
// of its time: whole numbers below 2^53 and powers of ten up to 10^22 are exact,
// and of two exact numbers the product or the quotient is rounded once.
func plainFloat(b []byte) (v float64, ok bool) {
	var digits uint64
	i, n, exponent := 0, 0, 0
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		digits = digits*10 + uint64(b[i]-'0')
		n++
	}
	if i < len(b) && b[i] == '.' {
		for i++; i < len(b) && b[i]-'0' <= 9; i++ {
			digits = digits*10 + uint64(b[i]-'0')
			n++
			exponent--
		}
	}
	if n > 15 {
		return 0, false
	}
	if i < len(b) {
		e, ok := short(b[i:])
		if !ok {
			return 0, false
		}
		exponent += e
	}
	switch {
	case exponent < -22 || exponent > 22:
		return 0, false
	case exponent < 0:
		return float64(digits) / tens[-exponent], true
	}
	return float64(digits) * tens[exponent], true
}

// short is an exponent without a sign, of at most two digits.
func short(b []byte) (e int, ok bool) {
	if b[0]|0x20 != 'e' || len(b) > 3 {
		return 0, false
	}
	for _, c := range b[1:] {
		if c-'0' > 9 {
			return 0, false
		}
		e = e*10 + int(c-'0')
	}
	return e, len(b) > 1
}

var tens = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}
