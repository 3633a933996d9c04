package dashboard

import (
	"math"
	"time"
)

// latencies counts how long calls took, in classes that grow by a fifth each:
// what is read from them is at most a tenth off, and a class takes four bytes.
type latencies struct {
	classes [100]uint32
	n       uint32
}

// The first class ends at 100 µs, the last begins at 100 µs · 1.2^98, nearly
// two hours.
const (
	firstClass = 100 * time.Microsecond
	growth     = 1.2
)

func (l *latencies) add(took time.Duration) {
	class := 0
	if took > firstClass {
		class = min(len(l.classes)-1, int(math.Ceil(math.Log(float64(took)/float64(firstClass))/math.Log(growth))))
	}
	l.classes[class]++
	l.n++
}

// quantile is the time within which the given part of the calls was done, and
// false if there was none.
func (l *latencies) quantile(part float64) (time.Duration, bool) {
	if l.n == 0 {
		return 0, false
	}
	rank, seen := uint32(math.Ceil(part*float64(l.n))), uint32(0)
	for class, n := range l.classes {
		if seen += n; seen >= max(1, rank) {
			// The middle of the class stands for what is in it.
			return time.Duration(float64(firstClass) * math.Pow(growth, float64(class)-0.5)), true
		}
	}
	return 0, false // unreachable: the classes sum up to n
}
