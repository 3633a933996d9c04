package recordpage

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// A plain number is to the last bit what strconv makes of it.
func TestPlainNumbersAreThoseOfStrconv(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	numbers := []string{
		"0", "1763742839", "1763742839.123", "1.763742839123E9", "1.763742839123e09", "999999999999999", "0.00000000000001",
		"999999999999999e22", "9.0e22", "1e0", "1.5E00", "000000000000.001", "123456789.000000E6",
	}
	for range 200_000 {
		digits := strconv.FormatUint(random.Uint64N(1e15), 10)
		at := random.IntN(len(digits)) + 1
		number := digits[:at]
		if at < len(digits) {
			number += "." + digits[at:]
		}
		if random.IntN(2) == 0 {
			number += fmt.Sprint("E", random.IntN(22))
		}
		numbers = append(numbers, number)
	}
	for _, number := range numbers {
		want, err := strconv.ParseFloat(number, 64)
		got, ok := plainFloat([]byte(number))
		if err != nil || !ok || got != want {
			t.Fatalf("%s is %v, %t, want %v, %v", number, got, ok, want, err)
		}
	}
	for _, other := range []string{"-1", "1234567890123456", "1e-3", "1e+3", "1E100", "1e23", "-0.5"} {
		if got, ok := plainFloat([]byte(other)); ok {
			t.Errorf("%s was taken for a plain number, %v", other, got)
		}
	}
}
