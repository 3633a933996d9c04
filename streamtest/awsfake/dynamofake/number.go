package dynamofake

import (
	"math/big"
	"strconv"
	"strings"
)

// The limits of a number:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
const (
	maxDigits    = 38
	maxMagnitude = 125
	minMagnitude = -130
)

// canonicalNumber brings a decimal into the one form in which equal numbers
// have equal texts: no exponent, no superfluous zeros, no plus, no minus zero.
func canonicalNumber(s string) (string, error) {
	if n := len(s); n > 0 && n <= 18 && s[0] >= '1' && s[0] <= '9' && allDigits(s) {
		return s, nil // what nearly all numbers are
	}
	digits, exponent, negative, ok := scanNumber(s)
	if !ok {
		return "", invalid("The parameter cannot be converted to a numeric value: %s", s)
	}
	trimmed := strings.TrimLeft(digits, "0")
	if trimmed == "" {
		return "0", nil
	}
	digits = strings.TrimRight(trimmed, "0")
	exponent += len(trimmed) - len(digits)
	if len(digits) > maxDigits {
		return "", invalid("Attempting to store more than 38 significant digits in a Number")
	}
	// The number is digits × 10^exponent.
	switch magnitude := exponent + len(digits) - 1; {
	case magnitude > maxMagnitude:
		return "", invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case magnitude < minMagnitude:
		return "", invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	var text string
	switch {
	case exponent >= 0:
		text = digits + strings.Repeat("0", exponent)
	case -exponent < len(digits):
		text = digits[:len(digits)+exponent] + "." + digits[len(digits)+exponent:]
	default:
		text = "0." + strings.Repeat("0", -exponent-len(digits)) + digits
	}
	if negative {
		text = "-" + text
	}
	return text, nil
}

// scanNumber takes a decimal apart: sign, digits without the point, and the
// power of ten to multiply them by.
func scanNumber(s string) (digits string, exponent int, negative, ok bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || e > 1000 || e < -1000 {
			return "", 0, false, false
		}
		s, exponent = s[:i], e
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits = whole + fraction
	if digits == "" || !allDigits(digits) {
		return "", 0, false, false
	}
	return digits, exponent - len(fraction), negative, true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// compareNumbers orders two canonical numbers by value.
func compareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	m, errM := strconv.ParseInt(a, 10, 64)
	n, errN := strconv.ParseInt(b, 10, 64)
	if errM == nil && errN == nil {
		if m < n {
			return -1
		}
		return 1
	}
	return rational(a).Cmp(rational(b))
}

// addNumbers is a+b, or a-b if minus, of two canonical numbers.
func addNumbers(a, b string, minus bool) (string, error) {
	sum := rational(b)
	if minus {
		sum.Neg(sum)
	}
	sum.Add(rational(a), sum)
	// All digits that a sum of two numbers in range can have behind the point.
	return canonicalNumber(sum.FloatString(-minMagnitude + maxDigits))
}

// rational is a canonical number as an exact fraction.
func rational(canonical string) *big.Rat {
	r, ok := new(big.Rat).SetString(canonical)
	if !ok {
		return new(big.Rat) // canonical numbers always parse
	}
	return r
}
