package dashboard

import "time"

// recent is for how many minutes failures are counted.
const recent = 15

// tally counts failures by the minute. The list of them cannot: it keeps the last
// ones only, and one entry stands for all that were like it.
type tally [recent]struct{ minute, all, grave int64 }

func (t *tally) add(now time.Time, grave bool) {
	minute := now.Unix() / 60
	c := &t[minute%recent]
	if c.minute != minute {
		c.minute, c.all, c.grave = minute, 0, 0
	}
	c.all++
	if grave {
		c.grave++
	}
}

// sum is how many there were in the last 15 minutes, of which the one that now is
// has only begun, and how many of those were grave.
func (t *tally) sum(now time.Time) (all, grave int64) {
	for _, c := range t {
		if now.Unix()/60-c.minute < recent {
			all, grave = all+c.all, grave+c.grave
		}
	}
	return all, grave
}
